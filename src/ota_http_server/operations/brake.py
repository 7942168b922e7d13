"""The brake: whether anything is offered at all, of everything or of a project.

Two things stop: a row, which every instance learns of within two seconds; and a file `STOP` (of a
project: `STOP.lamp`) in the data folder, which works while the database is away. Either alone is
enough, and only a person takes it away.
"""

import time
from collections.abc import Callable
from pathlib import Path

from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.reach import Stop
from ota_http_server.operations.news import News
from ota_http_server.operations.stop_files import (
    FILE_NAME,
    Stops,
    place_of,
    stops_by_file,
)
from ota_http_server.storage.counters import STOPS
from ota_http_server.storage.database import Database
from ota_http_server.storage.stops import EVERYTHING
from ota_http_server.storage.transaction import Reading

LOOK_SECONDS = 0.5
LATE_SECONDS = 1.0  # after that long without a look, the request looks


class Brake:
    """One for each process."""

    def __init__(
        self,
        database: Database,
        news: News,
        folder: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._news = news
        self.folder = folder
        self._monotonic = monotonic
        self._rows: tuple[int, Stops] = (-1, {})
        self._files: Stops = {}
        self._looked_at = float("-inf")

    def of(self, project: str) -> Stop | None:
        """Whether something stops this project. On the hot path."""
        if self._monotonic() - self._looked_at >= LATE_SECONDS:
            self.look()
        self._learn_news()
        return self._found(project, self._rows[1])

    def exactly(self, rows: Reading, project: str) -> Stop | None:
        """The same from the rows, in a transaction that opens an attempt."""
        count = rows.counters.get(STOPS)
        known = self._rows[1] if count == self._rows[0] else _read(rows)
        return self._found(project, known)

    def look(self) -> None:
        """Looks for stop files; also by whoever made or removed one."""
        self._looked_at = self._monotonic()
        try:
            self._files = stops_by_file(self.folder)
        except OSError:
            pass  # what was known goes on

    def refresh(self) -> None:
        """By the chore: who has learnt of a stop keeps to it when the database goes away."""
        self.look()
        self._learn_news()

    def standing(self) -> tuple[Stops, Stops]:
        """What stops by a row, and what by a file; rows as known, while the database is away."""
        self.look()
        try:
            with self._database.reading() as rows:
                return _read(rows), self._files
        except Unavailable:
            return self._rows[1], self._files

    @property
    def by_files(self) -> Stops:
        """What stops by a file, as last looked at."""
        return self._files

    def _found(self, project: str, rows: Stops) -> Stop | None:
        # Nearly always there is none.
        if not rows and not self._files:
            return None
        file_place = place_of(f"{FILE_NAME}.{project}")
        found = [
            stops[which]
            for stops, place in ((rows, project), (self._files, file_place))
            for which in (EVERYTHING, place)
            if which in stops
        ]
        return max(found, key=lambda stop: stop.downloads, default=None)

    def _learn_news(self) -> None:
        count = self._news.of(STOPS)
        if count == self._rows[0]:
            return
        try:
            with self._database.reading() as rows:
                self._rows = (count, _read(rows))
        except Unavailable:
            pass  # what was known goes on


def _read(rows: Reading) -> Stops:
    return {row.project: Stop(row.reason, row.downloads) for row in rows.stops.all()}
