"""One answer: what the application returns, framed for HTTP/1.x and handed to the wire.

The head waits for the first piece of the body, so that a small answer is one packet. The length
is the application's word where it gives one; a body that turns out shorter ends the connection,
because padding it would make a damaged image look whole.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ota_http_server.server.wire import Flow, Wire

# The server alone decides these (RFC 9110 §7.6.1).
_OWN = frozenset({"connection", "keep-alive", "transfer-encoding", "trailer", "upgrade", "te"})


class OpenFile(Protocol):
    """What may be given to `wsgi.file_wrapper`: an open file, standing at the first byte."""

    def fileno(self) -> int: ...
    def read(self, size: int, /) -> bytes: ...
    def close(self) -> None: ...


class FileWrapper:
    """PEP 3333's `wsgi.file_wrapper`: returned unchanged, the kernel sends the file."""

    __slots__ = ("blksize", "close", "filelike")

    def __init__(self, filelike: OpenFile, blksize: int = 65_536) -> None:
        self.filelike = filelike
        self.blksize = blksize
        self.close = filelike.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        """For a middleware that wants to see the bytes."""
        block = self.filelike.read(self.blksize)
        if not block:
            raise StopIteration
        return block


class Cut(Exception):
    """The body is shorter than its Content-Length says."""


class Answer:
    """`start` is what WSGI calls `start_response`; `send` takes what the application returned."""

    __slots__ = (
        "_allows_keep_alive",
        "_bodiless",
        "_chunked",
        "_date",
        "_fields",
        "_head_bytes",
        "_http11",
        "_length",
        "_sent_before",
        "_status",
        "_taken",
        "_wire",
        "begun",
        "keep_alive",
        "whole",
    )

    def __init__(
        self,
        wire: Wire,
        date: str,
        *,
        head_only: bool,
        http11: bool,
        allows_keep_alive: Callable[[], bool],
    ) -> None:
        self._wire = wire
        self._date = date
        self._bodiless = head_only
        self._http11 = http11
        self._allows_keep_alive = allows_keep_alive
        self._status = ""
        self._fields: list[tuple[str, str]] = []
        self._length: int | None = None
        self._chunked = False
        self._head_bytes = 0
        self._sent_before = wire.sent
        self._taken = 0
        self.begun = False
        """Something may be on the wire: it is too late for another answer."""
        self.keep_alive = True
        self.whole = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None and self.begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self._status:
            raise AssertionError("start_response was called twice")
        self._status = status
        self._fields = headers
        self._length = None
        if status[:3] in ("204", "304") or status[:1] == "1":
            self._bodiless = True
        for name, value in headers:
            if name.lower() == "content-length":
                self._length = int(value)
        return self.write

    def send(self, result: Iterable[bytes], flow: Flow | None = None) -> None:
        """The whole answer. A `Cut`, an `OSError` or what the application raises ends it early."""
        if isinstance(result, FileWrapper):
            self._send_file(result, flow)
        else:
            if isinstance(result, (list, tuple)):
                result = (b"".join(result),)
                if self._length is None and self._status and not (self.begun or self._bodiless):
                    self._length = len(result[0])
                    self._fields = [*self._fields, ("Content-Length", str(self._length))]
            for piece in result:
                if piece:
                    self.write(piece)
        self._finish()

    @property
    def body_bytes(self) -> int:
        """Bytes of the body that the kernel took."""
        return max(0, self._wire.sent - self._sent_before - self._head_bytes)

    @property
    def status(self) -> int:
        return int(self._status[:3] or 0)

    def write(self, piece: bytes) -> None:
        head = b"" if self.begun else self._head()
        if self._bodiless:
            piece = b""
        elif self._length is not None:
            # Never more than was announced: the rest would be read as another answer.
            piece = piece[: self._length - self._taken]
            self._taken += len(piece)
        if self._chunked and piece:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if head or piece:
            self.begun = True
            self._wire.send(head + piece if head else piece)

    def _send_file(self, result: FileWrapper, flow: Flow | None) -> None:
        fd = result.filelike.fileno()
        start = os.lseek(fd, 0, os.SEEK_CUR)
        if self._length is None:
            self._length = max(0, os.fstat(fd).st_size - start)
            self._fields = [*self._fields, ("Content-Length", str(self._length))]
        head = self._head()
        self.begun = True
        self._wire.send(head, more=not self._bodiless and self._length > 0)
        if not self._bodiless:
            self._taken = self._wire.send_file(fd, start, self._length, flow)

    def _finish(self) -> None:
        if not self.begun:
            self.write(b"")
        if self._chunked:
            self._wire.send(b"0\r\n\r\n")
        if self._length is not None and not self._bodiless and self._taken < self._length:
            raise Cut(f"{self._taken} of {self._length} bytes")
        self.whole = True

    def _head(self) -> bytes:
        """The status line and fields. What the application says must be one line each."""
        if not self._status:
            raise AssertionError("a body before start_response")
        lines = [f"HTTP/1.1 {self._status}", f"Date: {self._date}"]
        lines += [f"{name}: {value}" for name, value in self._fields if self._is_allowed(name)]
        self._choose_framing(lines)
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
            raise ValueError("the application's header fields contain control characters")
        encoded = head.encode("latin-1") + b"\r\n\r\n"
        self._head_bytes = len(encoded)
        return encoded

    def _is_allowed(self, name: str) -> bool:
        lower = name.lower()
        return lower not in _OWN and not (lower == "content-length" and self._status[:3] == "204")

    def _choose_framing(self, lines: list[str]) -> None:
        """How the peer will know the end of the body (RFC 9112 §6.3)."""
        self.keep_alive = self._allows_keep_alive() and not self._asks_to_close()
        if self._length is None and not self._bodiless:
            if self._http11:
                self._chunked = True
                lines.append("Transfer-Encoding: chunked")
            else:
                self.keep_alive = False
        if not self.keep_alive:
            lines.append("Connection: close")
        elif not self._http11:
            lines.append("Connection: keep-alive")

    def _asks_to_close(self) -> bool:
        return any(
            name.lower() == "connection" and value.lower() == "close"
            for name, value in self._fields
        )
