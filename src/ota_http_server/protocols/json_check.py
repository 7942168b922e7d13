"""The dialect of applications that ask in JSON whether there is something new: ESP-IDF's, mostly.

    check    what the board is and runs → an image to take, or why there is none; GET or POST
    report   how its try goes; POST

A board has about a kilobyte for the answer to a check. All that it says is optional, and whatever
it says beyond that is ignored.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.identity import Identity, project_name
from ota_http_server.domain.offer import Hold, Offer
from ota_http_server.domain.sighting import Sighting
from ota_http_server.http.callers import Callers
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.json_body import device_body, json_object
from ota_http_server.http.lane import not_allowed
from ota_http_server.http.manifest_links import ManifestLinks
from ota_http_server.http.said import Said
from ota_http_server.operations.check_in import Answer, CheckIn
from ota_http_server.operations.report import Report, Told, Word
from ota_http_server.operations.visit import Visit, visit_of

ANSWER_BYTES_MAX = 1_024  # what boards have for it
CHARACTER_BYTES_MAX = 6  # of one in JSON, as \u0007
DETAIL_CHARACTERS_MAX = 256
ATTEMPT_MAX = 2**53  # beyond this JSON numbers are not exact

TOLD = {
    str(told): told
    for told in (Told.DOWNLOADING, Told.DOWNLOADED, Told.INSTALLED, Told.FAILED, Told.RUNNING)
}

Fields = Mapping[str, Any]


class JsonCheck:
    """For the door of `/api/device/v1/`."""

    names: Sequence[str] = ("check", "report")

    def __init__(
        self, callers: Callers, check_in: CheckIn, report: Report, links: ManifestLinks
    ) -> None:
        self._callers = callers
        self._check_in = check_in
        self._report = report
        self._links = links

    def answer(self, request: Request) -> Reply:
        is_report = request.path.endswith("/report")
        if is_report and request.method != "POST":
            return not_allowed(("POST",))
        caller = self._callers.identify(request)
        if caller.project is not None:
            request.trust_connection()
        said = _fields(request)
        visit = _visit(request, caller, said)
        if is_report:
            return self._reported(visit, said)
        return self._checked(request, caller, visit, said)

    def _checked(self, request: Request, caller: Identity, visit: Visit, said: Fields) -> Reply:
        sighting = Sighting.of(
            version=said.get("version"),
            digests=(said.get("image_sha256"),),
            chip=said.get("chip"),
            revision=said.get("revision"),
            board=said.get("board"),
            free_bytes=said.get("free_bytes"),
        )
        opens = request.method != "HEAD"
        answer = self._check_in(visit, sighting, opens=opens)
        if isinstance(answer.decision, Hold):
            return _reply(_held(answer.decision, answer.poll_seconds), "detail")
        links = self._links.of(request, caller, visit.project, visit.device)
        url = links.absolute(answer.decision.image)
        return _reply(_offered(answer.decision, answer, url), "notes")

    def _reported(self, visit: Visit, said: Fields) -> Reply:
        """What it runs counts only where it says that it runs: before a restart it is the old one,
        and many a board then says the new one already."""
        told = TOLD.get(str(said.get("state")))
        if told is None:
            raise Invalid(f"state must be one of {', '.join(TOLD)}")
        word = Word(told, _attempt(said.get("attempt")), _detail(said.get("detail")))
        sighting = Sighting.of(version=said.get("version"), digests=(said.get("image_sha256"),))
        if told is Told.RUNNING and (sighting.version or sighting.digests):
            self._check_in(visit, sighting, opens=False)
        attempt = self._report(visit, word)
        return _reply({"attempt": attempt.id, "state": str(attempt.state)})


def _fields(request: Request) -> Fields:
    """What is said in the query or the body; `Invalid` where it cannot be read."""
    if request.method != "POST":
        return Said.of(request).fields
    body = device_body(request)
    return json_object(request.environ.get("CONTENT_TYPE"), body) if body else {}


def _visit(request: Request, caller: Identity, said: Fields) -> Visit:
    """The project comes from the credential; with tokens off the board says it."""
    project = caller.project
    if project is None:
        named = said.get("project")
        if not isinstance(named, str):
            raise Invalid("say which project this device belongs to, as project=…")
        project = project_name(named)
    return visit_of(caller, project, said.get("device"), request.address)


def _attempt(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= ATTEMPT_MAX:
        raise Invalid("attempt must be the number that the check answered with")
    return value


def _detail(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid("detail must be text")
    return value[:DETAIL_CHARACTERS_MAX]


def _held(hold: Hold, poll_seconds: int) -> dict[str, object]:
    held = {"update": False, "reason": str(hold.reason), "detail": hold.detail}
    return {**held, "poll_seconds": poll_seconds}


def _offered(offer: Offer, answer: Answer, url: str) -> dict[str, object]:
    image, release = offer.image, offer.release
    document: dict[str, object] = {
        "update": True,
        "attempt": answer.attempt.id if answer.attempt is not None else None,
        "version": release.version,
        "url": url,
        "size": image.size,
        "sha256": image.sha256,
        "md5": image.md5,
        "image_sha256": image.appended_sha256,
        "secure_version": image.secure_version,
        "rule": str(offer.rule),
        "poll_seconds": answer.poll_seconds,
    }
    if release.security:
        document["security"] = True
    if release.notes:
        document["notes"] = release.notes
    return document


def _reply(document: dict[str, object], cut: str = "") -> Reply:
    """The document as JSON, its text `cut` shortened until all of it fits."""
    body = _encoded(document)
    while len(body) > ANSWER_BYTES_MAX and (text := str(document.get(cut) or "")):
        too_many = -(-(len(body) - ANSWER_BYTES_MAX) // CHARACTER_BYTES_MAX)
        document[cut] = text[:-too_many]
        body = _encoded(document)
    headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Reply(200, headers, (body,))


def _encoded(document: Mapping[str, object]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
