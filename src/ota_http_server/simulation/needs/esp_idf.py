"""What `esp_https_ota` needs, plain, in ranges and resumed; and what our JSON check has to say."""

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import Board
from ota_http_server.simulation.esp_idf import CHECK_BYTES_MAX, EspIdf
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.https_ota import PATIENCE_SECONDS, PIECE_BYTES
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.needs.finding import Need, Notes, Stop, object_of, reason
from ota_http_server.simulation.needs.image import ImageLook, ImageNeeds
from ota_http_server.simulation.needs.probe import ANSWERS, TRY_MAC, Probe
from ota_http_server.simulation.needs.ranges import examine_ranges, range_needs

BUFFER = Need(
    "path and credential fit the transmit buffer of 512 bytes",
    "it sends a head without an end, or nothing, and gives up after 5 seconds",
    "use a shorter token (Bearer: 485 characters, path and query: 459), or set buffer_size_tx",
)
IMAGE = ImageNeeds.of(
    PATIENCE_SECONDS,
    status="it gives up; up to ESP-IDF 5.4 it repeats a 401 ten times",
    redirect="ESP-IDF 5.5 gives up with 0x700d",
    length="a download that is cut off counts as complete; in partial mode it gives up",
)
RANGES = range_needs(
    "partial mode and resumption",
    head="partial mode fails before its first range",
    ignored="a resumed partial download is written behind the old bytes and is corrupt",
    kept="each range costs a TLS handshake: seconds on a board",
)
CHECK = Need(
    "the check is answered with 200 and JSON of at most 1,024 bytes",
    "the application cannot read the answer and stays where it is",
    "keep notes and the like out of the answer to a check",
)
FIELDS = Need(
    'the check\'s "update" is true or false, and with true "url" is an absolute URL',
    "the application does not know whether or what to download",
    'answer {"update": false} or {"update": true, "url": "https://…", …}',
)
NEEDS = (BUFFER, ANSWERS, *IMAGE.all(), *RANGES.all())
CHECK_NEEDS = (BUFFER, ANSWERS, CHECK, FIELDS, *IMAGE.all(), *RANGES.all())


class EspIdfNeeds:
    """A URL that ends in `/check` is asked in JSON first."""

    def __init__(self, url: str, access: Access) -> None:
        self._client = EspIdf(url, Board(mac=TRY_MAC), access)
        self.needs = CHECK_NEEDS if self._client.checks else NEEDS

    def examine(self, probe: Probe) -> None:
        address = self._client.address
        if self._client.checks:
            address = self._checked(probe)
        look = ImageLook(IMAGE, PATIENCE_SECONDS, self._client.ota.redirects)
        address, answer = look.fetch(probe, address, lambda there: self._get(probe, there))
        if answer.framing_used != "length":
            raise probe.notes.end("without a length there are no ranges")
        examine_ranges(
            probe,
            RANGES,
            address,
            answer.body,
            PIECE_BYTES,
            lambda method, there, fields: self._client.ota.request(method, there, *fields),
            lambda there, ask: probe.follow(there, ask, look.rules, IMAGE.redirect),
        )

    def _get(self, probe: Probe, there: Address) -> bytes:
        return probe.request(BUFFER, lambda: self._client.ota.request("GET", there))

    def _checked(self, probe: Probe) -> Address:
        request = probe.request(BUFFER, self._client.check_request)
        answer = probe.ask(self._client.address, request)
        _judge_check(probe.notes, answer)
        try:
            asked = self._client.read_check(answer)
        except Failed as failed:
            probe.notes.broken(FIELDS, reason(failed))
            raise Stop from None
        if asked.address is None:
            raise probe.notes.end(f"there is no update: {asked.reason or 'no reason given'}")
        return asked.address


def _judge_check(notes: Notes, answer: Answer) -> None:
    size = len(answer.body)
    said = object_of(answer)
    good = answer.status == 200 and size <= CHECK_BYTES_MAX and said is not None
    notes.demand(CHECK, good, f"{answer.status}, {size} bytes")
    said = said or {}
    update, url = said.get("update"), said.get("url")
    good = update is False or (update is True and isinstance(url, str) and "://" in url)
    shown = "an absolute url" if good and update else "no absolute url"
    notes.demand(FIELDS, good, f"update: {update!r}, {shown}")
