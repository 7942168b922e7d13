"""The dialect of Arduino's update libraries: HTTPUpdate, ESP8266httpUpdate, and Tasmota on them.

A board says what it is in `x-ESP32-*` or `x-ESP8266-*`; arduino-pico has lost the name between the
hyphens. It asks in one GET of HTTP/1.0, follows no redirect, and understands 200 (flash this
body), 304 (nothing to do) and by name 403 and 404; anything else is a failed update. So a decision
that holds is a 304 here, with the reason in `x-ota-reason` for whoever watches.

`latest.bin` is a check-in. Any other name is that file, unless the board runs it already or is
known to be unable to.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Forbidden, Invalid, NotFound, Refusal
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.observation import told
from ota_http_server.domain.offer import Decision, Hold, Reason
from ota_http_server.domain.release import VERSION_PATTERN
from ota_http_server.domain.sighting import BYTES_MAX, DIGEST_PATTERN, NOTHING_SAID, Sighting
from ota_http_server.domain.version import VERSION_CHARACTERS_MAX
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.firmware_door import FirmwareDialect
from ota_http_server.http.images import Images
from ota_http_server.http.place import Place
from ota_http_server.http.said import Said
from ota_http_server.operations.check_in import CheckIn
from ota_http_server.operations.choose_filesystem import ChooseFilesystem
from ota_http_server.operations.judge_file import Asking, JudgeFile
from ota_http_server.operations.newest_image import NEWEST_NAME, Newest
from ota_http_server.operations.visit import Visit, visit_of

ESP8266 = "esp8266"
PREFIXES = ("HTTP_X_ESP32_", "HTTP_X_ESP8266_", "HTTP_X__")  # as WSGI writes them
MAC_KEYS = tuple((f"{prefix}STA_MAC", prefix) for prefix in PREFIXES)
MAC_KEY_PATTERN = re.compile(r"(HTTP_X_[A-Z0-9]{1,16}_)STA_MAC\Z")
MAC_PATTERN = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\Z")
USER_AGENT_END = "http-update"

SKETCH, VERSION = "sketch", "version"
"""The modes that ask for a program, or about it; all others are a filesystem's."""
TAKES: tuple[Kind, ...] = ("application", "opaque")

FORBIDDEN_NEWEST = frozenset({Reason.BLOCKED})
FORBIDDEN_FILE = frozenset(Reason) - {Reason.UP_TO_DATE, Reason.STOPPED}


@dataclass(frozen=True, slots=True)
class Board:
    """What the headers say. `version` is the program's, or in its modes the filesystem's."""

    mode: str
    mac: str | None
    version: str | None
    sighting: Sighting

    @property
    def wants_program(self) -> bool:
        return self.mode in (SKETCH, VERSION)


class Arduino:
    """For the door below the firmware prefix."""

    def __init__(
        self,
        check_in: CheckIn,
        judge: JudgeFile,
        choose_filesystem: ChooseFilesystem,
        images: Images,
        lies_there: Callable[[str, str], bool],
    ) -> None:
        self._check_in = check_in
        self._judge = judge
        self._choose_filesystem = choose_filesystem
        self._images = images
        self._lies_there = lies_there

    def recognises(self, request: Request) -> bool:
        return _prefix(request) is not None

    def answer(
        self, request: Request, caller: Identity, place: Place, otherwise: FirmwareDialect
    ) -> Reply:
        board = _board(request)
        if place.name == NEWEST_NAME and not self._lies_there(place.project, NEWEST_NAME):
            visit = visit_of(caller, place.project, board.mac, request.address)
            return self._newest(request, visit, board)
        reply = self._file(request, caller, place, board)
        return reply or otherwise.answer(request, caller, place)

    def _newest(self, request: Request, visit: Visit, board: Board) -> Reply:
        opens = board.mode == SKETCH and request.method == "GET"
        answer = self._check_in(visit, board.sighting, parts=TAKES, opens=opens)
        decision = answer.decision
        if isinstance(decision, Hold) and decision.reason is Reason.STOPPED:
            return _held(decision, FORBIDDEN_NEWEST)
        if not board.wants_program and answer.device and answer.device.project == visit.project:
            chosen = self._choose_filesystem(answer.device, board.version)
            if isinstance(chosen, Hold):
                return _held(chosen, FORBIDDEN_NEWEST)
            return self._sent(request, visit, chosen)
        if board.mode == VERSION and (newest := _newest_version(decision)) is not None:
            return _told(newest)
        if isinstance(decision, Hold):
            return _held(decision, FORBIDDEN_NEWEST)
        return self._sent(request, visit, Newest(decision.release, decision.image))

    def _sent(self, request: Request, visit: Visit, newest: Newest) -> Reply:
        return self._images.send(
            request, visit.project, newest.image, newest.modified_at, device=visit.device
        )

    def _file(self, request: Request, caller: Identity, place: Place, board: Board) -> Reply | None:
        """None: the file, as anybody gets it. What keeps us from judging keeps nobody from it."""
        asking = Asking(
            device=self._device(request, caller, place, board),
            sighting=board.sighting,
            as_program=board.wants_program,
            has_version=None if board.wants_program else board.version,
        )
        try:
            judged = self._judge(caller, place.project, place.name, asking)
        except Refusal:
            return None
        if board.mode == VERSION:
            if judged.version is None or not VERSION_PATTERN.fullmatch(judged.version):
                raise NotFound(f"{place.name} has no version that a header can carry")
            return _told(judged.version)
        hold = judged.hold
        if hold is None or (hold.reason is Reason.TOO_BIG and board.sighting.chip == ESP8266):
            # An ESP8266 sees by the length what is too big, and Tasmota then asks for less.
            return None
        return _held(hold, FORBIDDEN_FILE)

    def _device(self, request: Request, caller: Identity, place: Place, board: Board) -> Device:
        """The board as the registry knows it, which hears of it here; else as it says it is."""
        try:
            visit = visit_of(caller, place.project, board.mac, request.address)
            answer = self._check_in(visit, board.sighting, parts=TAKES, opens=False)
        except Refusal:
            answer = None
        if answer is not None and answer.device is not None:
            other = answer.device.chip == ESP8266 and board.sighting.chip is None
            # A token may be in many boards: what another family's said does not count here.
            return replace(answer.device, chip=None) if other else answer.device
        return told(Device(id="", project=place.project), board.sighting, None, 0)


def _prefix(request: Request) -> str | None:
    """How the names of the board's headers begin; None if it is no such board."""
    environ = request.environ
    for key, prefix in MAC_KEYS:
        if key in environ:
            return prefix
    if (request.header("User-Agent") or "").lower().endswith(USER_AGENT_END):
        found = (MAC_KEY_PATTERN.match(key) for key in environ)
        return next((match[1] for match in found if match), None)
    return None


def _board(request: Request) -> Board:
    """What cannot be understood counts as not said: no sketch knows why it would be refused."""
    prefix = _prefix(request) or ""

    def said(name: str) -> str:
        return str(request.environ.get(prefix + name, "")).strip()

    mode = said("MODE").lower() or SKETCH
    version = said("VERSION")
    if len(version) > VERSION_CHARACTERS_MAX or not version.isprintable():
        version = ""
    digests = (said("SKETCH_SHA256").lower(), said("SKETCH_MD5").lower())
    room = said("FREE_SPACE")
    mac = said("STA_MAC").lower()
    sighting = Sighting.of(
        version=version,
        digests=tuple(one for one in digests if DIGEST_PATTERN.fullmatch(one)),
        chip=ESP8266 if "ESP8266" in prefix else None,
        free_bytes=room if _is_bytes(room) else None,
    )
    sighting = sighting.beside(_said_in_url(request))
    if mode not in (SKETCH, VERSION):
        sighting = replace(sighting, version=None)  # that was the filesystem's
    return Board(mode, mac if MAC_PATTERN.match(mac) else None, version or None, sighting)


def _said_in_url(request: Request) -> Sighting:
    try:
        return Said.of(request).sighting()
    except Invalid:
        return NOTHING_SAID


def _is_bytes(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 13 and int(text) <= BYTES_MAX


def _held(hold: Hold, forbidden: Collection[Reason]) -> Reply:
    """304 is the libraries' "no update"; they log what it is that they may not have."""
    if hold.reason in forbidden:
        raise Forbidden(f"{hold.reason}: {hold.detail}")
    return Reply(304, (("x-ota-reason", str(hold.reason)), ("Cache-Control", "no-store")))


def _newest_version(decision: Decision) -> str | None:
    if isinstance(decision, Hold) and decision.reason is not Reason.UP_TO_DATE:
        return None
    return None if decision.release is None else decision.release.version


def _told(version: str) -> Reply:
    return Reply(200, (("x-version", version), ("Cache-Control", "no-store")))
