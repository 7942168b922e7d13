"""A body of bytes: streamed to whoever takes it, never held."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from werkzeug.exceptions import ClientDisconnected

from ota_http_server.domain.errors import Invalid
from ota_http_server.http.json_body import Readable

BLOCK_BYTES = 256 * 1024  # a few system calls a megabyte


@dataclass(frozen=True, slots=True)
class Arriving:
    """`length` was said before the first byte; the blocks may end early, which the taker sees."""

    stream: Readable = field(repr=False)
    length: int

    def blocks(self) -> Iterator[bytes]:
        """Raises `Invalid` where the connection ends or goes on too slowly."""
        left = self.length
        while left > 0 and (block := self._read(min(BLOCK_BYTES, left), left)):
            left -= len(block)
            yield block

    def _read(self, size: int, left: int) -> bytes:
        try:
            return self.stream.read(size)
        except (OSError, ClientDisconnected) as error:
            came = self.length - left
            raise Invalid(f"the body broke off: {came:,} of {self.length:,} bytes came") from error
