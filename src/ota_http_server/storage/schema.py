"""The tables, as SQLAlchemy Core describes them. Alembic's migrations make them; tests compare.

Times are whole seconds since 1970 in UTC unless a name says otherwise. Digests are lower-case
hexadecimal: they are read by people in every listing.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from ota_http_server.storage.fleet_schema import (
    api_keys,
    attempt_lines,
    attempts,
    claims,
    credentials,
    device_keys,
    devices,
    projects,
    release_images,
    releases,
)
from ota_http_server.storage.metadata import Counted, metadata
from ota_http_server.storage.rollout_schema import leases, rollouts, stop_files, stops

__all__ = [
    "api_keys",
    "attempt_lines",
    "attempts",
    "begun",
    "claims",
    "counters",
    "credentials",
    "device_keys",
    "devices",
    "events",
    "files",
    "images",
    "leases",
    "metadata",
    "projects",
    "refusals",
    "release_images",
    "releases",
    "revoked_devices",
    "revoked_tokens",
    "rollouts",
    "secret_tries",
    "stop_files",
    "stops",
]

images = Table(
    "images",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("md5", String(32), nullable=False),
    Column("format", String(32), nullable=False),
    Column("version", String(128)),  # the header's own, if it is one
    Column("project", String(128)),  # the header's own, if it is one
    Column("header", Text, nullable=False),  # JSON: what the header says
    Column("collected_at", BigInteger, nullable=False),
    Column("sha1", String(40), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("chip", String(32)),
    Column("min_chip_revision", Integer),
    Column("max_chip_revision", Integer),
    Column("secure_version", BigInteger),
    Column("hardware", Text, nullable=False),  # JSON: the boards that a bundle names
    Column("base_sha256", String(64)),  # of a patch: the appended digest of what it applies to
    Column("appended_sha256", String(64)),
    Column("elf_sha256", String(64)),
    # A device names what it runs by whichever digest it has.
    Index("ix_images_md5", "md5"),
    Index("ix_images_appended_sha256", "appended_sha256"),
    Index("ix_images_elf_sha256", "elf_sha256"),
)

files = Table(
    "files",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),  # the order of first sight
    Column("project", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("sha256", String(64), ForeignKey("images.sha256"), nullable=False),
    Column("inode", String(20), nullable=False),  # 64 bits without a sign do not fit BIGINT
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("collected_at", BigInteger, nullable=False),
    Index("ix_files_project_name", "project", "name", unique=True),
)

# Which image a credential began under a name, so that a resumed download never mixes two.
begun = Table(
    "begun",
    metadata,
    Column("credential", LargeBinary(32), primary_key=True),
    Column("project", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("modified_at", BigInteger, nullable=False),  # the file's mtime then: Last-Modified
    Column("at_ms", BigInteger, nullable=False),  # milliseconds: the latest one counts
)

# A change of `value` tells every worker of every instance to read something anew.
counters = Table(
    "counters",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("token", String(160), primary_key=True),  # "jti:<id>" or "sha256:<hex>"
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),  # may be forgotten after this
)

revoked_devices = Table(
    "revoked_devices",
    metadata,
    Column("device", String(64), primary_key=True),
    Column("at", BigInteger, nullable=False),  # tokens issued up to this second are dead
)

events = Table(
    "events",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=False),  # 1, 2, 3 … without a gap
    Column("at", BigInteger, nullable=False),
    Column("action", String(32), nullable=False),
    Column("facts", Text, nullable=False),  # canonical JSON, all that the line says
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("journal", String(64), nullable=False),  # which log file owes the line
    Column("written", Boolean, nullable=False),  # the line is in that file
)
# Nearly all are written: finding the few others must not read a million rows.
Index(
    "ix_events_unwritten",
    events.c.journal,
    events.c.id,
    sqlite_where=events.c.written.is_(False),
    postgresql_where=events.c.written.is_(False),
)

# Wrong admin secrets: how often, and until when this network waits.
secret_tries = Table(
    "secret_tries",
    metadata,
    Column("network", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
    Column("blocked_until", BigInteger, nullable=False),
    Column("succeeded_at", BigInteger, nullable=False),
)

# Refused admin requests, gathered by address and minute until they become one event.
refusals = Table(
    "refusals",
    metadata,
    Column("address", String(64), primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
)
