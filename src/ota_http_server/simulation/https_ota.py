"""ESP-IDF's `esp_https_ota`: plain, partial (HEAD, then ranges) and resumed.

Read from `esp_https_ota.c` and `esp_http_client.c` of ESP-IDF 5.1 to 6.0. What differs between
releases hangs on `release`: older ones answer a 401 ten times more and open a connection for each
range, newer ones refuse relative redirects over TLS.
"""

from collections.abc import Callable

from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.line import Access, Line, Words
from ota_http_server.simulation.redirects import Rules, follow

TRANSMIT_BUFFER_BYTES = 512  # default buffer_size_tx
PIECE_BYTES = 64 * 1024  # default max_http_request_size in partial mode
PATIENCE_SECONDS = 5.0  # default timeout_ms
KEPT_MULTIPLE_BYTES = 1024
UNAUTHORIZED_TRIES = 11  # up to 5.4
USER_AGENT = ("User-Agent", "ESP32 HTTP Client/1.0")

WORDS = Words(
    refused="Failed to open HTTP connection: ESP_ERR_HTTP_CONNECT",
    silent="Connection timed out before data was ready!",
    cut="Connection closed, errno = 128",
    nonsense="HTTP_CLIENT: Error response",
)


class HttpsOta:
    """One that is asked for images. What came before a cut is kept for the same URL."""

    def __init__(
        self,
        line: Line,
        access: Access,
        *,
        partial: bool = False,
        resumes: bool = False,
        piece_bytes: int = PIECE_BYTES,
        release: tuple[int, int] = (5, 5),
    ) -> None:
        self.line = line
        self.piece_bytes = piece_bytes
        self.redirects = Rules(
            most=10,
            relative_over_tls=release < (5, 5),
            to_plain=release < (5, 5),
            complaint="ESP_ERR_HTTP_INVALID_TRANSPORT",
            too_many="Error, reach max_redirection_count count=10",
        )
        self._access = access
        self._partial = partial
        self._resumes = resumes
        self._release = release
        self._kept: tuple[Address, bytes] | None = None

    def download(self, address: Address, unwanted: Callable[[bytes], bool]) -> bytes | None:
        """The image; None if `unwanted` says so when it has seen the header."""
        kept = self._kept[1] if self._kept is not None and self._kept[0] == address else b""
        if self._partial:
            return self.in_pieces(address, kept, unwanted)
        return self.whole(address, kept, unwanted)

    def whole(
        self,
        address: Address,
        kept: bytes = b"",
        unwanted: Callable[[bytes], bool] = lambda _: False,
    ) -> bytes | None:
        """Plain mode: one GET; with resumption always one with a Range."""
        extra = (("Range", f"bytes={len(kept)}-"),) if self._resumes else ()
        try:
            answer = self._get(address, *extra, unwanted=None if kept else unwanted)
        except Cut as cut:
            self._keep(address, (kept if cut.status == 206 else b"") + cut.received)
            raise
        self._kept = None
        if answer.status == 416 and kept:
            return self.whole(address, b"", unwanted)
        self._check_status(answer.status)
        if kept and answer.status == 206:
            return _bootable(kept + answer.body)
        # Where the Range was ignored, this is the image from its first byte on.
        return None if unwanted(answer.body) else _bootable(answer.body)

    def in_pieces(
        self,
        address: Address,
        kept: bytes = b"",
        unwanted: Callable[[bytes], bool] = lambda _: False,
    ) -> bytes | None:
        """Partial mode."""
        address, size = self.length(address)
        image, is_resumed = kept, bool(kept)
        try:
            while len(image) < size:
                piece = self.piece(address, len(image), size, resumed=is_resumed)
                if not image and unwanted(piece):
                    return None
                image, is_resumed = image + piece, False
        except Cut as cut:
            self._keep(address, image + cut.received)
            raise
        self._kept = None
        return _bootable(image)

    def length(self, address: Address) -> tuple[Address, int]:
        """By HEAD; all ranges then go where it was redirected to."""
        address, head = follow(address, self._head, self.redirects)
        self._hang_up()
        if head.status == 405 and self._release >= (6, 0):
            answer = self._get(address, ("Range", "bytes=0-0"))
            if answer.content_range is None:
                raise Failed("Content-Range does not say the size")
            return address, answer.content_range[2]
        self._check_status(head.status)
        if head.length is None:
            raise Failed("HEAD did not say the size")
        return address, head.length

    def piece(self, address: Address, first: int, size: int, *, resumed: bool = False) -> bytes:
        last = first + self.piece_bytes - 1
        answer = self._get(address, ("Range", self.range_of(first, size, resumed=resumed)))
        if answer.status == 200 and first == 0:
            return answer.body
        if answer.status != 206:
            self._check_status(answer.status)
            raise Failed(f"no partial content: {answer.status}")
        # The real one does not look here, and flashes what it gets.
        expected = f"bytes {first}-{min(last, size - 1)}/{size}"
        if (said := answer.headers.get("content-range")) != expected:
            raise Failed(f"{said} instead of {expected}")
        self._hang_up()
        return answer.body

    def range_of(self, first: int, size: int, *, resumed: bool = False) -> str:
        """The last is open-ended; the first of a resumed download may ask for a byte too much."""
        last = first + self.piece_bytes - 1
        if last < size - 1:
            return f"bytes={first}-{last}"
        return f"bytes={first}-{size}" if resumed else f"bytes={first}-"

    def request(self, method: str, address: Address, *extra: tuple[str, str]) -> bytes:
        """A request in a transmit buffer of 512 bytes, or `Failed` if it does not fit."""
        fields = [USER_AGENT, ("Host", address.host_field), *self._access.headers]
        if self._access.token is not None:
            fields.append(("Authorization", f"Bearer {self._access.token}"))
        first = f"{method} {address.target} HTTP/1.1"
        fit_transmit_buffer(first, [*fields, *extra])
        return request_bytes(first, [*fields, *extra])

    def _head(self, address: Address) -> Answer:
        return self.line.ask(address, self.request("HEAD", address), bodiless=True)

    def _get(
        self,
        address: Address,
        *extra: tuple[str, str],
        unwanted: Callable[[bytes], bool] | None = None,
    ) -> Answer:
        def ask(there: Address) -> Answer:
            request = self.request("GET", there, *extra)
            return self.line.ask(there, request, unwanted=unwanted)

        _, answer = follow(address, ask, self.redirects)
        if self._release < (5, 5):
            for _ in range(UNAUTHORIZED_TRIES - 1):
                if answer.status != 401:
                    break
                answer = ask(address)
        return answer

    def _hang_up(self) -> None:
        """Up to 5.3 every request has a connection of its own."""
        if self._release < (5, 4):
            self.line.close()

    def _check_status(self, status: int) -> None:
        if status in (200, 206):
            return
        if status in (403, 404):
            raise Failed(f"File not found({status})")
        if status == 401:
            raise Failed("Reached max_authorization_retries (401)")
        if status == 304 and self._release >= (5, 5):
            raise Failed("OTA image not modified (ESP_ERR_HTTP_NOT_MODIFIED)")
        if status >= 400:
            raise Failed(f"{'Client' if status < 500 else 'Server'} error ({status})")
        raise Failed(f"Complete headers were not received ({status})")

    def _keep(self, address: Address, image: bytes) -> None:
        if self._resumes:
            whole = len(image) // KEPT_MULTIPLE_BYTES * KEPT_MULTIPLE_BYTES
            self._kept = (address, image[:whole])


def fit_transmit_buffer(first: str, fields: list[tuple[str, str]]) -> None:
    """`esp_http_client` writes the first line and at least one field, then field after field."""
    lengths = [len(f"{name}: {value}\r\n") for name, value in fields]
    ends = len("\r\n\0")
    if max(len(first) + 2 + lengths[0], *lengths) + ends > TRANSMIT_BUFFER_BYTES:
        raise Failed("HTTP_CLIENT: Out of buffer")


def _bootable(image: bytes) -> bytes:
    if image[:1] != b"\xe9":
        saw = image[:1].hex() or "nothing"
        raise Failed(f"OTA image has invalid magic byte (expected 0xE9, saw {saw})")
    return image
