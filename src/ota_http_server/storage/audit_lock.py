"""The one lock under which lines are written and the head moves on, over all processes.

A process that holds it may be stopped (a paused machine, ^Z) or its disk may hang. A line can
wait for that; a revocation that waits behind the line must not. So the wait is short, and after
one in vain nobody waits again until the lock was free once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ota_http_server.logs import logger

LOG = logger("audit")

# A line takes milliseconds. Two seconds are promised for a revocation: one wait before it and the
# half second in which the others notice it must fit with room.
LOCK_SECONDS_MAX = 0.5
POLL_SECONDS = 0.005


class Held(Exception):
    """Another process holds the lock and does not let go."""


class AuditLock:
    """One object for each process; it remembers whether the last wait was in vain."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._in_vain = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises `Held`, or `OSError` where the lock file cannot be made."""
        seconds_max = 0.0 if self._in_vain else LOCK_SECONDS_MAX
        lock = FileLock(self._path, timeout=seconds_max, poll_interval=POLL_SECONDS, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            if not self._in_vain:
                LOG.error("%s is held by another process: audit lines wait for it", self._path)
            self._in_vain = True
            raise Held from None
        try:
            if self._in_vain:
                LOG.info("%s is free again", self._path)
            self._in_vain = False
            yield
        finally:
            lock.release()
