"""The database: reading and writing transactions that carry their moment.

SQLite is the embedded default and PostgreSQL the same code. Three rules hold for both:

- A write begins IMMEDIATE on SQLite, so that a transaction which reads first and writes later
  cannot lose its update to another process.
- `change` runs a whole writing transaction through `run`: under gevent that is one thread of
  its own, because a greenlet that yields while it holds the write lock would freeze its worker.
- Events added in a transaction go to the journal after its commit, and nobody can forget it.

While probes find that the database does not answer, everybody else is refused at once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.storage.counters import gathering, move_gathered
from ota_http_server.storage.engines import engine_for, sqlite_file
from ota_http_server.storage.events import Event
from ota_http_server.storage.failures import in_our_words, is_worth_a_second_try
from ota_http_server.storage.pulse import Pulse
from ota_http_server.storage.same_file import SameFile
from ota_http_server.storage.transaction import Journal, Reading, Writing

T = TypeVar("T")
Clock = Callable[[], datetime]
Run = Callable[[Callable[[], Any]], Any]


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
        self._pulse = Pulse()
        self._file = SameFile(sqlite_file(url))
        self._readers = engine_for(url, begin="BEGIN")
        self._writer = engine_for(url, begin="BEGIN IMMEDIATE")

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A consistent view of the rows; nothing in it may change them."""
        self._pulse.check()
        with self._read() as rows:
            yield rows

    @contextmanager
    def probing(self) -> Iterator[Reading]:
        """`reading` for the one who asks again and again whether the database answers."""
        with self._pulse.felt():
            self._file.check_whole()
            with self._read() as rows:
                yield rows

    @contextmanager
    def _read(self) -> Iterator[Reading]:
        self._file.check()
        try:
            with in_our_words(), self._readers.connect() as connection, connection.begin():
                yield Reading(connection, self.clock())
        except DiskFull as full:
            # A reader keeps nothing: what it cannot read is away, and what is known goes on.
            raise Unavailable(full.detail) from full

    def change(self, work: Callable[[Writing], T]) -> T:
        """Runs `work` in a writing transaction, commits, and writes the audit lines it owes.

        `work` may run twice: PostgreSQL takes everything back when two changes wait for each
        other, or one removed what the other refers to. Raises `Unavailable` when the database is
        away or locked for too long and `DiskFull` when there is no room; in both cases nothing of
        the change was kept.
        """
        self._pulse.check()
        result: T = self._run(lambda: self._changed(work))
        return result

    def between_changes(self, work: Callable[[], object]) -> None:
        """Runs `work` where changes run, and never beside one."""

        def alone() -> None:
            with self._turn:
                work()

        self._run(alone)

    def _changed(self, work: Callable[[Writing], T]) -> T:
        with self._turn:
            try:
                result, added = self._committed(work)
            except (Unavailable, IntegrityError) as failure:
                if not is_worth_a_second_try(failure):
                    raise
                result, added = self._committed(work)
            if self._journal is not None and added:
                self._journal.committed(added)
            return result

    def _committed(self, work: Callable[[Writing], T]) -> tuple[T, list[Event]]:
        self._file.check()
        with in_our_words(), self._writer.connect() as connection, connection.begin():
            tx = Writing(gathering(connection), self.clock(), self._journal)
            result = work(tx)
            move_gathered(connection)
            return result, tx.events.added

    def close(self) -> None:
        self._readers.dispose()
        self._writer.dispose()
