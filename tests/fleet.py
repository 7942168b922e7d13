"""Simulated devices: each speaks over a real socket as its library does, byte for byte.

What they send and what they need is read from the sources of the real clients (ESP-IDF 5.1 to
6.0, arduino-esp32 HTTPUpdate, ESPHome http_request). A device that would flash the image returns
its bytes; one that would give up raises `Failed` with the reason.
"""

import base64
import re
import socket
from dataclasses import dataclass, field
from hashlib import md5
from typing import Self

PATIENCE_SECONDS = 60.0
TRANSMIT_BUFFER_BYTES = 512  # ESP-IDF's default buffer_size_tx
PIECE_BYTES = 64 * 1024  # ESP-IDF's default max_http_request_size in partial mode


class Failed(Exception):
    """The device gives up, and says why as its log would."""


@dataclass(frozen=True, slots=True)
class Answer:
    version: str
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """A connection of a device. It reads answers strictly: Content-Length or nothing."""

    port: int
    opened: int = 0
    requests: list[bytes] = field(default_factory=list)
    _socket: socket.socket | None = None
    _buffer: bytes = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer = None, b""

    def ask(self, request: bytes, *, bodiless: bool = False) -> Answer:
        """Sends a request, on the open connection if there is one, and reads its answer."""
        self.requests.append(request)
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)
            self.opened += 1
        self._socket.sendall(request)
        version, status, headers = self._head()
        if headers.get("transfer-encoding"):
            raise Failed("chunked")
        length = headers.get("content-length")
        if bodiless or status == 304:
            body = b""
        elif length is None:
            raise Failed("Server Did Not Report Size")
        else:
            body = self._exactly(int(length))
        if headers.get("connection", "").lower() == "close" or version == "HTTP/1.0":
            self.close()
        return Answer(version, status, headers, body)

    def _head(self) -> tuple[str, int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            self._receive("Complete headers were not received")
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *fields = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        pairs = (one.split(":", 1) for one in fields)
        return version, int(status), {name.lower(): value.strip() for name, value in pairs}

    def _exactly(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._receive("the connection was cut")
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def _receive(self, complaint: str) -> None:
        assert self._socket is not None
        block = self._socket.recv(65_536)
        if not block:
            self.close()
            raise Failed(complaint)
        self._buffer += block


@dataclass
class EspIdf:
    """`esp_https_ota`: plain, partial (HEAD, then pieces) and resumed."""

    port: int
    path: str
    token: str | None = None
    piece_bytes: int = PIECE_BYTES
    line: Line = field(init=False)

    def __post_init__(self) -> None:
        self.line = Line(self.port)

    def plain(self) -> bytes:
        """GET, 200 with a length, and the first byte is the magic one."""
        answer = self.line.ask(self._request("GET"))
        if answer.status != 200:
            raise Failed(f"File not found({answer.status})")
        return _bootable(answer.body)

    def partial(self) -> bytes:
        """HEAD for the length, then ranges on the same connection, the last one open-ended."""
        return self.resumed(b"")

    def resumed(self, have: bytes) -> bytes:
        """Goes on behind what it has. It asks for one byte beyond the end, as ESP-IDF does."""
        size = self.length()
        image = have
        while len(image) < size:
            image += self.piece(len(image), size)
        return _bootable(image)

    def length(self) -> int:
        head = self.line.ask(self._request("HEAD"), bodiless=True)
        if head.status != 200 or "content-length" not in head.headers:
            raise Failed(f"HEAD: {head.status}")
        return int(head.headers["content-length"])

    def piece(self, first: int, size: int) -> bytes:
        last = first + self.piece_bytes - 1
        is_last = last >= size
        if is_last and first + 1 < size and (first // self.piece_bytes) % 2:
            asked = f"bytes={first}-{size}"  # one past the end, seen near the end of a resume
        else:
            asked = f"bytes={first}-" if is_last else f"bytes={first}-{last}"
        answer = self.line.ask(self._request("GET", Range=asked))
        if answer.status != 206:
            raise Failed(f"no partial content: {answer.status}")
        expected = f"bytes {first}-{min(last, size - 1)}/{size}"
        if answer.headers["content-range"] != expected:
            raise Failed(f"{answer.headers['content-range']} instead of {expected}")
        return answer.body

    def _request(self, method: str, **headers: str) -> bytes:
        fields = {"User-Agent": "ESP32 HTTP Client/1.0", "Host": f"127.0.0.1:{self.port}"}
        if self.token is not None:
            fields["Authorization"] = f"Bearer {self.token}"
        fields |= headers
        first = f"{method} {self.path} HTTP/1.1\r\n"
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        if max(map(len, (first, *lines))) > TRANSMIT_BUFFER_BYTES:
            raise Failed("Out of buffer")
        return (first + "".join(lines) + "\r\n").encode()


@dataclass
class ArduinoUpdate:
    """arduino-esp32's HTTPUpdate: HTTP/1.0, needs a length, checks `x-MD5`; 304 is "no update"."""

    port: int
    path: str
    user_and_password: str | None = None
    free_bytes: int = 1_310_720

    def update(self) -> bytes | None:
        fields = {
            "Host": f"127.0.0.1:{self.port}",
            "User-Agent": "ESP32-http-Update",
            "Cache-Control": "no-cache",
            "Connection": "close",
            "x-ESP32-STA-MAC": "24:0A:C4:00:00:01",
            "x-ESP32-free-space": str(self.free_bytes),
            "x-ESP32-sketch-size": "291000",
            "x-ESP32-mode": "sketch",
        }
        if self.user_and_password is not None:
            encoded = base64.b64encode(self.user_and_password.encode()).decode()
            fields["Authorization"] = f"Basic {encoded}"
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        with Line(self.port) as line:
            answer = line.ask(f"GET {self.path} HTTP/1.0\r\n{head}\r\n".encode())
        if answer.status == 304:
            return None
        if answer.status != 200:
            raise Failed(f"Wrong HTTP Code ({answer.status})")
        if not 0 < len(answer.body) <= self.free_bytes:
            raise Failed("Not Enough space")
        if answer.headers.get("x-md5", "") not in ("", md5(answer.body).hexdigest()):
            raise Failed("MD5 Check Failed")
        return _bootable(answer.body)


@dataclass
class EspHome:
    """ESPHome's `ota.http_request`: Basic from the URL, the MD5 from `md5_url`, exactly 200."""

    port: int
    path: str
    md5_path: str
    password: str | None = None

    def update(self) -> bytes:
        with Line(self.port) as line:
            said = line.ask(self._request(self.md5_path))
            expected = said.body[:32].decode()
            if said.status != 200 or not re.fullmatch(r"[0-9a-f]{32}", expected):
                raise Failed("MD5 could not be read")
            answer = line.ask(self._request(self.path))
        if answer.status != 200:
            raise Failed(f"HTTP {answer.status}")
        if md5(answer.body).hexdigest() != expected:
            raise Failed("MD5 mismatch")
        return _bootable(answer.body)

    def _request(self, path: str) -> bytes:
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines.append("User-Agent: ESPHome/2026.6.5 (https://esphome.io)")
        if self.password is not None:
            encoded = base64.b64encode(f"esp:{self.password}".encode()).decode()
            lines.append(f"Authorization: Basic {encoded}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


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


def _bootable(image: bytes) -> bytes:
    """The check that every one of them makes before it flashes."""
    if image[:1] != b"\xe9":
        raise Failed("image has invalid magic byte")
    return image
