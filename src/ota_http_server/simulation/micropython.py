"""MicroPython with glenn20's esp32-ota: a `.json` file, then the firmware that it names.

Read from ota/update.py and from `requests` of micropython-lib: it speaks HTTP/1.0, refuses chunks,
follows absolute redirects only, and sends `Host` without the port. So whatever a server builds
from `Host` leads to port 80: a bare file name in the JSON, which is put behind the JSON's folder,
always works. The URL has to end in `.json`, so a token cannot stand in a query.
"""

from hashlib import sha256

from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.answer import Answer, is_number
from ota_http_server.simulation.board import Board, Device, Did, Outcome
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.line import ANYBODY, Access, Words
from ota_http_server.simulation.redirects import Rules, follow

PATIENCE_SECONDS = 60.0  # none of its own
NO_KEYS = 'OTA json must include "firmware", "sha" and "length" keys.'

WORDS = Words(
    refused="OSError: [Errno 104] ECONNRESET",
    silent="OSError: [Errno 116] ETIMEDOUT",
    cut="OSError: [Errno 104] ECONNRESET",
    nonsense="ValueError: invalid syntax for integer",
)
REDIRECTS = Rules(
    most=20,
    relative=False,
    relative_over_tls=False,
    complaint="ValueError: Unsupported protocol",
    too_many="RuntimeError: maximum recursion depth exceeded",
)


class MicroPython(Device):
    """`url` is the JSON file. It takes whatever firmware that names, unless it runs it already."""

    def __init__(self, url: str, board: Board, access: Access = ANYBODY) -> None:
        super().__init__(board, access, WORDS, PATIENCE_SECONDS)
        self.url = url
        self.address = Address.of(url)

    def read_json(self, answer: Answer) -> tuple[Address, str, int]:
        """Where the firmware is, its digest and its length."""
        said = check(answer).json_object("ValueError: syntax error in JSON")
        firmware, digest, length = (said.get(key) for key in ("firmware", "sha", "length"))
        if not (isinstance(firmware, str) and isinstance(digest, str)) or not is_number(length):
            raise Failed(NO_KEYS)
        return self.firmware_address(firmware), digest, length

    def firmware_address(self, firmware: str) -> Address:
        if firmware.startswith("/"):
            raise Failed(f"OSError: [Errno 2] ENOENT ({firmware} is taken for a local file)")
        if not firmware.startswith(("https:", "http:")):
            firmware = f"{self.url.rpartition('/')[0]}/{firmware}"
        return Address.of(firmware)

    def fetch(self, address: Address, digest: str, length: int) -> bytes:
        with self.board.link(self.line):
            image = check(self.get(address)).body
        if length and len(image) != length:
            raise Failed(f"ValueError: Receive {len(image)} bytes (expect {length}).")
        counted = sha256(image).hexdigest()
        if digest and counted != digest:
            raise Failed(f"ValueError: SHA mismatch recv={counted} expect={digest}.")
        return image

    def get(self, address: Address) -> Answer:
        def ask(there: Address) -> Answer:
            return self.line.ask(there, self.request(there))

        return follow(address, ask, REDIRECTS)[1]

    def request(self, address: Address) -> bytes:
        fields = [("Host", address.host), *self.access.headers]
        if self.access.token is not None:
            fields.append(("Authorization", f"Bearer {self.access.token}"))
        return request_bytes(f"GET {address.target} HTTP/1.0", fields)

    def _check_in(self) -> Outcome:
        if not self.url.endswith(".json"):
            raise Failed("ValueError: Url does not end with '.json'")
        address, digest, length = self.read_json(self.get(self.address))
        if self.board.running is not None and digest == self.board.running.sha256:
            return self._outcome(Did.NOTHING)
        image = self.fetch(address, digest, length)
        self.board.flash(image, "OSError: (-5379, 'ESP_ERR_OTA_VALIDATE_FAILED')")
        return self._outcome(self.board.reboot())


def check(answer: Answer) -> Answer:
    """What `requests` and `open_url` take."""
    if answer.framing_used == "chunked":
        raise Failed("ValueError: Unsupported Transfer-Encoding: chunked")
    if answer.status != 200:
        raise Failed(f"ValueError: HTTP Error: {answer.status}")
    return answer
