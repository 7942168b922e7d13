"""Which requests are logged: at most one line each, and not without end.

Strangers can be refused thousands of times a second. Beyond some lines a second the rest is
counted and told of in one line, so that a flood fills no disk.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from ota_http_server.http.line_pace import LinePace
from ota_http_server.logs import logger, say

LOG = logger("request")

REFUSALS_A_SECOND_MAX = 20  # of one process: enough to see what happens
PATH_CHARACTERS_MAX = 200
ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


class RequestLog:
    """One for each process. `mode` is `off`, `refusals` or `all`."""

    def __init__(self, mode: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._answers = mode == "all"
        self._refusals = mode != "off"
        self._pace = LinePace(REFUSALS_A_SECOND_MAX, monotonic=monotonic)

    def answered(self, environ: dict[str, Any], address: str, status: int) -> None:
        if self._answers:
            _line("request", environ, address, status, None)

    def refused(self, environ: dict[str, Any], address: str, status: int, reason: str) -> None:
        if self._refusals and self._pace.allows():
            _line("refused", environ, address, status, reason)

    def tell_of_the_rest(self) -> None:
        """Logs how many refusals had no line; called by the background."""
        if left_out := self._pace.left_out():
            say(LOG, logging.WARNING, "more requests were refused", count=left_out)


def _line(
    event: str, environ: dict[str, Any], address: str, status: int, reason: str | None
) -> None:
    say(
        LOG,
        logging.INFO,
        event,
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "")[:PATH_CHARACTERS_MAX],
        status=status,
        ip=address,
        reason=reason,
        id=_id_of(environ),
    )


def _id_of(environ: dict[str, Any]) -> str:
    """The proxy's or the client's own id of the request, so that its logs and ours meet."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if ID_PATTERN.match(given) else secrets.token_hex(6)
