"""Projects, releases, devices and their attempts, credentials, claims and keys.

Images learn what their bytes say beyond the header: every file is read once more for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    what_images_are()
    projects_and_releases()
    devices_and_attempts()
    who_may_come_in()


def what_images_are() -> None:
    op.add_column(
        "images",
        sa.Column("sha1", sa.String(length=40), server_default=sa.text("''"), nullable=False),
    )
    op.add_column(
        "images",
        sa.Column("kind", sa.String(length=32), server_default=sa.text("'opaque'"), nullable=False),
    )
    op.add_column("images", sa.Column("chip", sa.String(length=32)))
    op.add_column("images", sa.Column("min_chip_revision", sa.Integer()))
    op.add_column("images", sa.Column("max_chip_revision", sa.Integer()))
    op.add_column("images", sa.Column("secure_version", sa.BigInteger()))
    op.add_column(
        "images", sa.Column("hardware", sa.Text(), server_default=sa.text("'[]'"), nullable=False)
    )
    op.add_column("images", sa.Column("base_sha256", sa.String(length=64)))
    op.add_column("images", sa.Column("appended_sha256", sa.String(length=64)))
    op.add_column("images", sa.Column("elf_sha256", sa.String(length=64)))
    op.create_index("ix_images_appended_sha256", "images", ["appended_sha256"])
    op.create_index("ix_images_elf_sha256", "images", ["elf_sha256"])
    op.create_index("ix_images_md5", "images", ["md5"])
    # Such an inode is none that a file has: the next look reads it anew, under its old number.
    op.execute("UPDATE files SET inode = '0'")


def projects_and_releases() -> None:
    op.create_table(
        "projects",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("folder", sa.String(length=16), nullable=False),
        sa.Column("chip", sa.String(length=32)),
        sa.Column("revision", sa.Integer()),
        sa.Column("unknown_version", sa.String(length=16), nullable=False),
        sa.Column("registering", sa.String(length=16), nullable=False),
        sa.Column("accepts_keys", sa.Boolean(), nullable=False),
        sa.Column("tag_channels", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_projects"),
    )
    op.create_table(
        "releases",
        sa.Column("id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("identity", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("min_from", sa.String(length=64)),
        sa.Column("security", sa.Boolean(), nullable=False),
        sa.Column("forced", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger()),
        sa.Column("withdrawn_at", sa.BigInteger()),
        sa.Column("withdrawn_by", sa.String(length=64)),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
    )
    op.create_index(
        "ix_releases_project_identity", "releases", ["project", "identity"], unique=True
    )
    op.create_table(
        "release_images",
        sa.Column("release", COUNTED, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("part", sa.String(length=32), nullable=False),
        sa.Column("chip", sa.String(length=32)),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["release"], ["releases.id"], name="fk_release_images_release_releases"
        ),
        sa.ForeignKeyConstraint(
            ["sha256"], ["images.sha256"], name="fk_release_images_sha256_images"
        ),
        sa.PrimaryKeyConstraint("release", "name", name="pk_release_images"),
    )
    op.create_index("ix_release_images_sha256", "release_images", ["sha256"])


def devices_and_attempts() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("chip", sa.String(length=32)),
        sa.Column("revision", sa.Integer()),
        sa.Column("revision_min", sa.Integer()),
        sa.Column("board", sa.String(length=64)),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=32)),
        sa.Column("version", sa.String(length=128)),
        sa.Column("version_from", sa.String(length=16)),
        sa.Column("image_sha256", sa.String(length=64)),
        sa.Column("running_since", sa.BigInteger()),
        sa.Column("secure_version", sa.BigInteger()),
        sa.Column("free_bytes", sa.BigInteger()),
        sa.Column("last_seen", sa.BigInteger()),
        sa.Column("address", sa.String(length=64)),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("pinned", sa.String(length=64)),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("attributes_wanted", sa.Boolean(), nullable=False),
        sa.Column("wiped_after", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
    )
    op.create_index("ix_devices_project_id", "devices", ["project", "id"])
    op.create_table(
        "attempts",
        sa.Column("id", COUNTED, autoincrement=False, nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("release", COUNTED, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("image_name", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("from_version", sa.String(length=128)),
        sa.Column("from_sha256", sa.String(length=64)),
        sa.Column("offered_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("downloaded_at", sa.BigInteger()),
        sa.Column("installed_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.Column("sent_bytes", sa.BigInteger(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.id"], name="fk_attempts_release_releases"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_device_id", "attempts", ["device", "id"])
    op.create_index(
        "ix_attempts_open",
        "attempts",
        ["changed_at"],
        sqlite_where=sa.text("is_open IS 1"),
        postgresql_where=sa.text("is_open IS true"),
    )
    op.create_index("ix_attempts_release_state", "attempts", ["release", "state"])
    op.create_table(
        "attempt_lines",
        sa.Column("attempt", COUNTED, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt"], ["attempts.id"], name="fk_attempt_lines_attempt_attempts"
        ),
        sa.PrimaryKeyConstraint("attempt", "number", name="pk_attempt_lines"),
    )


def who_may_come_in() -> None:
    op.create_table(
        "api_keys",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("project", sa.String(length=64)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_digest", "api_keys", ["digest"], unique=True)
    op.create_table(
        "claims",
        sa.Column("id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("uses_max", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=32)),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
    )
    op.create_index("ix_claims_digest", "claims", ["digest"], unique=True)
    op.create_table(
        "credentials",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("digest", name="pk_credentials"),
    )
    op.create_index("ix_credentials_device", "credentials", ["device"])
    op.create_table(
        "device_keys",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("address", sa.String(length=64)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("decided_by", sa.String(length=64)),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_device_keys"),
    )
    op.create_index("ix_device_keys_device", "device_keys", ["device"])
    op.create_index("ix_device_keys_project_state", "device_keys", ["project", "state"])
