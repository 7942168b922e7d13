"""The database: reading and writing transactions that carry their moment.

SQLite is the embedded default and PostgreSQL the same code. Three rules hold for both:

- A write begins IMMEDIATE on SQLite, so that a transaction which reads first and writes later
  cannot lose its update to another process.
- `change` runs a whole writing transaction through `run`: under gevent that is one thread of
  its own, because a greenlet that yields while it holds the write lock would freeze its worker.
- Events added in a transaction go to the journal after its commit, and nobody can forget it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from ota_http_server.domain.errors import DiskFull, Misconfigured, Unavailable
from ota_http_server.storage.transaction import Journal, Reading, Writing

T = TypeVar("T")
Clock = Callable[[], datetime]
Run = Callable[[Callable[[], Any]], Any]

BUSY_MILLISECONDS_MAX = 5_000  # another instance may hold the write lock; then give up with 503
CONNECT_SECONDS_MAX = 5  # PostgreSQL: a dead host must not hang a request for minutes


def now_utc() -> datetime:
    return datetime.now(UTC)


def run_here(work: Callable[[], T]) -> T:
    """Runs the work at once, in the calling thread."""
    return work()


class Database:
    """A place for rows. `url` is an SQLAlchemy URL; the schema is made by `migrations`."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock = now_utc,
        run: Run = run_here,
        journal: Journal | None = None,
    ) -> None:
        self.clock = clock
        self._run = run
        self._journal = journal
        self._turn = Lock()
        self._readers = engine_for(url, begin="BEGIN")
        self._writer = engine_for(url, begin="BEGIN IMMEDIATE")

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A consistent view of the rows; nothing in it may change them."""
        with translated(), self._readers.connect() as connection, connection.begin():
            yield Reading(connection, self.clock())

    def change(self, work: Callable[[Writing], T]) -> T:
        """Runs `work` in a writing transaction, commits, and writes the audit lines it owes.

        Raises `Unavailable` when the database is away or locked for too long and `DiskFull`
        when there is no room; in both cases nothing of the change was kept.
        """
        result: T = self._run(lambda: self._changed(work))
        return result

    def _changed(self, work: Callable[[Writing], T]) -> T:
        with self._turn:
            with translated(), self._writer.connect() as connection, connection.begin():
                tx = Writing(connection, self.clock(), self._journal)
                result = work(tx)
            if self._journal is not None and tx.events.added:
                self._journal.committed(tx.events.added)
            return result

    def close(self) -> None:
        self._readers.dispose()
        self._writer.dispose()


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{quote(str(path))}"  # a folder may be called 100%


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
    waits = {"options": f"-c lock_timeout={BUSY_MILLISECONDS_MAX}"}
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg").update_query_dict({**waits, **url.query}),
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_SECONDS_MAX},
        )
    except ImportError:
        raise Misconfigured(
            "database_url names PostgreSQL, whose driver is not installed:"
            " pip install 'ota_http_server[postgresql]'"
        ) from None


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver must not open transactions of its own
    for pragma in (
        "journal_mode = WAL",  # readers never wait for the writer
        "synchronous = FULL",  # what was acknowledged survives a power cut
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_MILLISECONDS_MAX}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


@contextmanager
def translated() -> Iterator[None]:
    """The driver's failures in the words of the domain; mistakes of ours pass unchanged."""
    try:
        yield
    except NoConnectionFree as error:
        raise Unavailable("the database is busy") from error
    except DBAPIError as error:
        text = str(error.orig).lower()
        if "full" in text or "no space" in text:
            raise DiskFull("the disk of the database is full") from error
        if isinstance(error, OperationalError) or error.connection_invalidated:
            raise Unavailable("the database does not answer") from error
        raise
