"""Whether the file that SQLite has open is still the one that lies at its path.

Where a data folder was removed, or a backup was put in its place, open connections go on with a
file that nobody will ever find again: what they commit is lost, though it was acknowledged.
"""

import sqlite3
from pathlib import Path

from ota_http_server.domain.errors import Unavailable


class SameFile:
    """The database file as this process found it first. `None` stands for no file at all."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._first: tuple[int, int] | None = None

    def check_whole(self) -> None:
        """Raises `Unavailable` if a fresh look finds that it is no database.

        Open connections go on with the pages that they remember, and would notice much later. A
        file that is not there is not made; `check` tells of it.
        """
        if self._path is None:
            return
        there = f"{self._path.absolute().as_uri()}?mode=rw"
        try:
            # By SQLite itself: closing a descriptor of our own would drop its locks (fcntl(2)).
            fresh = sqlite3.connect(there, timeout=0, uri=True)
            try:
                fresh.execute("PRAGMA schema_version").fetchone()
            finally:
                fresh.close()
        except sqlite3.OperationalError:
            pass  # it is locked, or away: who reads it says so
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"the database is damaged: {error}") from error

    def check(self) -> None:
        """Raises `Unavailable` if the file is gone or another one lies there. Costs one stat.

        SQLite is never asked to open what is missing: it would make an empty database.
        """
        if self._path is None:
            return
        try:
            about = self._path.stat()
        except OSError as error:
            raise Unavailable(f"the database file is gone: {error.strerror}") from error
        found = (about.st_dev, about.st_ino)
        if self._first is None:
            self._first = found
        elif self._first != found:
            raise Unavailable("the database file was replaced: restart the server to use it")
