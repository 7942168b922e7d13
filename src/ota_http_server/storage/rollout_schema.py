"""The tables of rollouts, of the stop, and of leases. Times are unix seconds."""

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

from ota_http_server.storage.metadata import Counted, metadata

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", Counted, primary_key=True, autoincrement=True),
    Column("project", String(64), nullable=False),
    Column("release", Counted, ForeignKey("releases.id"), nullable=False),
    Column("salt", LargeBinary(16), nullable=False),
    Column("plan", Text, nullable=False),  # JSON: what never changes of it
    Column("state", String(16), nullable=False),
    Column("stage", Integer, nullable=False),
    Column("stage_seconds", BigInteger, nullable=False),
    Column("first_device", String(64)),
    Column("reached_all", Boolean, nullable=False),
    Column("is_canaried", Boolean, nullable=False),
    Column("takes_back", BigInteger),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("edition", Integer, nullable=False),
    Index("ix_rollouts_project_id", "project", "id"),
    sqlite_autoincrement=True,  # a draft takes its rollouts along: no number is given twice
)

# Nothing is offered: of a project, or "" for all of them.
stops = Table(
    "stops",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("downloads", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("by", String(64), nullable=False),
)

# What the audit was told of the stop files in the data folder of one host.
stop_files = Table(
    "stop_files",
    metadata,
    Column("folder", String(64), primary_key=True),
    Column("project", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("downloads", Boolean, nullable=False),
)

# Work that one process does for all of them.
leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("looked_at", BigInteger, nullable=False),
    Column("steady_since", BigInteger, nullable=False),  # no gap and no step of the clock since
)
