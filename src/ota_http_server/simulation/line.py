"""A device's connection: plain or TLS, kept open or not, cut off where a test wants it cut.

It reads what an answer is and does not judge it: what its client cannot take (chunks, no length,
a redirect) the client says itself, in its own words. Blocking sockets of the standard library, so
that as many devices as there are threads may speak at the same time.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer, Framing, Head
from ota_http_server.simulation.failed import Cut, Failed, Silent, TooMuch, Unreachable
from ota_http_server.simulation.wire import Ended, Garbled, Wire, body_blocks, read_head

PEEK_BYTES = 1024  # what esp_https_ota reads before it decides whether to go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a device gets in: what it shows, whom it trusts, how long it waits."""

    token: str | None = None
    """The credential, sent the way this client sends one."""
    headers: tuple[tuple[str, str], ...] = ()
    """Fields that the application adds to every request, where the client lets it."""
    tls: ssl.SSLContext | None = None
    """One for a whole fleet: a context of its own costs a device half a megabyte."""
    patience_seconds: float | None = None
    """Until the first byte and between bytes; None is what the client waits by default."""


ANYBODY = Access()


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a client logs when the connection lets it down."""

    refused: str = "connection refused"
    silent: str = "read Timeout"
    cut: str = "connection lost"
    nonsense: str = "no HTTP server"


PLAIN_WORDS = Words()


def tls_context(ca: Path | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """Trust in this CA (the system's without one), or in anybody."""
    context = ssl.create_default_context(cafile=ca)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Line:
    """One connection at a time. Another server, or one that closed, means a new connection."""

    def __init__(
        self,
        access: Access = ANYBODY,
        words: Words = PLAIN_WORDS,
        patience_seconds: float = 60.0,
        *,
        redials: bool = False,
    ) -> None:
        self.opened = 0
        """Connections so far."""
        self.body_bytes = 0
        """Of all answers so far."""
        self.body_bytes_max: int | None = None
        """More than these are not fetched."""
        self.cut_after_bytes: int | None = None
        """The link breaks behind so many bytes of the next body, once."""
        self._access = access
        self._words = words
        self._patience_seconds = access.patience_seconds or patience_seconds
        self._redials = redials
        self._wire: Wire | None = None
        self._origin: tuple[str, str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire, self._origin = None, None

    def ask(
        self,
        address: Address,
        request: bytes,
        *,
        bodiless: bool = False,
        unwanted: Callable[[bytes], bool] | None = None,
    ) -> Answer:
        """Sends a request, on the open connection if it leads there, and reads the answer.

        `unwanted` sees the beginning of the body (`PEEK_BYTES` or a little more); if it says so,
        the connection is closed and the body ends there.
        """
        is_reused = self._wire is not None and self._origin == address.origin
        wire = self._dialled(address)
        try:
            head, waited_seconds = self._exchange(wire, request)
        except Cut:
            # libcurl tries once more if a connection that it kept turns out to be dead.
            if not (is_reused and self._redials):
                raise
            wire = self._dialled(address)
            head, waited_seconds = self._exchange(wire, request)
        framing = head.framing(bodiless=bodiless)
        body = self._body(wire, head, framing, unwanted)
        if framing == "close" or not head.stays_open:
            self.close()
        return Answer(head.version, head.status, head.headers, body, framing, waited_seconds)

    def _dialled(self, address: Address) -> Wire:
        if self._wire is not None and self._origin == address.origin:
            return self._wire
        self.close()
        where = (address.host, address.port)
        try:
            connected = socket.create_connection(where, self._patience_seconds)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise self._refused(address, error) from None
        if address.secure:
            connected = self._wrapped(connected, address)
        self._wire, self._origin = Wire(connected), address.origin
        self.opened += 1
        return self._wire

    def _wrapped(self, connected: socket.socket, address: Address) -> socket.socket:
        context = self._access.tls or tls_context()
        try:
            return context.wrap_socket(connected, server_hostname=address.host)
        except OSError as error:  # ssl.SSLError is one
            connected.close()
            raise self._refused(address, error) from None

    def _refused(self, address: Address, error: OSError) -> Unreachable:
        return Unreachable(f"{self._words.refused} ({address.host_field}: {error})")

    def _exchange(self, wire: Wire, request: bytes) -> tuple[Head, float]:
        with self._complaining():
            started = time.monotonic()
            wire.send(request)
            wire.wait()
            waited_seconds = time.monotonic() - started
            return read_head(wire), waited_seconds

    def _body(
        self,
        wire: Wire,
        head: Head,
        framing: Framing,
        unwanted: Callable[[bytes], bool] | None,
    ) -> bytes:
        blocks: list[bytes] = []
        with self._complaining(blocks, head.status):
            for block in body_blocks(wire, head, framing):
                blocks.append(block)
                self._count(len(block))
                self._cut_where_asked(blocks)
                if unwanted is not None and sum(map(len, blocks)) >= PEEK_BYTES:
                    if unwanted(b"".join(blocks)):
                        self.close()
                        break
                    unwanted = None
        return b"".join(blocks)

    def _count(self, length: int) -> None:
        self.body_bytes += length
        if self.body_bytes_max is not None and self.body_bytes > self.body_bytes_max:
            raise TooMuch(f"more than {self.body_bytes_max} bytes in all")

    def _cut_where_asked(self, blocks: list[bytes]) -> None:
        if self.cut_after_bytes is None:
            return
        if len(blocks[-1]) < self.cut_after_bytes:
            self.cut_after_bytes -= len(blocks[-1])
            return
        blocks[-1] = blocks[-1][: self.cut_after_bytes]
        self.cut_after_bytes = None
        raise Ended

    @contextmanager
    def _complaining(self, blocks: list[bytes] | None = None, status: int = 0) -> Iterator[None]:
        """Says in the client's words what went wrong; the connection is then over."""
        try:
            yield
        except Ended:
            self.close()
            raise Cut(self._words.cut, b"".join(blocks or ()), status) from None
        except TimeoutError:
            self.close()
            raise Silent(self._words.silent) from None
        except Garbled:
            self.close()
            raise Failed(self._words.nonsense) from None
        except Failed:
            self.close()
            raise
