"""Rollouts, the stop, and who does the work that one instance does for all."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    rollouts()
    what_others_learn()
    op.create_table(
        "stops",
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("downloads", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("project", name="pk_stops"),
    )
    op.create_table(
        "stop_files",
        sa.Column("folder", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("downloads", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("folder", "project", name="pk_stop_files"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("looked_at", sa.BigInteger(), nullable=False),
        sa.Column("steady_since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def rollouts() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", COUNTED, autoincrement=True, nullable=False),
        sa.Column("project", sa.String(length=64), nullable=False),
        sa.Column("release", COUNTED, nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("stage_seconds", sa.BigInteger(), nullable=False),
        sa.Column("first_device", sa.String(length=64)),
        sa.Column("reached_all", sa.Boolean(), nullable=False),
        sa.Column("is_canaried", sa.Boolean(), nullable=False),
        sa.Column("takes_back", sa.BigInteger()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.id"], name="fk_rollouts_release_releases"),
        sa.PrimaryKeyConstraint("id", name="pk_rollouts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rollouts_project_id", "rollouts", ["project", "id"])


def what_others_learn() -> None:
    op.add_column("attempts", sa.Column("rollout", sa.BigInteger()))
    op.add_column(
        "attempts",
        sa.Column("excused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "attempts",
        sa.Column("with_rollout", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_index("ix_attempts_rollout_device", "attempts", ["rollout", "device"])
    op.add_column(
        "releases",
        sa.Column("floor", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "projects",
        sa.Column(
            "spread", sa.String(length=16), server_default=sa.text("'at-once'"), nullable=False
        ),
    )
    op.add_column("projects", sa.Column("downloads_max", sa.Integer()))
    op.add_column("projects", sa.Column("download_bytes_per_second", sa.BigInteger()))
