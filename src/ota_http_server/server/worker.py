"""One worker process: lets connections in, runs the application, leaves politely."""

import logging
import os
import signal
import sys
from functools import partial
from time import monotonic
from types import FrameType
from typing import Any

import gevent
from gevent import get_hub, hub
from gevent.event import Event
from gevent.threadpool import ThreadPool
from gunicorn.workers import base

from ota_http_server.server.accepting import Acceptor
from ota_http_server.server.connection import Connection
from ota_http_server.server.doorkeeper import Doorkeeper, Verdict
from ota_http_server.server.options import Process
from ota_http_server.server.room import Room
from ota_http_server.server.stopping import HANDSHAKES_UNDER_WAY_SECONDS, Stage
from ota_http_server.server.wire import TlsWire, Wire

logger = logging.getLogger("ota_http_server.server")

HEARTBEAT_SECONDS = 1.0
STAGE_SECONDS = 0.02
"""How often a stopping worker looks whether the starting process has gone on."""
BLOCKING_THREADS = 8
"""Image reading and hashing; more would only contend for the interpreter and the disk."""

Visitor = tuple[Any, tuple[str, int]]


class Worker(base.Worker):  # type: ignore[misc]
    """gunicorn starts, counts and watches it; the connections are ours."""

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
        signal.set_wakeup_fd(-1)

    def load_wsgi(self) -> None:
        """Make the application, which may already use the threads."""
        self._shared = self.app.shared
        self._stop_asked = Event()
        self._end_asked = False
        self._reload_asked = False
        self._threads = ThreadPool(BLOCKING_THREADS)
        self._writer = ThreadPool(1)
        self._room: Room | None = None
        process = Process(
            stopping=lambda: self._stop_asked.is_set(),  # pylint: disable=unnecessary-lambda
            in_thread=self._threads.apply,
            in_writer=self._writer.apply,
        )
        self.wsgi = self._shared.make_app(process)

    def run(self) -> None:
        shared, options = self._shared, self._shared.options
        self._room = room = Room(self.wsgi, options, tls=shared.certificate is not None)
        self._doors: Doorkeeper[Visitor] = Doorkeeper(
            per_address_max=options.connections_per_address_max,
            total_max=options.connections_max,
            trusted=options.trusted_proxies,
            admit=self._let_in,
        )
        acceptor = Acceptor(
            self.sockets[0], self._arrived, lambda: len(room.connections) < self._connections_max
        )
        gevent.spawn(room.sweep, self._turn_away_the_patient)
        while not self._stop_asked.wait(HEARTBEAT_SECONDS):
            self._beat()
        begun = monotonic()
        room.stopping = True
        self._await_silence(begun)
        acceptor.close()
        while not self._end_asked and not room.emptied.wait(STAGE_SECONDS):
            self._beat()
            if monotonic() - begun > options.stop_seconds_max:
                logger.warning(
                    "%d transfers are cut: the stop took too long", len(room.connections)
                )
                break
        self._leave(room)

    @property
    def _connections_max(self) -> int:
        return int(self._shared.options.worker_connections)

    def _await_silence(self, begun: float) -> None:
        """Go on accepting until no new connection can come.

        If it is this worker alone that stops, the others take what comes: it waits for nothing.
        """
        delay = self._shared.options.stop_delay_seconds
        while not self._end_asked and self._shared.stage.now is not Stage.SILENT:
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
            self._shared.stage.now = Stage.SILENT
            self._stop_asked.set()
        certificate = self._shared.certificate
        if certificate is not None:
            if self._reload_asked:
                self._reload_asked = False
                certificate.reload()
            else:
                certificate.reload_if_changed()

    def _arrived(self, sock: Any, address: tuple[str, int]) -> None:
        """A new connection; this runs in the hub and must not wait."""
        place = self._doors.place_of(address[0])
        if place is None:
            self._open((sock, address), None)
            return
        until = monotonic() + self._shared.options.header_seconds_max
        verdict = self._doors.arrive((sock, address), place, until)
        if verdict is Verdict.COME_IN:
            self._open((sock, address), place)
        elif verdict is Verdict.GO_AWAY:
            sock.close()

    def _let_in(self, visitor: Visitor) -> None:
        self._open(visitor, self._doors.place_of(visitor[1][0]))

    def _open(self, visitor: Visitor, place: str | None) -> None:
        sock, address = visitor
        leave = None if place is None else partial(self._doors.leave, place)
        stall_seconds_max = self._shared.options.send_stall_seconds_max
        certificate = self._shared.certificate
        wire: Wire | TlsWire
        try:
            if certificate is None:
                wire = Wire(sock, stall_seconds_max)
            else:
                wire = TlsWire(sock, certificate.context, stall_seconds_max)
        except OSError:
            if leave is not None:
                leave()  # it left before it was greeted
            return
        assert self._room is not None
        connection = Connection(wire, address, self._room, leave)
        self._room.enter(connection)
        hub.spawn_raw(connection.live)

    def _turn_away_the_patient(self, now: float) -> None:
        for sock, _ in self._doors.give_up(now):
            sock.close()

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
        sys.exit(1)
