"""The bytes of one connection, and the body of an answer taken out of them.

Whoever reads here gets `Ended` if the other side closes before it should, `Garbled` for what is
no HTTP, and the socket's own `TimeoutError` if nothing comes.
"""

import socket
from collections.abc import Iterator

from ota_http_server.simulation.answer import Framing, Head

HEAD_BYTES_MAX = 32 * 1024  # no device reads more; servers send under one
CHUNK_LINE_BYTES_MAX = 1024
BLOCK_BYTES = 64 * 1024


class Ended(Exception):
    """Closed, or broken off."""


class Garbled(Exception):
    """Not HTTP."""


class Wire:
    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise
        except OSError:
            pass  # it may have answered before it closed; if not, reading says so

    def until(self, end: bytes, bytes_max: int) -> bytes:
        """What comes before `end`; both are taken."""
        while (at := self._buffer.find(end)) < 0:
            if len(self._buffer) > bytes_max:
                raise Garbled
            self._buffer += self._received()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return found

    def some(self, bytes_max: int) -> bytes:
        """At least one byte."""
        if not self._buffer:
            self._buffer += self._received()
        found = bytes(self._buffer[:bytes_max])
        del self._buffer[:bytes_max]
        return found

    def wait(self) -> None:
        """Returns when there is something to read."""
        if not self._buffer:
            self._buffer += self._received()

    def _received(self) -> bytes:
        try:
            block = self._socket.recv(BLOCK_BYTES)
        except TimeoutError:
            raise
        except OSError:
            block = b""
        if not block:
            raise Ended
        return block


def read_head(wire: Wire) -> Head:
    """The head of an answer; interim ones (1xx) are passed over."""
    while True:
        head = Head.of(wire.until(b"\r\n\r\n", HEAD_BYTES_MAX))
        if head is None:
            raise Garbled
        if head.status >= 200:
            return head


def body_blocks(wire: Wire, head: Head, framing: Framing) -> Iterator[bytes]:
    """The body, block by block."""
    if framing == "length":
        yield from _exactly(wire, head.length or 0)
    elif framing == "chunked":
        yield from _chunks(wire)
    elif framing == "close":
        yield from _all(wire)


def _exactly(wire: Wire, length: int) -> Iterator[bytes]:
    while length:
        block = wire.some(min(length, BLOCK_BYTES))
        length -= len(block)
        yield block


def _all(wire: Wire) -> Iterator[bytes]:
    try:
        while True:
            yield wire.some(BLOCK_BYTES)
    except Ended:
        pass


def _chunks(wire: Wire) -> Iterator[bytes]:
    while size := _chunk_size(wire):
        yield from _exactly(wire, size)
        wire.until(b"\r\n", CHUNK_LINE_BYTES_MAX)
    while wire.until(b"\r\n", CHUNK_LINE_BYTES_MAX):
        pass  # trailers


def _chunk_size(wire: Wire) -> int:
    text = wire.until(b"\r\n", CHUNK_LINE_BYTES_MAX).partition(b";")[0].strip()
    try:
        return int(text, 16)
    except ValueError:
        raise Garbled from None
