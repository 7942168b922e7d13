"""esp32FOTA: a JSON manifest, one entry or a list, and the image that it names.

Read from esp32FOTA.cpp. `type` must be the firmware's own name; `version` is a number or a
semver; the place is `url`, or `host`, `port` and `bin` (TLS only on 443 and 4433). Of a list the
first entry that is newer is taken, not the newest. The whole manifest has to fit into 2048 bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer, is_number
from ota_http_server.simulation.board import Board, Device, Did, Outcome
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.httpclient import PATIENCE_SECONDS, STRICT_REDIRECTS, WORDS, get
from ota_http_server.simulation.line import ANYBODY, Access

MANIFEST_BYTES_MAX = 2048  # JSON_FW_BUFF_SIZE
NO_PLACE = "JSON manifest was missing one of the required keys :("
_SEMVER = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
STATUS_WORDS = {
    401: "Status: 401 (Unauthorized), check setExtraHTTPHeader() values",
    403: "Status: 403 (Forbidden), check path on webserver?",
    404: "Status: 404 (Not Found), also a palindrom, check path in manifest?",
}


@dataclass(frozen=True, slots=True)
class Entry:
    version: str
    address: Address


class Esp32Fota(Device):
    """`url` is the manifest; `name` the firmware's type."""

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        name: str,
        says_id: bool = False,
    ) -> None:
        super().__init__(board, access, WORDS, PATIENCE_SECONDS)
        if says_id:
            # ESP.getEfuseMac() has the address's first byte in its lowest.
            number = int.from_bytes(bytes.fromhex(board.mac.replace(":", "")), "little")
            url += ("&" if "?" in url else "?") + f"id={number}"
        self.address = Address.of(url)
        self.name = name

    def read_manifest(self, answer: Answer) -> list[Mapping[str, Any]]:
        if answer.status != 200:
            raise Failed(f"Error on HTTP request (httpCode={answer.status})")
        size = len(answer.body)
        if size > MANIFEST_BYTES_MAX:
            raise Failed(f"JSON Parsing failed (NoMemory, in={size} bytes, buff=2048 bytes)")
        document = answer.json(f"JSON Parsing failed (InvalidInput, in={size} bytes)")
        entries = document if isinstance(document, list) else [document]
        if not all(isinstance(entry, dict) for entry in entries):
            raise Failed("JSON Parsing failed (neither an object nor a list of them)")
        return entries

    def newer(self, entries: list[Mapping[str, Any]]) -> Entry | None:
        """The first entry of this firmware's type that is newer than what runs."""
        for entry in entries:
            if entry.get("type") == self.name:
                version = str(entry.get("version", "0"))
                address = place(entry)
                if semver(version) > semver(self.board.said_version or "0"):
                    return Entry(version, address)
        return None

    def fetch(self, address: Address) -> bytes:
        with self.board.link(self.line):
            answer = get(self.line, address, self.access, STRICT_REDIRECTS)
        if answer.status != 200:
            complaint = f"Server responded with HTTP Status '{answer.status}'"
            raise Failed(STATUS_WORDS.get(answer.status, complaint))
        if answer.framing_used != "length" or not answer.body:
            raise Failed("There was no content in the http response: (length: -1)")
        if answer.body[:1] != b"\xe9":
            raise Failed("An Update Error Occurred. Error #: 9")  # UPDATE_ERROR_MAGIC_BYTE
        return answer.body

    def _check_in(self) -> Outcome:
        answer = get(self.line, self.address, self.access, STRICT_REDIRECTS)
        entry = self.newer(self.read_manifest(answer))
        if entry is None:
            return self._outcome(Did.NOTHING)
        self.line.close()
        image = self.fetch(entry.address)
        self.board.flash(image, "An Update Error Occurred. Error #: 10", entry.version)
        return self._outcome(self.board.reboot())


def place(entry: Mapping[str, Any]) -> Address:
    """Where an entry's image is."""
    url, host, port, file = (entry.get(key) for key in ("url", "host", "port", "bin"))
    if isinstance(url, str):
        return Address.of(url)
    if not (isinstance(host, str) and isinstance(file, str)) or not is_number(port):
        raise Failed(NO_PLACE)
    scheme = "https" if port in (443, 4433) else "http"
    return Address.of(f"{scheme}://{host}:{port}{file}")


def semver(text: str) -> tuple[int, int, int, bool, str]:
    """The library's order; what it cannot read counts as 0."""
    said = _SEMVER.fullmatch(text)
    if said is None:
        return 0, 0, 0, True, ""
    major, minor, patch = (int(number or 0) for number in said.group(1, 2, 3))
    return major, minor, patch, said[4] is None, said[4] or ""
