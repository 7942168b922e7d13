"""What a client needs of a server, and what was found."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.failed import Failed


class Verdict(StrEnum):
    OK = "ok"
    BROKEN = "BROKEN"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a client cannot do without."""

    says: str
    then: str
    """What the client does where it is missing."""
    mend: str


@dataclass(frozen=True, slots=True)
class Finding:
    need: Need
    verdict: Verdict
    found: str
    """What was seen, or why it was not tried."""


class Stop(Exception):
    """Nothing more can be tried; the rest of the needs stay open."""


class Notes:
    """The needs of one client, each with a verdict at the end."""

    def __init__(self, needs: tuple[Need, ...]) -> None:
        self._needs = needs
        self._found: dict[Need, Finding] = {}
        self._open_because = "the client does not get that far"

    def ok(self, need: Need, found: str = "") -> None:
        self._note(need, Verdict.OK, found)

    def broken(self, need: Need, found: str) -> None:
        self._note(need, Verdict.BROKEN, found)

    def untried(self, need: Need, why: str) -> None:
        if need not in self._found:
            self._note(need, Verdict.UNTRIED, why)

    def judge(self, need: Need, good: bool, found: str) -> bool:
        """One broken stays broken: a need may be looked at several times."""
        self._note(need, Verdict.OK if good else Verdict.BROKEN, found)
        return good

    def demand(self, need: Need, good: bool, found: str) -> None:
        """Like `judge`, where nothing makes sense without it."""
        if not self.judge(need, good, found):
            raise Stop

    def end(self, because: str) -> Stop:
        """To be raised where there is nothing more to try, and nothing wrong."""
        self._open_because = because
        return Stop()

    def findings(self) -> list[Finding]:
        return [
            self._found.get(need) or Finding(need, Verdict.UNTRIED, self._open_because)
            for need in self._needs
        ]

    def _note(self, need: Need, verdict: Verdict, found: str) -> None:
        before = self._found.get(need)
        if before is None or before.verdict is not Verdict.BROKEN:
            self._found[need] = Finding(need, verdict, found)


def reason(failed: Failed) -> str:
    return str(failed) or type(failed).__name__


def object_of(answer: Answer) -> dict[str, Any] | None:
    """The JSON object in it; None if there is none."""
    try:
        return answer.json_object("")
    except Failed:
        return None
