"""Bytes to and from one peer, the greenlet waiting where the socket would block.

No wait has a timer of its own: a wire carries a `deadline`, and one sweep per worker breaks off
the wires whose deadline is past (room.py). That keeps a request free of timers, and a wait that
ends that way looks like a peer that went away.
"""

import os
import socket
import ssl
import struct
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

import gevent
from gevent import get_hub
from gevent.event import Event

NEVER = float("inf")
FILE_STEP_BYTES = 256 * 1024
"""One sendfile call: less costs system calls, more keeps the others waiting."""
TLS_BLOCK_BYTES = 64 * 1024
"""One read to encrypt. It is the memory of a slow reader; 256 KB are 8 % faster."""
TURN_BYTES = 4 * 1024 * 1024
"""After so much without a wait, the other greenlets get their turn."""

_MSG_MORE = getattr(socket, "MSG_MORE", 0)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Flow(Protocol):
    """How fast the bytes of a file may go out, by the application's word."""

    @property
    def is_paced(self) -> bool:
        """Each block must wait for its turn."""

    def wait(self, bytes_max: int, rest: Callable[[float], None], /) -> int:
        """Rests until some bytes may be sent; how many."""


class Wire:
    """A plain TCP connection. `sock` is the C socket itself, non-blocking: no layer between."""

    __slots__ = (
        "_broken_off",
        "_hub",
        "_reader",
        "_socket",
        "_writer",
        "deadline",
        "sent",
        "stall_seconds_max",
    )

    def __init__(self, sock: Any, stall_seconds_max: float) -> None:
        self._hub = get_hub()
        self._socket = sock
        self._reader = self._hub.loop.io(sock.fileno(), 1)
        self._writer: Any = None
        self._broken_off: Any = None
        """Set if a rest is to end; only wires that ever rested have it."""
        self.deadline = NEVER
        self.sent = 0
        """Bytes of answers that the kernel took, ever."""
        self.stall_seconds_max = stall_seconds_max

    def greet(self) -> None:
        """What comes before the first request: nothing here."""

    def receive(self, size: int) -> bytes:
        """Some bytes, at most `size`; b"" when the peer has finished.

        It waits before it reads: between two requests nothing is there yet, and a read that
        fails costs more than a wait that is over at once.
        """
        while True:
            self._hub.wait(self._reader)
            try:
                return bytes(self._socket.recv(size))
            except BlockingIOError:
                continue

    def discard(self, size: int) -> int:
        """Takes bytes as they come over TCP and forgets them; 0 when the peer has finished.

        Beneath TLS on purpose: once its goodbye was said, its reads fail on data that still comes.
        """
        return len(Wire.receive(self, size))

    def send(self, data: bytes, *, more: bool = False) -> None:
        """All of `data`; `more` says that a file follows and may share the packet."""
        try:
            taken = self._socket.send(data, _MSG_MORE if more else 0)
        except BlockingIOError:
            taken = 0
        self.sent += taken
        if taken == len(data):
            return
        rest = memoryview(data)[taken:]
        while rest:
            self._wait_writable()
            try:
                taken = self._socket.send(rest)
            except BlockingIOError:
                continue
            self.sent += taken
            rest = rest[taken:]

    def send_file(self, fd: int, start: int, count: int, flow: Flow | None = None) -> int:
        """`count` bytes of an open file from `start`, copied by the kernel; how many were there."""
        out, position, end, turn = self._socket.fileno(), start, start + count, 0
        allowed = 0  # bytes whose turn has come, and which the peer had no room for yet
        while position < end:
            wanted = min(FILE_STEP_BYTES, end - position)
            if flow is not None and flow.is_paced:
                allowed = wanted = allowed or flow.wait(wanted, self.rest)
            try:
                step = os.sendfile(out, fd, position, wanted)
            except BlockingIOError:
                self._wait_writable()
                turn = 0
                continue
            if step == 0:
                break
            position += step
            allowed = max(0, allowed - step)
            self.sent += step
            turn += step
            if turn >= TURN_BYTES:
                turn = 0
                gevent.sleep(0)
        return position - start

    def has_unread(self) -> bool:
        """Something came that its greenlet has not read yet."""
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def finish(self) -> None:
        """Say that nothing more comes; the peer may still be sending."""
        self._socket.shutdown(socket.SHUT_WR)

    def rest(self, seconds: float) -> None:
        """Let time pass between two blocks. The peer is not to blame: no deadline runs."""
        if self._broken_off is None:
            self._broken_off = Event()
        if self._broken_off.wait(seconds):
            raise ConnectionAbortedError("broken off while it rested")

    def break_off(self) -> None:
        """End every wait on this wire now; called from outside its greenlet."""
        if self._broken_off is not None:
            self._broken_off.set()
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was faster

    def reset(self) -> None:
        """Let `close` drop what a stalled peer has not taken, rather than keep it for minutes."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def close(self) -> None:
        self._reader.close()
        if self._writer is not None:
            self._writer.close()
        self._socket.close()

    def _wait_writable(self) -> None:
        self.deadline = monotonic() + self.stall_seconds_max
        self._hub.wait(self._writable())
        self.deadline = NEVER

    def _writable(self) -> Any:
        if self._writer is None:
            self._writer = self._hub.loop.io(self._socket.fileno(), 2)
        return self._writer


class TlsWire(Wire):
    """The same over TLS.

    It uses the interpreter's TLS object (`SSLContext._wrap_socket`) as gevent's TLS socket does,
    without that socket: set-up and close take 16 instead of 35 microseconds, against some 200 to
    300 for the handshake, and `break_off` need not take the TLS state from a waiting greenlet.
    """

    __slots__ = ("_tls",)

    def __init__(self, sock: Any, context: ssl.SSLContext, stall_seconds_max: float) -> None:
        super().__init__(sock, stall_seconds_max)
        self._tls: Any = context._wrap_socket(sock, server_side=True)  # type: ignore[attr-defined] # pylint: disable=protected-access

    def greet(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._hub.wait(self._reader)
            except ssl.SSLWantWriteError:
                self._hub.wait(self._writable())

    def receive(self, size: int) -> bytes:
        while True:
            try:
                return bytes(self._tls.read(size))
            except ssl.SSLWantReadError:
                self._hub.wait(self._reader)
            except ssl.SSLWantWriteError:
                self._wait_writable()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    def send(self, data: bytes, *, more: bool = False) -> None:
        del more  # TLS has records of its own
        rest = memoryview(data)
        while rest:
            try:
                taken = self._tls.write(rest)
            except ssl.SSLWantWriteError:
                self._wait_writable()
                continue
            except ssl.SSLWantReadError:
                self.deadline = monotonic() + self.stall_seconds_max
                self._hub.wait(self._reader)
                self.deadline = NEVER
                continue
            self.sent += taken
            rest = rest[taken:]

    def send_file(self, fd: int, start: int, count: int, flow: Flow | None = None) -> int:
        position, end, turn = start, start + count, 0
        while position < end:
            wanted = min(TLS_BLOCK_BYTES, end - position)
            if flow is not None and flow.is_paced:
                wanted = flow.wait(wanted, self.rest)
            block = os.pread(fd, wanted, position)
            if not block:
                break
            self.send(block)
            position += len(block)
            turn += len(block)
            if turn >= TURN_BYTES:
                turn = 0
                gevent.sleep(0)
        return position - start

    def finish(self) -> None:
        """Say goodbye in TLS's way (close_notify) and in TCP's, without waiting for an echo."""
        try:
            self._tls.shutdown()
        except OSError:
            pass  # the peer's goodbye has not come yet, or it left without one
        super().finish()

    def close(self) -> None:
        try:
            self.finish()
        except OSError:
            pass  # the peer was faster
        super().close()
