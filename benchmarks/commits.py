"""Counts the commits that anybody makes to a server's SQLite file while it is under load.

`PRAGMA data_version` changes for a connection whenever another one has committed (SQLite's manual).
It is asked every few milliseconds, so what is committed between two questions counts once: a server
that wrote at each request would be seen to commit at every one of them.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

ASK_SECONDS = 0.005


class Commits:
    """What was seen so far."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def counted(database: Path) -> Iterator[Commits]:
    """Watches inside the block."""
    commits, over = Commits(), threading.Event()
    with closing(sqlite3.connect(database, check_same_thread=False)) as connection:
        watch = threading.Thread(target=_watch, args=(connection, commits, over))
        watch.start()
        try:
            yield commits
        finally:
            over.set()
            watch.join()


def _watch(connection: sqlite3.Connection, commits: Commits, over: threading.Event) -> None:
    known = _version(connection)
    while True:
        is_last = over.wait(ASK_SECONDS)
        if (version := _version(connection)) != known:
            commits.count += 1
            known = version
        if is_last:
            return


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
