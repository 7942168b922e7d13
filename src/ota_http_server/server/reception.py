"""Where newcomers become connections: the doorkeeper, TLS, a greenlet each."""

from functools import partial
from time import monotonic
from typing import Any

import gevent
from gevent import hub

from ota_http_server.server.connection import Connection
from ota_http_server.server.doorkeeper import Doorkeeper, Verdict
from ota_http_server.server.room import Room
from ota_http_server.server.tls import Certificate
from ota_http_server.server.wire import TlsWire, Wire

Visitor = tuple[Any, tuple[str, int]]
"""A C socket and where it comes from."""


class Reception:
    """Lives in the hub: nothing here may wait."""

    def __init__(self, room: Room, certificate: Certificate | None) -> None:
        options = room.options
        self._room = room
        self._certificate = certificate
        self._header_seconds_max = options.header_seconds_max
        self._stall_seconds_max = options.send_stall_seconds_max
        self._doors: Doorkeeper[Visitor] = Doorkeeper(
            per_address_max=options.connections_per_address_max,
            total_max=options.connections_max,
            trusted=options.trusted_proxies,
            admit=self._let_in,
        )
        gevent.spawn(room.sweep, self._send_away_who_waited_long)

    def has_room(self) -> bool:
        return len(self._room.connections) < self._room.options.worker_connections

    def arrived(self, sock: Any, address: tuple[str, int]) -> None:
        place = self._doors.place_of(address[0])
        if place is None:
            self._open((sock, address), None)
            return
        until = monotonic() + self._header_seconds_max
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
        wire: Wire
        try:
            if self._certificate is None:
                wire = Wire(sock, self._stall_seconds_max)
            else:
                wire = TlsWire(sock, self._certificate.context, self._stall_seconds_max)
        except OSError:
            if leave is not None:
                leave()  # it left before it was greeted
            return
        connection = Connection(wire, address, self._room, leave)
        self._room.enter(connection)
        hub.spawn_raw(connection.live)

    def _send_away_who_waited_long(self, now: float) -> None:
        for sock, _ in self._doors.give_up(now):
            sock.close()
