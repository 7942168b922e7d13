"""The work between requests: one quiet thread in each process, started by the first request.

A thread, because the application is complete under any WSGI server; under gevent it is a
greenlet by itself. Every process does all chores: what two of them find to do is done by the
first, and the second finds it done.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ota_http_server.domain.errors import Refusal
from ota_http_server.logs import logger

LOG = logger("background")


@dataclass(frozen=True, slots=True)
class Chore:
    """Something done every so many seconds."""

    name: str
    every_seconds: float
    work: Callable[[], object]


class Background:
    """Does the chores of this process. A chore that fails is logged and tried again."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = tuple(chores)
        self._pid = 0
        self._ended = threading.Event()
        self._stopped = False

    def ensure_started(self) -> None:
        """Starts the thread, once in each process: a fork does not take threads along."""
        if self._pid != os.getpid() and not self._stopped:
            self._pid = os.getpid()
            self._ended = threading.Event()
            threading.Thread(target=self._run, name="background", daemon=True).start()

    def stop(self) -> None:
        """No chore begins after this, whatever is asked."""
        self._stopped = True
        self._ended.set()

    def _run(self) -> None:
        ended = self._ended
        due = dict.fromkeys(self._chores, 0.0)
        while not ended.wait(min(chore.every_seconds for chore in self._chores)):
            for chore in self._chores:
                if time.monotonic() >= due[chore]:
                    self._do(chore)
                    due[chore] = time.monotonic() + chore.every_seconds

    def _do(self, chore: Chore) -> None:
        try:
            chore.work()
        except Refusal as refusal:
            LOG.warning("%s waits: %s", chore.name, refusal.detail)
        except Exception:  # pylint: disable=broad-exception-caught
            # The thread must outlive a mistake in one chore; the log has the whole of it.
            LOG.exception("%s failed", chore.name)
