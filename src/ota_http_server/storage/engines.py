"""Connections: how SQLite and PostgreSQL are opened, and how long anything may take there."""

import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.storage.failures import primary_code

BUSY_MILLISECONDS_MAX = 5_000  # another instance may hold the write lock; then give up with 503

SWITCHING_SECONDS = 0.01  # between two looks whether another one has switched the file

# PostgreSQL. A host that is silent must not hang a request for minutes; `Pulse` does the rest.
CONNECT_SECONDS_MAX = 5
STATEMENT_MILLISECONDS_MAX = 10_000  # ours take milliseconds
SILENCE_MILLISECONDS_MAX = 5_000  # what was sent must be acknowledged by then (tcp(7))
CONNECTION_SECONDS_MAX = 5  # 15 at once may read; who finds none free waits so long


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{quote(str(path))}"  # a folder may be called 100%


def sqlite_file(url: str) -> Path | None:
    """Where the rows lie, if SQLite keeps them in a file."""
    parsed = parsed_url(url)
    name = parsed.database
    if parsed.get_backend_name() != "sqlite" or not name or name.startswith((":", "file:")):
        return None
    return Path(name)


def parsed_url(url: str) -> URL:
    """The URL in its parts, or `Misconfigured`."""
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # SQLAlchemy's own message may quote the URL, and with it a password.
        raise Misconfigured("database_url is no database URL (dialect://…)") from None


def engine_for(url: str, begin: str) -> Engine:
    """Connections to the database; `begin` is how SQLite opens their transactions."""
    parsed = parsed_url(url)
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return _postgresql(parsed)
    if kind != "sqlite":
        raise Misconfigured(f"database_url names {kind}; sqlite and postgresql work")
    engine = create_engine(parsed, connect_args={"timeout": BUSY_MILLISECONDS_MAX / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _postgresql(url: URL) -> Engine:
    limits = {
        "options": f"-c lock_timeout={BUSY_MILLISECONDS_MAX}"
        f" -c statement_timeout={STATEMENT_MILLISECONDS_MAX}",
        "connect_timeout": str(CONNECT_SECONDS_MAX),
        "tcp_user_timeout": str(SILENCE_MILLISECONDS_MAX),
        # A silent host is noticed while an answer is awaited, too: after 5 + 3 × 2 seconds.
        "keepalives_idle": "5",
        "keepalives_interval": "2",
        "keepalives_count": "3",
    }
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg").update_query_dict({**limits, **url.query}),
            pool_pre_ping=True,
            pool_timeout=CONNECTION_SECONDS_MAX,
        )
    except ImportError:
        raise Misconfigured(
            "database_url names PostgreSQL, whose driver is not installed:"
            " pip install 'ota_http_server[postgresql]'"
        ) from None


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not open transactions of its own
    _write_ahead(connection)
    for pragma in (
        "synchronous = FULL",  # what was acknowledged survives a power cut
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_MILLISECONDS_MAX}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """With a write-ahead log readers never wait for the writer.

    Of two who switch a new file to it at once, SQLite refuses one without waiting for the other.
    """
    until = time.monotonic() + BUSY_MILLISECONDS_MAX / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            is_busy = primary_code(error) == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() >= until:
                raise
        time.sleep(SWITCHING_SECONDS)
