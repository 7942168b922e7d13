"""News: what other processes changed, learnt by one cheap query every half second.

Whoever remembers rows asks for the counter that covers them; a number that moved says that the
memory is old. Where no chore ran for too long, the request asks; while the database is away, what
is remembered stays.
"""

import time
from collections.abc import Callable
from threading import Lock

from ota_http_server.domain.errors import Refusal
from ota_http_server.storage.database import Database

REFRESH_SECONDS = 0.5
LATE_SECONDS = 1.2  # after that long without an answer or a failure, a request asks
FRESH_SECONDS = 0.05  # what strangers show makes a process ask twenty times a second at most


class News:
    """One for each process."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._turn = Lock()
        self._asked_at = float("-inf")
        self._counters: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The counter's value, a second old at most; on the hot path."""
        return self._no_older(LATE_SECONDS, name)

    def fresh(self, name: str) -> int:
        """The counter's value now, or nearly: for what is unknown here and may be new."""
        return self._no_older(FRESH_SECONDS, name)

    def _no_older(self, seconds: float, name: str) -> int:
        # pylint: disable-next=consider-using-with  # `with` cannot go on where it is taken
        if self._monotonic() - self._asked_at >= seconds and self._turn.acquire(False):
            try:
                self._ask()
            finally:
                self._turn.release()
        return self._counters.get(name, 0)

    def refresh(self) -> None:
        """Asks now: by the chore, and by whoever changed something and goes on in this process."""
        with self._turn:
            self._ask()

    def _ask(self) -> None:
        try:
            with self._database.reading() as rows:
                self._counters = rows.counters.all()
        except Refusal:
            pass  # the verifier's own refresh tells of it; what is known goes on
        finally:
            self._asked_at = self._monotonic()
