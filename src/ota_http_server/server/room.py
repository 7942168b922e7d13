"""What the connections of one worker share: the application, the limits, the clock's hand."""

import logging
import sys
from collections.abc import Callable
from email.utils import formatdate
from time import monotonic, time
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from ota_http_server.server.answer import FileWrapper
from ota_http_server.server.options import ServerOptions, WsgiApp

if TYPE_CHECKING:
    from ota_http_server.server.connection import Connection

SWEEP_SECONDS_MAX = 0.25
"""How late a deadline may be noticed."""

logger = logging.getLogger("ota_http_server.server")


class Room:
    """Every open connection is in `connections`; `emptied` is set while there is none."""

    def __init__(self, app: WsgiApp, options: ServerOptions, *, tls: bool) -> None:
        self.app = app
        self.options = options
        self.connections: set[Connection] = set()
        self.emptied = Event()
        self.emptied.set()
        self.stopping = False
        self.environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if tls else "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": options.workers > 1,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "SCRIPT_NAME": "",
            "SERVER_NAME": options.host,
            "SERVER_PORT": str(options.port),
        }
        if tls:
            self.environ["HTTPS"] = "on"
        self._date_second = 0
        self._date = ""

    def date(self) -> str:
        """The Date field of this second (RFC 9110 §6.6.1)."""
        now = int(time())
        if now != self._date_second:
            self._date_second = now
            self._date = formatdate(now, usegmt=True)
        return self._date

    def enter(self, connection: "Connection") -> None:
        self.connections.add(connection)
        self.emptied.clear()

    def leave(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        if not self.connections:
            self.emptied.set()

    def sweep(self, also: Callable[[float], None]) -> None:
        """Forever: break off what is past its deadline. `also` hears the time each round."""
        limits = self.options
        shortest = min(
            limits.header_seconds_max,
            limits.handshake_seconds_max,
            limits.body_seconds_max,
            limits.keep_alive_seconds,
            limits.send_stall_seconds_max,
        )
        while True:
            gevent.sleep(min(SWEEP_SECONDS_MAX, shortest / 4))
            now = monotonic()
            for connection in [c for c in self.connections if c.wire.deadline < now]:
                try:
                    connection.expire()
                except OSError:
                    pass  # it ended by itself
            also(now)
