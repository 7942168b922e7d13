"""Arduino's update libraries: arduino-esp32 HTTPUpdate, ESP8266httpUpdate, arduino-pico HTTPUpdate.

One plain GET in HTTP/1.0, its fields in the order and spelling in which the libraries write them.
They need 200 with a length, check `x-MD5`, take 304 for "no update" and anything else for an
error; redirects are off. Read from arduino-esp32 (HTTPUpdate.cpp, HTTPClient.cpp), esp8266/Arduino
3.1 and arduino-pico at the commit that lost its prefix: it sends `x--STA-MAC`.
"""

import base64
import zlib
from abc import abstractmethod
from collections.abc import Iterator
from hashlib import md5

from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import FLASH_BYTES, Board, Device, Did, Outcome
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.line import ANYBODY, Access, Words

PATIENCE_SECONDS = 8.0  # _httpClientTimeout

WORDS = Words(
    refused="HTTP error: connection refused",
    silent="HTTP error: read Timeout",
    cut="HTTP error: connection lost",
    nonsense="HTTP error: no HTTP server",
)
STATUS_WORDS = {404: "File Not Found (404)", 403: "Forbidden (403)"}
Fields = Iterator[tuple[str, str]]


class HttpUpdate(Device):
    """What the three have in common."""

    magic = b"\xe9"
    status_words = STATUS_WORDS
    wrong_md5 = "Update error: MD5 Check Failed"
    not_bootable = "Update error: Could Not Activate The Firmware"

    def __init__(
        self, url: str, board: Board, access: Access = ANYBODY, *, says_version: bool = True
    ) -> None:
        super().__init__(board, access, WORDS, PATIENCE_SECONDS)
        self.address = Address.of(url)
        self.says_version = says_version

    def _check_in(self) -> Outcome:
        image = self.update(self.address)
        if image is None:
            return self._outcome(Did.NOTHING)
        self.flash(image)
        return self._outcome(self.board.reboot())

    def update(self, address: Address, mode: str = "sketch") -> bytes | None:
        """The image (or, in mode `spiffs`, the filesystem); None for "no update"."""
        try:
            with self.board.link(self.line):
                answer = self.line.ask(address, self.request(address, mode))
        except Cut as cut:
            if not cut.status:
                raise
            raise Cut("Update error: Stream Read Timeout", cut.received, cut.status) from None
        if answer.status == 304:
            return None
        if answer.status != 200:
            complaint = f"Wrong HTTP Code ({answer.status})"
            raise Failed(self.status_words.get(answer.status, complaint))
        return self._checked(answer, mode)

    def request(self, address: Address, mode: str = "sketch") -> bytes:
        return request_bytes(f"GET {address.target} HTTP/1.0", self._fields(address, mode))

    def _fields(self, address: Address, mode: str) -> Fields:
        """HTTPClient's own fields, then those that were added, then the application's."""
        yield "Host", address.host_field
        yield "User-Agent", self._user_agent()
        yield "Connection", "close"  # follows from HTTP/1.0
        basic = self._basic(address)
        if basic is not None:
            yield "Authorization", f"Basic {base64.b64encode(basic.encode()).decode()}"
        yield from self._facts(mode)
        yield from self.access.headers

    @abstractmethod
    def _user_agent(self) -> str:
        """As the library writes it."""

    @abstractmethod
    def _facts(self, mode: str) -> Fields:
        """What it tells of the board."""

    def _basic(self, address: Address) -> str | None:
        """User and password: of the URL, else any user with the token."""
        if address.user_and_password is None and self.access.token is not None:
            return f"device:{self.access.token}"
        return address.user_and_password

    def _version(self, prefix: str) -> Fields:
        if self.says_version and self.board.said_version:
            yield f"{prefix}version", self.board.said_version

    def _checked(self, answer: Answer, mode: str) -> bytes:
        image = answer.body
        if answer.framing_used != "length" or not image:
            raise Failed("Server Did Not Report Size")
        if mode == "sketch" and len(image) > self.board.free_bytes:
            raise Failed("Not Enough space")
        if mode == "sketch" and image[:1] not in self.magic:
            raise Failed("Verify Bin Header Failed")
        said = answer.headers.get("x-md5", "")
        if said and len(said) != 32:
            raise Failed("Wrong MD5")
        if said and not self._same_md5(said, md5(image, usedforsecurity=False).hexdigest()):
            raise Failed(self.wrong_md5)
        return image

    def _same_md5(self, said: str, counted: str) -> bool:
        return said.lower() == counted

    def flash(self, image: bytes) -> None:
        self.board.flash(image, self.not_bootable)


class ArduinoEsp32(HttpUpdate):
    """HTTPUpdate. The token is put into a Bearer field by the application's callback."""

    def _user_agent(self) -> str:
        return "ESP32-http-Update"

    def _basic(self, address: Address) -> str | None:
        return address.user_and_password

    def _facts(self, mode: str) -> Fields:
        running = self.board.running
        yield "Cache-Control", "no-cache"
        yield "x-ESP32-STA-MAC", self.board.mac
        yield "x-ESP32-AP-MAC", _next_mac(self.board.mac)
        yield "x-ESP32-free-space", str(self.board.free_bytes)
        yield "x-ESP32-sketch-size", str(running.size if running else 0)
        if running is not None:
            yield "x-ESP32-sketch-md5", running.md5  # lower case
            yield "x-ESP32-sketch-sha256", running.running_sha256.upper()
        yield "x-ESP32-chip-size", str(FLASH_BYTES)
        yield "x-ESP32-sdk-version", "v5.5.1"
        yield "x-ESP32-mode", mode
        yield from self._version("x-ESP32-")
        if self.access.token is not None:
            yield "Authorization", f"Bearer {self.access.token}"


class ArduinoEsp8266(HttpUpdate):
    """ESP8266httpUpdate: takes compressed images, and can ask for the version alone."""

    magic = b"\xe9\x1f"
    status_words = STATUS_WORDS | {401: "Unauthorized (401)"}
    wrong_md5 = "Update error: MD5 verification failed"
    not_bootable = "Update error: Verify Bin Header Failed"

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        says_version: bool = True,
        flash_mode: int | None = None,
    ) -> None:
        super().__init__(url, board, access, says_version=says_version)
        self._flash_mode = flash_mode
        """The updater writes its own mode over that of the image, if they differ."""

    def available_version(self, address: Address) -> str:
        """`getAvailableVersion`: the same request in mode `version`."""
        answer = self.line.ask(address, self.request(address, "version"))
        if answer.status != 200:
            complaint = f"Wrong HTTP Code ({answer.status})"
            raise Failed(self.status_words.get(answer.status, complaint))
        if not answer.headers.get("x-version"):
            raise Failed("Server Did Not Report Version")
        return answer.headers["x-version"]

    def _user_agent(self) -> str:
        return "ESP8266-http-Update"

    def _facts(self, mode: str) -> Fields:
        running = self.board.running
        yield "x-ESP8266-Chip-ID", str(int(self.board.mac.replace(":", "")[-6:], 16))
        yield "x-ESP8266-STA-MAC", self.board.mac
        yield "x-ESP8266-AP-MAC", _local_mac(self.board.mac)
        yield "x-ESP8266-free-space", str(self.board.free_bytes)
        yield "x-ESP8266-sketch-size", str(running.size if running else 0)
        yield "x-ESP8266-sketch-md5", running.md5 if running else ""
        yield "x-ESP8266-chip-size", str(FLASH_BYTES)
        yield "x-ESP8266-sdk-version", "2.2.2-dev(38a443e)"
        yield "x-ESP8266-mode", mode
        yield from self._version("x-ESP8266-")

    def _same_md5(self, said: str, counted: str) -> bool:
        return said == counted  # case counts

    def flash(self, image: bytes) -> None:
        stored = _inflated(image, self.not_bootable) if image[:1] == b"\x1f" else image
        if self._flash_mode is not None:
            stored = stored[:2] + bytes([self._flash_mode]) + stored[3:]
        self.board.flash(image, self.not_bootable, None, stored)


class ArduinoPico(HttpUpdate):
    """arduino-pico with its broken prefix. It tells neither sizes nor digests."""

    magic = bytes(range(256))  # it does not look
    status_words = STATUS_WORDS | {401: "Unauthorized (401)"}

    def _user_agent(self) -> str:
        return "-http-Update"

    def _facts(self, mode: str) -> Fields:
        yield "x--Chip-ID", "E66058388353" + self.board.mac.replace(":", "")[-4:]
        yield "x--STA-MAC", self.board.mac
        yield "x--AP-MAC", self.board.mac
        yield "x--mode", mode
        yield from self._version("x--")


def _next_mac(mac: str) -> str:
    """The access point's address of an ESP32."""
    return f"{mac[:-2]}{(int(mac[-2:], 16) + 1) % 256:02X}"


def _local_mac(mac: str) -> str:
    """The access point's address of an ESP8266."""
    return f"{int(mac[:2], 16) | 2:02X}{mac[2:]}"


def _inflated(image: bytes, complaint: str) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(image, FLASH_BYTES)
    except zlib.error:
        raise Failed(complaint) from None
