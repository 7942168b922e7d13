"""Taking turns at reading new files: of all processes one copies an image, not each its own.

A gigabyte read by twelve workers at once would need twelve gigabytes of room for a moment. The
turn is only there to spare the disk: without it everything stays right, so whoever cannot make
a lock, or waits for one that a stopped process holds, reads by himself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ota_http_server.domain.errors import Refusal
from ota_http_server.operations.bounded import Bounded
from ota_http_server.storage.blobs import Blobs
from ota_http_server.storage.files import Look

WAIT_SECONDS_MAX = 1.0  # of one request: images of a board's size are read by then
LOOK_SECONDS = 0.02  # between two tries
PATIENCE_SECONDS = 20.0  # then the other process is taken for stopped, ...
PATIENCE_BYTES_PER_SECOND = 10_000_000  # ... unless a slow disk needs longer for so many bytes
REMEMBERED_MAX = 1_000  # files that somebody waits for


class ReadingTurns:
    """One for each process; the locks lie beside the blobs, which all of them share."""

    def __init__(self, blobs: Blobs, *, monotonic: Callable[[], float]) -> None:
        self._blobs = blobs
        self._monotonic = monotonic
        self._waiting: Bounded[str, tuple[Look, float]] = Bounded(REMEMBERED_MAX)

    @contextmanager
    def turn(self, name: str, look: Look) -> Iterator[bool]:
        """Whether it is ours to read the file that looks so; if so, nobody else's until the end."""
        lock, is_ours = self._lock(name), True
        if lock is not None:
            try:
                lock.acquire(timeout=WAIT_SECONDS_MAX, poll_interval=LOOK_SECONDS)
            except Timeout:
                is_ours = self._waited_enough(name, look)
            except OSError:  # no room for even a lock, or none to be had on this file system
                lock = None
        try:
            yield is_ours
        finally:
            if lock is not None and lock.is_locked:
                self._waiting.forget(name)
                with suppress(OSError):
                    Path(lock.lock_file).unlink()
                lock.release()

    def _lock(self, name: str) -> FileLock | None:
        try:
            return FileLock(self._blobs.lock_path(name), mode=0o600)
        except Refusal:
            return None

    def _waited_enough(self, name: str, look: Look) -> bool:
        now = self._monotonic()
        waiting = self._waiting.get(name)
        if waiting is None or waiting[0] != look:
            waiting = self._waiting.put(name, (look, now))
        return now - waiting[1] > PATIENCE_SECONDS + look.size / PATIENCE_BYTES_PER_SECOND
