"""What clients say, parsed at the edge. Fields that are not known are ignored, and so are those
that every client fills in its own way: `id`, `time`, `timestamp`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ota_http_server.domain.attributes import Mode, mode_of, said_of
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.version import VERSION_CHARACTERS_MAX
from ota_http_server.operations.report import Told, Word

MESSAGES_MAX = 50  # of one report, as in hawkBit; what is beyond is left out, no client cares

_FINISHED = ("success", "failure", "none")
_STEPS = {
    "proceeding": Told.RUNNING,
    "scheduled": Told.RUNNING,
    "resumed": Told.RUNNING,
    "rejected": Told.RUNNING,
    "download": Told.DOWNLOADING,
    "downloaded": Told.DOWNLOADED,
    "canceled": Told.CANCELED,
}
_CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a configData says."""

    mode: Mode
    said: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class _Feedback:
    execution: str
    finished: str
    lines: tuple[str, ...]

    @property
    def detail(self) -> str:
        """In one line why: the last thing it says before it ends."""
        return self.lines[-1] if self.lines and self.execution in (_CLOSED, "canceled") else ""


def deployment_word(action: int, body: Mapping[str, Any]) -> Word:
    """A report on a deployment; closed with anything but failure is success, as in hawkBit."""
    said = _feedback(body)
    told = _STEPS.get(said.execution)
    if told is None:
        told = Told.FAILED if said.finished == "failure" else Told.INSTALLED
    return Word(told, action, said.detail, said.lines)


def cancel_word(action: int, body: Mapping[str, Any]) -> Word:
    """A report on a cancellation."""
    said = _feedback(body)
    told = Told.RUNNING
    if said.execution == "rejected":
        told = Told.NOT_CANCELED
    elif said.execution == _CLOSED:
        told = Told.NOT_CANCELED if said.finished == "failure" else Told.CANCELED
    return Word(told, action, said.detail, said.lines)


def attributes(body: Mapping[str, Any]) -> Attributes:
    return Attributes(mode_of(body.get("mode")), said_of(body.get("data")))


def installed(body: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version of what the device says that it runs."""
    name, version = body.get("name"), body.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
        raise Invalid("name and version are needed, both as text")
    if len(version) > VERSION_CHARACTERS_MAX:
        raise Invalid(f"a version has at most {VERSION_CHARACTERS_MAX} characters")
    return name, version


def history_of(query: str) -> int | None:
    """How many messages `actionHistory` asks for; -1: all that there are. None: no history."""
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if name == "actionHistory" and value not in ("", "0"):
            if not value.removeprefix("-").isascii() or not value.removeprefix("-").isdigit():
                raise Invalid("actionHistory must be a whole number")
            return -1 if value.startswith("-") else int(value[:9])
    return None


def _feedback(body: Mapping[str, Any]) -> _Feedback:
    status = body.get("status")
    result = status.get("result") if isinstance(status, dict) else None
    if not isinstance(status, dict) or not isinstance(result, dict):
        raise Invalid("status and status.result must be objects")
    execution = _one_of("status.execution", status.get("execution"), (*_STEPS, _CLOSED))
    finished = _one_of("status.result.finished", result.get("finished"), _FINISHED)
    return _Feedback(execution, finished, tuple(islice(_lines(status, result), MESSAGES_MAX)))


def _one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    word = value.lower() if isinstance(value, str) else ""
    if word not in known:
        raise Invalid(f"{name} must be one of {', '.join(known)}")
    return word


def _lines(status: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    details = status.get("details")
    if details is not None and not isinstance(details, list):
        raise Invalid("status.details must be a list of texts")
    said = [line for line in details or () if isinstance(line, str) and line.strip()]
    yield from said
    progress, code = result.get("progress"), status.get("code")
    if not said and isinstance(progress, dict) and _is_count(progress.get("of")):
        yield f"{progress.get('cnt')} of {progress['of']}"[:40]
    if _is_count(code):
        yield f"code {code}"


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
