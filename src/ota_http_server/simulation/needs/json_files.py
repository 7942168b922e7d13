"""What esp32FOTA, ESP32-OTA-Pull and MicroPython's esp32-ota need of their JSON, and behind it."""

from abc import ABC, abstractmethod
from dataclasses import replace
from hashlib import sha256

from ota_http_server.simulation import httpclient, micropython
from ota_http_server.simulation.address import PORTS, Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import Board
from ota_http_server.simulation.esp32fota import MANIFEST_BYTES_MAX, Esp32Fota, place
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.micropython import MicroPython
from ota_http_server.simulation.needs.finding import Need, Stop, reason
from ota_http_server.simulation.needs.image import ImageLook, ImageNeeds
from ota_http_server.simulation.needs.probe import ANSWERS, TRY_MAC, Probe
from ota_http_server.simulation.ota_pull import OtaPull
from ota_http_server.simulation.redirects import NO_REDIRECTS, Rules

GIVES_UP = "it logs the status and gives up"
STATUS = Need("the JSON is answered with 200", GIVES_UP, "check the URL and the credential")


class JsonNeeds(ABC):
    """JSON first, then the image that it names."""

    fields: Need
    image: ImageNeeds
    rules: Rules
    seconds: float = httpclient.PATIENCE_SECONDS

    def __init__(self, url: str, access: Access) -> None:
        self.address = Address.of(url)
        self.access = access
        self.needs: tuple[Need, ...] = (ANSWERS, STATUS, self.fields, *self.image.all())

    def examine(self, probe: Probe) -> None:
        self.fetch(probe)

    def fetch(self, probe: Probe) -> Answer:
        """Reads the JSON, then the image that it names; the answer with the image."""
        answer = self._json(probe)
        probe.notes.demand(STATUS, answer.status == 200, str(answer.status))
        try:
            there = self.read(probe, answer)
        except Failed as failed:
            probe.notes.broken(self.fields, reason(failed))
            raise Stop from None
        probe.notes.ok(self.fields, there.shown)
        probe.line.close()
        look = ImageLook(self.image, self.seconds, self.rules)
        return look.fetch(probe, there, self.request)[1]

    @abstractmethod
    def read(self, probe: Probe, answer: Answer) -> Address:
        """Where the image is, as the client reads it, or `Failed`."""

    def request(self, address: Address) -> bytes:
        return httpclient.request(address, self.access)

    def _json(self, probe: Probe) -> Answer:
        def ask(there: Address) -> Answer:
            return probe.ask(there, self.request(there))

        return probe.follow(self.address, ask, self.rules, self.image.redirect)[1]


class Esp32FotaNeeds(JsonNeeds):
    fields = Need(
        f"the JSON (at most {MANIFEST_BYTES_MAX} bytes) has type, version and url (or host, port"
        " and bin)",
        '"JSON Parsing failed" or "missing one of the required keys": it never updates',
        'write {"type", "version", "url"}; several entries as a list, the newest first',
    )
    image = ImageNeeds.of(
        httpclient.PATIENCE_SECONDS,
        status=GIVES_UP,
        redirect="it gives up: it follows a redirect only within the same scheme",
        length='"There was no content in the http response": it gives up',
    )
    rules = httpclient.STRICT_REDIRECTS

    def read(self, probe: Probe, answer: Answer) -> Address:
        client = Esp32Fota(self.address.url, Board(mac=TRY_MAC), self.access, name="")
        entries = client.read_manifest(answer)
        if not entries:
            raise Failed("an empty list")
        for entry in entries:
            if not isinstance(entry.get("type"), str) or not entry["type"]:
                raise Failed("no type")
            if not isinstance(entry.get("version"), str | int):
                raise Failed("no version")
            place(entry)
        return place(entries[0])


class OtaPullNeeds(JsonNeeds):
    fields = Need(
        'the JSON has "Configurations", and in each Version and URL as strings',
        "JSON_PROBLEM or NO_UPDATE_PROFILE_FOUND: it never updates",
        'write {"Configurations": [{"Board", "Version", "URL"}]}',
    )
    image = ImageNeeds.of(
        httpclient.PATIENCE_SECONDS,
        status="it returns the status and gives up",
        redirect="it gives up: it follows none",
        redirect_rule="no redirect",
        length="it reads nothing: WRITE_ERROR",
    )
    rules = NO_REDIRECTS

    def __init__(self, url: str, access: Access) -> None:
        super().__init__(url, replace(access, token=None, headers=()))

    def read(self, probe: Probe, answer: Answer) -> Address:
        configurations = OtaPull(self.address.url, Board(mac=TRY_MAC)).read_configurations(answer)
        if not configurations:
            raise Failed("no configuration")
        for one in configurations:
            if not isinstance(one.get("Version"), str) or not isinstance(one.get("URL"), str):
                raise Failed("Version or URL is no string")
        return Address.of(configurations[0]["URL"])


SUFFIX = Need(
    "the URL of the JSON ends in .json",
    "\"Url does not end with '.json'\": it does not even ask",
    "put the credential into the path, not into a query",
)
PORT = Need(
    "the firmware's URL leads to the right port (this client sends Host without one)",
    "it asks at port 80 or 443",
    "name the firmware by its bare file name, or fix the server's public URL",
)
ENDS = Need(
    "an answer to HTTP/1.0 ends with its connection",
    "it reads to the end of the connection, and waits for it",
    "close the connection behind an answer to HTTP/1.0",
)
ANNOUNCED = Need(
    "sha and length are those of the firmware",
    '"SHA mismatch" or "Receive … bytes": it gives up after the whole download',
    "make both from the very bytes that are served",
)


class MicroPythonNeeds(JsonNeeds):
    fields = Need(
        "the JSON has firmware and sha as strings and length as a number",
        micropython.NO_KEYS.rstrip("."),
        'write {"firmware": "name.bin", "sha": "64 hex digits", "length": 123}',
    )
    image = ImageNeeds.of(
        micropython.PATIENCE_SECONDS,
        status='"HTTP Error": it gives up',
        redirect="it gives up: only absolute ones are followed",
        length="chunks are refused; without a length a cut download counts as complete",
    )
    rules = micropython.REDIRECTS
    seconds = micropython.PATIENCE_SECONDS

    def __init__(self, url: str, access: Access) -> None:
        super().__init__(url, access)
        self.needs = (
            SUFFIX,
            ANSWERS,
            STATUS,
            ENDS,
            self.fields,
            PORT,
            *self.image.all(),
            ANNOUNCED,
        )
        self._client = MicroPython(url, Board(mac=TRY_MAC), access)
        self._digest, self._length = "", 0

    def examine(self, probe: Probe) -> None:
        good = self._client.url.endswith(".json")
        probe.notes.demand(SUFFIX, good, "" if good else "it ends otherwise")
        self._compare(probe, self.fetch(probe))

    def read(self, probe: Probe, answer: Answer) -> Address:
        said = answer.headers.get("connection", "missing")
        closes = answer.version == "HTTP/1.0" or "close" in said.lower()
        probe.notes.judge(ENDS, closes, f"{answer.version}, Connection: {said}")
        there, self._digest, self._length = self._client.read_json(answer)
        here = self.address
        lost = there.host == here.host and there.port == PORTS[there.scheme] != here.port
        probe.notes.demand(PORT, not lost, there.shown)
        return there

    def request(self, address: Address) -> bytes:
        return self._client.request(address)

    def _compare(self, probe: Probe, answer: Answer) -> None:
        counted, length = sha256(answer.body).hexdigest(), len(answer.body)
        good = (self._digest, self._length) == (counted, length)
        found = f"{self._length} bytes, {self._digest}"
        found += "" if good else f"; the firmware has {length} bytes, {counted}"
        probe.notes.judge(ANNOUNCED, good, found)
