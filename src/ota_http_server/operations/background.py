"""The work between requests: quiet threads in each process, started by the first request.

Threads, because the application is complete under any WSGI server; under gevent they are
greenlets by themselves. Each chore has its own: one that waits for a lock or hashes a gigabyte
keeps no other from its time. Every process does all chores: what two of them find to do is done
by the first, and the second finds it done.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ota_http_server.domain.errors import Refusal
from ota_http_server.logs import logger

LOG = logger("background")

FIRST_SECONDS = 0.2  # the request that starts the threads is answered before they begin to work


@dataclass(frozen=True, slots=True)
class Chore:
    """Something done every so many seconds, counted from the end of the last time."""

    name: str
    every_seconds: float
    work: Callable[[], object]


class Background:
    """Does the chores of this process. A chore that fails is logged and tried again."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = tuple(chores)
        self._pid = 0
        self._starting = threading.Lock()
        self._ended = threading.Event()
        self._stopped = False

    def ensure_started(self) -> None:
        """Starts the threads, once in each process: a fork does not take threads along."""
        if self._pid == os.getpid() or self._stopped:
            return
        with self._starting:
            if self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._ended = threading.Event()
            for chore in self._chores:
                threading.Thread(
                    target=self._run, args=(chore, self._ended), name=chore.name, daemon=True
                ).start()

    def stop(self) -> None:
        """No chore begins after this, whatever is asked."""
        self._stopped = True
        self._ended.set()

    def _run(self, chore: Chore, ended: threading.Event) -> None:
        wait_seconds, told = min(FIRST_SECONDS, chore.every_seconds), ""
        while not ended.wait(wait_seconds) and not self._stopped:
            told = self._do(chore, told)
            wait_seconds = chore.every_seconds

    def _do(self, chore: Chore, told: str) -> str:
        """What keeps it waiting, said once for as long as it stays the same; "" if it was done."""
        try:
            chore.work()
        except Refusal as refusal:
            if refusal.detail != told:
                LOG.warning("%s waits: %s", chore.name, refusal.detail)
            return refusal.detail
        except Exception:  # pylint: disable=broad-exception-caught
            # The thread must outlive a mistake in one chore; the log has the whole of it.
            LOG.exception("%s failed", chore.name)
        return ""
