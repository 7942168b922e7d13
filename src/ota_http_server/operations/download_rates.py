"""The rates of projects' downloads, in memory: which projects have one, and how many bytes."""

from collections.abc import Mapping

from ota_http_server.domain.errors import Unavailable
from ota_http_server.operations.news import News
from ota_http_server.storage.counters import CATALOG
from ota_http_server.storage.database import Database


class DownloadRates:
    """One for each process."""

    def __init__(self, database: Database, news: News) -> None:
        self._database = database
        self._news = news
        self._known: tuple[int, Mapping[str, int]] = (-1, {})

    def __call__(self) -> Mapping[str, int]:
        """By project; a second old at most, older while the database is away."""
        count = self._news.of(CATALOG)
        if count != self._known[0]:
            try:
                with self._database.reading() as rows:
                    self._known = (count, rows.projects.download_rates())
            except Unavailable:
                pass  # what was known goes on
        return self._known[1]
