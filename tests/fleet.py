"""Simulated devices on a port of this machine, in the short form in which most tests want them.

The devices themselves are a room of the product (`ota_http_server.simulation`); a board that would
flash an image returns its bytes here, one that would give up raises `Failed` with the reason.
`Hostile` is no device.
"""

import socket
from dataclasses import dataclass, field

from ota_http_server.simulation import line as simulation
from ota_http_server.simulation.address import Address
from ota_http_server.simulation.arduino import ArduinoEsp32
from ota_http_server.simulation.board import Board
from ota_http_server.simulation.esphome import EspHome as EspHomeDevice
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.https_ota import PIECE_BYTES, HttpsOta
from ota_http_server.simulation.line import Access

__all__ = ["ArduinoUpdate", "EspHome", "EspIdf", "Failed", "Hostile", "Line"]

PATIENCE_SECONDS = 60.0


def url(port, path):
    return f"http://127.0.0.1:{port}{path}"


def access(token=None):
    """More patient than the clients are: the machine may be slow."""
    return Access(token=token, patience_seconds=PATIENCE_SECONDS)


class Line(simulation.Line):
    """A connection to a port of this machine."""

    def __init__(self, port):
        super().__init__(access())
        self.address = Address.of(url(port, "/"))

    def ask(self, request, *, bodiless=False):
        return super().ask(self.address, request, bodiless=bodiless)


@dataclass
class EspIdf:
    """`esp_https_ota`: plain, partial (HEAD, then pieces) and resumed."""

    port: int
    path: str
    token: str | None = None
    piece_bytes: int = PIECE_BYTES
    line: simulation.Line = field(init=False)

    def __post_init__(self):
        way_in = access(self.token)
        self.line = simulation.Line(way_in)
        self._ota = HttpsOta(self.line, way_in, piece_bytes=self.piece_bytes)
        self._address = Address.of(url(self.port, self.path))

    def plain(self):
        """GET, 200 with a length, and the first byte is the magic one."""
        return self._ota.whole(self._address)

    def partial(self):
        """HEAD for the length, then ranges on the same connection, the last one open-ended."""
        return self._ota.in_pieces(self._address)

    def resumed(self, have):
        """Goes on behind what it has. It asks for one byte beyond the end, as ESP-IDF does."""
        return self._ota.in_pieces(self._address, have)

    def piece(self, first, size):
        return self._ota.piece(self._address, first, size)


@dataclass
class ArduinoUpdate:
    """arduino-esp32's HTTPUpdate: HTTP/1.0, needs a length, checks `x-MD5`; 304 is "no update"."""

    port: int
    path: str
    user_and_password: str | None = None
    free_bytes: int = 1_310_720

    def update(self):
        who = f"{self.user_and_password}@" if self.user_and_password else ""
        address = f"http://{who}127.0.0.1:{self.port}{self.path}"
        client = ArduinoEsp32(address, Board(free_bytes=self.free_bytes), access())
        return client.update(client.address)


@dataclass
class EspHome:
    """ESPHome's `ota.http_request`: Basic from the URL, the MD5 from `md5_url`, exactly 200."""

    port: int
    path: str
    md5_path: str
    password: str | None = None

    def update(self):
        image, sidecar = (url(self.port, path) for path in (self.path, self.md5_path))
        client = EspHomeDevice(image, Board(), access(self.password), md5_url=sidecar)
        digest = client.read_md5(client.get(client.md5_address))
        return client.fetch(client.address, digest)


@dataclass
class Hostile:
    """Says whatever bytes it likes and takes what comes until the server closes."""

    port: int
    patience_seconds: float = PATIENCE_SECONDS

    def say(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), self.patience_seconds) as line:
            answer = b""
            try:
                line.sendall(data)
                line.shutdown(socket.SHUT_WR)
                while block := line.recv(65_536):
                    answer += block
            except ConnectionError:
                pass  # what came before it counts
            return answer
