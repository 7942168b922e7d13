"""The door below `/firmware/<project>/`: many dialects share it, and a name or a header tells whose
request it is.

Who calls comes first: a stranger's request costs no look at any file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ota_http_server.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from ota_http_server.domain.identity import Identity
from ota_http_server.http.callers import Callers
from ota_http_server.http.exchange import Reply, Request
from ota_http_server.http.lane import READING
from ota_http_server.http.place import Place, parsed
from ota_http_server.http.problems import problem
from ota_http_server.operations.download import NO_SUCH_PROJECT
from ota_http_server.operations.visit import poll_seconds_of

POLL_SECONDS = "X-Poll-Seconds"
"""When to ask again. Clients that know no such header have an interval of their own."""
LISTS = frozenset({"latest", "versions"})
LASTING = (Invalid, Forbidden, NotFound, Conflict)
"""What to ask again soon does not help against; the others say by themselves when it does."""


class _NotNow(Refusal):
    """A refusal to a device that looks for an update, and when it should look again."""

    def __init__(self, refusal: Refusal, seconds: int) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal
        self.seconds = seconds


class FirmwareDialect(Protocol):
    """A dialect whose URLs lie below the firmware prefix."""

    def answer(self, request: Request, caller: Identity, place: Place) -> Reply:
        """Translates; the caller was identified, and may not be allowed to see the project."""


class BoardDialect(Protocol):
    """One that is told by what the client says of itself, whatever it asks for."""

    def recognises(self, request: Request) -> bool:
        """On the hot path: a few look-ups of headers."""

    def answer(
        self, request: Request, caller: Identity, place: Place, otherwise: FirmwareDialect
    ) -> Reply:
        """The same; `otherwise` answers whoever is no board."""


class FirmwareDoor:
    """`prefix` ends with a slash."""

    methods: Sequence[str] = READING

    def __init__(
        self,
        prefix: str,
        callers: Callers,
        named: Mapping[str, FirmwareDialect],
        boards: Sequence[BoardDialect],
        otherwise: FirmwareDialect,
        *,
        poll_seconds: int,
    ) -> None:
        self._poll_seconds = poll_seconds
        self.prefix = prefix
        self._callers = callers
        self._named = dict(named)
        self._boards = tuple(boards)
        self._otherwise = otherwise

    def answer(self, request: Request) -> Reply:
        place, credential = parsed(request.path[len(self.prefix) :])
        caller = self._callers.identify(request, credential, place)
        if caller.credential and caller.subject:
            request.trust_connection()
        if place is None:
            raise NotFound(NO_SUCH_PROJECT)
        if caller.sha256_start is not None and caller.sha256_start != place.digest_start:
            raise NotFound(NO_SUCH_PROJECT)  # a ticket opens its own image
        if place.digest_start is not None:
            return self._otherwise.answer(request, caller, place)
        dialect = self._named.get(place.name, self._otherwise)
        board = next((one for one in self._boards if one.recognises(request)), None)
        if board is None and dialect is self._otherwise and place.name not in LISTS:
            return dialect.answer(request, caller, place)  # a download
        seconds = poll_seconds_of(caller.subject, self._poll_seconds)
        try:
            if board is None:
                reply = dialect.answer(request, caller, place)
            else:
                reply = board.answer(request, caller, place, dialect)
        except LASTING as refusal:
            if not caller.subject:
                raise
            raise _NotNow(refusal, seconds) from refusal
        return _with_next_poll(reply, seconds)

    def refuse(self, refusal: Refusal) -> Reply:
        """A problem; a device is told when to ask again."""
        if isinstance(refusal, _NotNow):
            return _with_next_poll(problem(refusal.refusal), refusal.seconds)
        return problem(refusal)


def _with_next_poll(reply: Reply, seconds: int) -> Reply:
    """Each device has an interval of its own, so that a fleet does not ask all at once."""
    return replace(reply, headers=(*reply.headers, (POLL_SECONDS, str(seconds))))
