"""One worker process: runs the application, says that it lives, leaves politely."""

import logging
import os
import signal
import sys
from time import monotonic
from types import FrameType
from typing import Any

import gevent
from gevent import get_hub, hub
from gevent.event import Event
from gunicorn.workers import base

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.server.accepting import Acceptor
from ota_http_server.server.options import Process
from ota_http_server.server.reception import Reception
from ota_http_server.server.room import Room
from ota_http_server.server.stopping import HANDSHAKES_UNDER_WAY_SECONDS, Stage
from ota_http_server.server.threads import on_threads, one_by_one

logger = logging.getLogger("ota_http_server.server")

HEARTBEAT_SECONDS = 1.0
STAGE_SECONDS = 0.02
"""How often a stopping worker looks whether the starting process has gone on."""
DEPARTURE_SECONDS = 0.2
"""How often it then looks whether the stop takes too long."""
BLOCKING_THREADS = 8
"""Image reading and hashing; more would only contend for the interpreter and the disk."""


class Worker(base.Worker):  # type: ignore[misc]
    """gunicorn starts, counts and watches it; the connections are ours."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._shared = self.app.shared
        self.wsgi: Any = None
        self._stop_asked = Event()
        self._end_asked = False
        self._reload_asked = False

    def init_process(self) -> None:
        hub.reinit(get_hub())  # the fork left us the event loop of the starting process
        super().init_process()

    def init_signals(self) -> None:
        for number in (signal.SIGQUIT, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGHUP, self._reload)
        signal.signal(signal.SIGABRT, self.handle_abort)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def load_wsgi(self) -> None:
        """Make the application, which may use the threads from the start."""
        process = Process(
            stopping=self._stop_asked.is_set,
            in_thread=on_threads(BLOCKING_THREADS),
            in_writer=one_by_one(),
            processes=self._shared.options.workers,
        )
        try:
            self.wsgi = self._shared.make_app(process)
        except Misconfigured as error:
            logger.error("%s", error)
            sys.exit(3)  # gunicorn's sign for "the next worker would not start either"

    def run(self) -> None:
        options = self._shared.options
        room = Room(self.wsgi, options, tls=self._shared.certificate is not None)
        reception = Reception(room, self._shared.certificate)
        acceptor = Acceptor(self.sockets[0], reception.arrived, reception.has_room)
        self._shared.stage.note_serving()
        while not self._stop_asked.wait(HEARTBEAT_SECONDS):
            self._beat()
        begun = monotonic()
        room.stopping = True
        for connection in list(room.connections):
            connection.end_idleness_soon()
        self._await_silence(begun)
        acceptor.close()
        while not self._end_asked and not room.emptied.wait(DEPARTURE_SECONDS):
            self._beat()
            if monotonic() - begun > options.stop_seconds_max:
                logger.warning("the stop took too long: %d are cut", len(room.connections))
                break
        self._leave(room)

    def _await_silence(self, begun: float) -> None:
        """Go on accepting until no new connection can come.

        If it is this worker alone that stops, the others take what comes: it waits for nothing.
        """
        delay = self._shared.options.stop_delay_seconds
        while not self._end_asked and self._shared.stage.now < Stage.SILENT:
            if monotonic() - begun > delay and self._shared.stage.now is Stage.SERVING:
                return
            gevent.sleep(STAGE_SECONDS)
            self._beat()
        if not self._end_asked:
            gevent.sleep(HANDSHAKES_UNDER_WAY_SECONDS)

    def _leave(self, room: Room) -> None:
        for connection in list(room.connections):
            connection.expire()
        room.emptied.wait(STAGE_SECONDS * 5)
        close = getattr(self.wsgi, "close", None)
        if close is not None:
            close()

    def _beat(self) -> None:
        """Say that this worker lives, and look after what changes by itself."""
        self.notify()
        if self.ppid != os.getppid():
            # Nobody is left to tell us when to go.
            self._shared.stage.now = max(self._shared.stage.now, Stage.SILENT)
        stage = self._shared.stage.now
        if stage is not Stage.SERVING:
            self._stop_asked.set()
        self._end_asked = self._end_asked or stage is Stage.ENDING
        certificate = self._shared.certificate
        if certificate is not None:
            if self._reload_asked:
                self._reload_asked = False
                certificate.reload()
            else:
                certificate.reload_if_changed()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_asked.set()

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._end_asked = True
        self._stop_asked.set()

    def _reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload_asked = True

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """The starting process found this worker stuck; say where before it ends."""
        del sig
        logger.critical("stuck for too long, at line %s", frame.f_lineno if frame else "?")
        os._exit(1)
