"""The listening socket: bound in the starting process, accepted from in each worker."""

import errno
import socket
import sys
from collections.abc import Callable
from typing import Any

from gevent import get_hub, monkey

from ota_http_server.domain.errors import Misconfigured

TCP_NOTSENT_LOWAT = 25  # linux/tcp.h; the socket module has no name for it before Python 3.12
UNSENT_BYTES_MAX = 128 * 1024
"""Measured: less costs speed on fast lines; a board at 40 KB/s is three seconds behind."""
ACCEPTS_PER_TURN = 4
"""Few, so that the connections of a burst spread over the workers."""
FULL_SECONDS = 0.1
"""How long to let newcomers queue when no file descriptor is free."""

Arrived = Callable[[Any, tuple[str, int]], None]


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """A bound, listening, non-blocking socket, or `Misconfigured` in words."""
    # gevent's own would start a thread here, and a process with threads should not fork.
    getaddrinfo = monkey.get_original("socket", "getaddrinfo")
    try:
        found = getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"host {host!r} is no address of this machine: {error}") from error
    # A name may stand for both families; IPv4 is what boards speak.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_little_unsent(listener)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise Misconfigured(f"cannot listen on {host} port {port}: {_in_words(error)}") from error
    return listener


def _keep_little_unsent(listener: socket.socket) -> None:
    """What a slow reader has not taken stays in the file, not in the kernel's memory.

    Otherwise the kernel takes half an image for each, and the server believes an answer to be
    sent, and its connection to be idle, long before the board has read it.
    """
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX)


class Acceptor:
    """Takes connections while `has_room` and hands the C sockets to `arrived`, in the hub."""

    def __init__(
        self, listener: socket.socket, arrived: Arrived, has_room: Callable[[], bool]
    ) -> None:
        self._native: Any = monkey.get_original("socket", "socket")
        self._listener = self._native(
            listener.family, listener.type, listener.proto, fileno=listener.detach()
        )
        self._listener.setblocking(False)
        self._arrived = arrived
        self._has_room = has_room
        loop = get_hub().loop
        self._watcher = loop.io(self._listener.fileno(), 1)
        self._pause = loop.timer(FULL_SECONDS)
        self._watcher.start(self._ready)

    def close(self) -> None:
        """Take whoever is in the queue, then leave it."""
        self._watcher.stop()
        self._pause.stop()
        while self._accept() or self._accept():
            pass
        self._watcher.close()
        self._pause.close()
        self._listener.close()

    def _ready(self) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            if not self._has_room():
                self._rest()
                return
            if not self._accept():
                return

    def _accept(self) -> bool:
        try:
            fd, address = self._listener._accept()  # pylint: disable=protected-access
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in (errno.ECONNABORTED, errno.EPROTO):
                return True  # that one left before it was let in
            self._rest()  # no file descriptor or no memory is free
            return False
        sock = self._native(self._listener.family, socket.SOCK_STREAM, 0, fileno=fd)
        sock.setblocking(False)
        self._arrived(sock, address[:2])
        return True

    def _rest(self) -> None:
        """A full queue makes the watcher fire at once, again and again: look away for a moment."""
        self._watcher.stop()
        self._pause.start(self._watcher.start, self._ready)


def _in_words(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another process is listening there"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "this user may not (ports below 1024 need a privilege)"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address"
    return error.strerror or str(error)
