"""A body of bytes: streamed to whoever takes it, never held."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ota_http_server.http.json_body import Readable

BLOCK_BYTES = 256 * 1024  # a few system calls a megabyte


@dataclass(frozen=True, slots=True)
class Upload:
    """`length` was said before the first byte; `blocks` may end early, which the taker refuses."""

    stream: Readable = field(repr=False)
    length: int

    def blocks(self) -> Iterator[bytes]:
        left = self.length
        while left > 0 and (block := self.stream.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block
