"""Who sends the bytes of an image, and what became of them.

A download in a hundred ranges is one download: what arrives of one image at one address is
summed up and logged once, when it is complete or when nothing came for a minute. A board in a
loop, or one with a tiny image, could fill the disk all the same: beyond some lines a second the
rest is counted and told of in one line.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from ota_http_server.http.exchange import FilePart
from ota_http_server.http.line_pace import LinePace
from ota_http_server.http.pace import Flow
from ota_http_server.logs import logger, say

LOG = logger("download")

CUT_SECONDS = 60.0  # nothing for so long: the board gave up, or will begin anew
LINES_A_SECOND_MAX = 20  # of one process: more than a million downloads a day
RUNNING_MAX = 20_000  # downloads watched at a time, some 300 bytes each


class Connection(Protocol):
    """What our own server puts into the environ."""

    credentialed: bool
    on_transfer: Callable[[int, bool], None] | None
    flow: Flow | None

    def rest(self, seconds: float, /) -> None: ...


class Heard(Protocol):
    """Whoever wants to know what became of a device's download."""

    def __call__(self, device: str, sha256: str, sent_bytes: int, /, *, whole: bool) -> None: ...


@dataclass(slots=True)
class _Running:
    began: float
    last: float
    address: str
    device: str
    sent_bytes: int = 0
    reached: int = 0
    """All bytes before this one went out. Of bytes that go out twice, because the line broke and
    the board began anew, no image becomes whole."""
    size: int = 0


class Transfers:
    """One for each process. `mode` is `direct`, `x-sendfile` or `x-accel-redirect`."""

    _judged_by_us = frozenset({"HTTP_RANGE", "HTTP_IF_MATCH", "HTTP_IF_UNMODIFIED_SINCE"})

    def __init__(
        self,
        mode: str = "direct",
        prefix: str = "/_blobs",
        *,
        monotonic: Callable[[], float] = time.monotonic,
        heard: "Heard | None" = None,
    ) -> None:
        self._mode = mode
        self._prefix = prefix.rstrip("/")
        self._monotonic = monotonic
        self._heard = heard
        self._running: dict[tuple[str, str], _Running] = {}
        self._turn = Lock()
        self._pace = LinePace(LINES_A_SECOND_MAX, monotonic=monotonic)

    def by_proxy(self, part: FilePart, environ: dict[str, Any]) -> tuple[str, str] | None:
        """The header that lets the proxy send a whole file; None if we send it ourselves.

        A request with a Range or a precondition is always ours: the proxy would apply it a second
        time, to a file whose ETag it does not know.
        """
        if self._mode == "direct" or not self._judged_by_us.isdisjoint(environ):
            return None
        if self._mode == "x-sendfile":
            return "X-Sendfile", str(part.path.absolute())
        return "X-Accel-Redirect", f"{self._prefix}/{part.path.parent.name}/{part.path.name}"

    def watch(self, connection: Connection, part: FilePart, address: str, device: str = "") -> None:
        """Asks the connection to tell how much of this part was sent to this caller.

        `device` is whose download it is, "" where that is not known.
        """

        def transferred(sent_bytes: int, _complete: bool) -> None:
            whole = self._add(part, sent_bytes, address, device)
            if device and self._heard is not None:
                self._heard(device, part.path.name, sent_bytes, whole=whole)

        connection.on_transfer = transferred

    def _add(self, part: FilePart, sent_bytes: int, address: str, device: str) -> bool:
        """Whether all of the image has gone out by now."""
        now, path = self._monotonic(), part.path
        key = (device or address, path.name)
        with self._turn:
            running = self._running.get(key)
            if running is None:
                if len(self._running) >= RUNNING_MAX:
                    return False
                running = self._running[key] = _Running(now, now, address, device, size=_size(path))
            running.last = now
            running.sent_bytes += sent_bytes
            if part.start <= running.reached:
                running.reached = max(running.reached, part.start + sent_bytes)
            if running.reached < running.size:
                return False
            del self._running[key]
        self._log("download finished", key, running)
        return True

    def log_the_silent(self) -> None:
        """Logs downloads of which nothing came for a while, and how many had no line of their own.

        Called by the background.
        """
        now = self._monotonic()
        with self._turn:
            silent = {k: r for k, r in self._running.items() if now - r.last > CUT_SECONDS}
            for key in silent:
                del self._running[key]
        for key, running in silent.items():
            self._log("download stopped", key, running)
        if left_out := self._pace.left_out():
            say(LOG, logging.INFO, "more downloads ended", count=left_out)

    def _log(self, event: str, key: tuple[str, str], running: _Running) -> None:
        if not self._pace.allows():
            return
        # Until the kernel had the last byte: the end of a small image may still be on its way.
        seconds = max(running.last - running.began, 0.001)
        say(
            LOG,
            logging.INFO,
            event,
            ip=running.address,
            device=running.device or None,
            sha256=key[1][:16],
            bytes=running.sent_bytes,
            of=running.size,
            seconds=round(seconds, 2),
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
