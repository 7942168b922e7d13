"""The body of a request, as the file that the application reads.

Nothing is read before the application asks, and no more than it asks for is held. A body that
ends early or breaks the rules of chunks (RFC 9112 §7.1) raises, so that a part never passes for
the whole, and the connection ends.
"""

import io
import re
from typing import Protocol

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
CHUNK_LINE = re.compile(
    rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[ \t]*"
    + _TOKEN
    + rb"(?:=(?:"
    + _TOKEN
    + rb'|"[^"\\\x00-\x1f\x7f]*"))?)*'
)
CHUNK_LINE_BYTES_MAX = 256
TRAILER_LINE = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*")
TRAILER_LINES_MAX = 32
TRAILER_LINE_BYTES_MAX = 1_024


class BadBody(ConnectionError):
    """The sender broke off, was too slow or broke the framing: its fault, not the application's."""


class Source(Protocol):
    """Where a body comes from; both raise `BadBody` when nothing more comes."""

    def take(self, size: int) -> bytes:
        """Some bytes, at least one, at most `size`."""

    def take_line(self, size_max: int) -> bytes:
        """A line without its CRLF."""

    def broken(self, why: str) -> BadBody:
        """The framing is in doubt: note it and return what is to be raised."""


class LengthBody(io.RawIOBase):
    """As many bytes as Content-Length says."""

    def __init__(self, source: Source, length: int) -> None:
        super().__init__()
        self._source = source
        self.left = length
        """How many bytes are still to come."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if self.left == 0:
            return 0
        data = self._source.take(min(len(buffer), self.left))
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


class ChunkedBody(io.RawIOBase):
    """Chunks, joined. Their number is not limited, what the application reads is its business."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._chunk_left = 0
        self.left: int | None = None
        """None: unknown; 0: the last chunk was read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        if self.left == 0:
            return 0
        if self._chunk_left == 0 and not self._next_chunk():
            return 0
        data = self._source.take(min(len(buffer), self._chunk_left))
        buffer[: len(data)] = data
        self._chunk_left -= len(data)
        if self._chunk_left == 0 and self._source.take_line(2) != b"":
            raise self._source.broken("a chunk does not end where it said")
        return len(data)

    def _next_chunk(self) -> bool:
        line = CHUNK_LINE.fullmatch(self._source.take_line(CHUNK_LINE_BYTES_MAX))
        if line is None:
            raise self._source.broken("not the size of a chunk")
        self._chunk_left = int(line[1], 16)
        if self._chunk_left == 0:
            self._skip_trailers()
            self.left = 0
        return self._chunk_left > 0

    def _skip_trailers(self) -> None:
        for _ in range(TRAILER_LINES_MAX):
            line = self._source.take_line(TRAILER_LINE_BYTES_MAX)
            if not line:
                return
            if not TRAILER_LINE.fullmatch(line):
                raise self._source.broken("not a trailer field")
        raise self._source.broken(f"more than {TRAILER_LINES_MAX} trailer fields")
