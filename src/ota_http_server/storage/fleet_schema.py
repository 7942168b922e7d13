"""The tables of projects, releases, devices and their attempts, and of who may come in.

Like those of `schema`, which names them all: times are unix seconds, digests hexadecimal.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
    text,
)

from ota_http_server.storage.metadata import Counted, metadata

# How a project is treated; one that has no row is treated by the defaults.
projects = Table(
    "projects",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("folder", String(16), nullable=False),
    Column("chip", String(32)),
    Column("revision", Integer),
    Column("unknown_version", String(16), nullable=False),
    Column("registering", String(16), nullable=False),
    Column("accepts_keys", Boolean, nullable=False),
    Column("tag_channels", Text, nullable=False),  # JSON: tag → channel
    Column("notes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("edition", Integer, nullable=False),
    Column("spread", String(16), nullable=False, server_default=text("'at-once'")),
    Column("downloads_max", Integer),
    Column("download_bytes_per_second", BigInteger),
)

releases = Table(
    "releases",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("project", String(64), nullable=False),
    Column("identity", String(200), nullable=False),  # one text for each version, however spelt
    Column("version", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("notes", Text, nullable=False),
    Column("min_from", String(64)),
    Column("security", Boolean, nullable=False),
    Column("forced", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("published_at", BigInteger),
    Column("withdrawn_at", BigInteger),
    Column("withdrawn_by", String(64)),
    Column("edition", Integer, nullable=False),
    Column("floor", Boolean, nullable=False, server_default=false()),
    Index("ix_releases_project_identity", "project", "identity", unique=True),
)

# What is declared beside the image counts for this release, where the bytes do not say it.
release_images = Table(
    "release_images",
    metadata,
    Column("release", Counted, ForeignKey("releases.id"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("sha256", String(64), ForeignKey("images.sha256"), nullable=False),
    Column("part", String(32), nullable=False),
    Column("chip", String(32)),
    Column("hardware", Text, nullable=False),  # JSON
    Column("added_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),  # the order in which they came
    Index("ix_release_images_sha256", "sha256"),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("chip", String(32)),
    Column("revision", Integer),
    Column("revision_min", Integer),
    Column("board", String(64)),
    Column("tags", Text, nullable=False),  # JSON, sorted
    Column("channel", String(32)),
    Column("version", String(128)),
    Column("version_from", String(16)),
    Column("image_sha256", String(64)),
    Column("running_since", BigInteger),
    Column("secure_version", BigInteger),
    Column("free_bytes", BigInteger),
    Column("last_seen", BigInteger),
    Column("address", String(64)),
    Column("notes", Text, nullable=False),
    Column("blocked", Boolean, nullable=False),
    Column("pinned", String(64)),
    Column("attributes", Text, nullable=False),  # JSON
    Column("attributes_wanted", Boolean, nullable=False),
    Column("wiped_after", BigInteger, nullable=False),  # attempts up to this one count no more
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("edition", Integer, nullable=False),
    Index("ix_devices_project_id", "project", "id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=False),
    Column("device", String(64), nullable=False),
    Column("project", String(64), nullable=False),
    Column("release", Counted, ForeignKey("releases.id"), nullable=False),
    Column("version", String(64), nullable=False),
    Column("image_name", String(128), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("from_version", String(128)),
    Column("from_sha256", String(64)),
    Column("offered_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("downloaded_at", BigInteger),
    Column("installed_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("cancel_asked", Boolean, nullable=False),
    Column("detail", Text, nullable=False),
    Column("rollout", BigInteger),
    Column("excused", Boolean, nullable=False, server_default=false()),
    Column("with_rollout", Boolean, nullable=False, server_default=false()),
    Index("ix_attempts_device_id", "device", "id"),
    Index("ix_attempts_rollout_device", "rollout", "device"),
    Index("ix_attempts_release_state", "release", "state"),
)
Index(
    "ix_attempts_open",
    attempts.c.changed_at,
    sqlite_where=attempts.c.is_open.is_(True),
    postgresql_where=attempts.c.is_open.is_(True),
)

# What a device says on the way; a bounded number of lines.
attempt_lines = Table(
    "attempt_lines",
    metadata,
    Column("attempt", Counted, ForeignKey("attempts.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("line", Text, nullable=False),
)

# Opaque credentials, by their SHA-256: of a device, or of a gateway that speaks for a project's.
credentials = Table(
    "credentials",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("device", String(64), nullable=False),  # "" for a gateway
    Column("project", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("revoked_at", BigInteger),
    Index("ix_credentials_device", "device"),
)

# Codes that a device turns into its credential, by their SHA-256.
claims = Table(
    "claims",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False),
    Column("project", String(64), nullable=False),
    Column("label", String(128), nullable=False),
    Column("uses", Integer, nullable=False),
    Column("uses_max", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("channel", String(32)),
    Column("tags", Text, nullable=False),  # JSON
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("revoked_at", BigInteger),
    Index("ix_claims_digest", "digest", unique=True),
)

# Public keys of devices: those that ask to be let in, and those that were announced before.
device_keys = Table(
    "device_keys",
    metadata,
    Column("fingerprint", String(64), primary_key=True),  # SHA-256 of the key's DER
    Column("project", String(64), nullable=False),
    Column("device", String(64), nullable=False),
    Column("public_key", Text, nullable=False),  # PEM
    Column("state", String(16), nullable=False),
    Column("address", String(64)),
    Column("created_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", String(64)),
    Index("ix_device_keys_device", "device"),
    Index("ix_device_keys_project_state", "project", "state"),
)

# Named keys of people and programs, by their SHA-256.
api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("project", String(64)),  # NULL: all projects
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Index("ix_api_keys_digest", "digest", unique=True),
)
