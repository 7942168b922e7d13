"""Asking a server for the sake of looking at its answers: patient, bounded, never trusting."""

from collections.abc import Callable
from dataclasses import replace

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.failed import Cut, Failed, TooMuch, Unreachable
from ota_http_server.simulation.line import Access, Line
from ota_http_server.simulation.needs.finding import Need, Notes, Stop, reason
from ota_http_server.simulation.redirects import Rules, next_address

TRY_BYTES_MAX = 64 * 2**20  # four times the largest ESP image; of larger bundles only parts
TRY_MAC = "02:6F:74:61:00:01"  # an address that no board has: administered locally
TRY_PATIENCE_SECONDS = 30.0  # longer than any client waits: how late it is shall be seen

ANSWERS = Need(
    "every request is answered in HTTP, and to its end",
    "the client gives up with what its network library says",
    "look into the logs of the server and of every proxy in front of it",
)


class Probe:
    """A line, and the notes of what came over it."""

    def __init__(self, access: Access, notes: Notes) -> None:
        self.access = replace(access, patience_seconds=TRY_PATIENCE_SECONDS)
        self.line = Line(self.access, redials=True)  # a server may close what is idle
        self.line.body_bytes_max = TRY_BYTES_MAX
        self.notes = notes
        self.unsized: list[str] = []
        """Requests whose answers did not say their length."""
        self._has_answered = False

    def ask(
        self, address: Address, request: bytes, *, bodiless: bool = False, whole: Need = ANSWERS
    ) -> Answer:
        """The answer; if there is none that can be used, `whole` or ANSWERS is broken.

        Raises `Unreachable` only before the first answer of all.
        """
        try:
            answer = self.line.ask(address, request, bodiless=bodiless)
        except TooMuch as much:
            raise self.notes.end(str(much)) from None
        except Unreachable as unreachable:
            if not self._has_answered:
                raise
            self.notes.broken(ANSWERS, reason(unreachable))
        except Cut as cut:
            found = f"the connection ended after {len(cut.received)} bytes of the body"
            self.notes.broken(whole if cut.status else ANSWERS, found if cut.status else str(cut))
        except Failed as failed:
            self.notes.broken(ANSWERS, reason(failed))
        else:
            self._has_answered = True
            self.notes.ok(ANSWERS)
            if answer.framing_used not in ("length", "none"):
                self.unsized.append(request.partition(b" HTTP/")[0].decode("latin-1"))
            return answer
        raise Stop

    def request(self, need: Need, render: Callable[[], bytes]) -> bytes:
        """A request as the client builds it, if it can be built at all."""
        try:
            request = render()
        except Failed as failed:
            self.notes.broken(need, reason(failed))
            raise Stop from None
        self.notes.ok(need)
        return request

    def follow(
        self,
        address: Address,
        ask: Callable[[Address], Answer],
        rules: Rules,
        need: Need,
    ) -> tuple[Address, Answer]:
        """Like the client does it; `need` is about its redirects."""
        answer = ask(address)
        if not rules.most:
            return address, answer
        for _ in range(rules.most):
            if not answer.is_redirect:
                break
            try:
                address = next_address(address, answer, rules)
            except Failed as failed:
                self.notes.broken(need, reason(failed))
                raise Stop from None
            self.notes.ok(need, f"to {address.shown}")
            answer = ask(address)
        if answer.is_redirect:
            self.notes.broken(need, f"{answer.status} once more")
            raise Stop
        return address, answer
