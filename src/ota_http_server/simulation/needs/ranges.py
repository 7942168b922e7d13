"""What clients need that fetch an image in pieces, or go on after a cut."""

from collections.abc import Callable
from dataclasses import dataclass

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.needs.finding import Need
from ota_http_server.simulation.needs.probe import Probe

FAR_BYTES = 4096  # from the end: where a resume asks for a byte too much
Render = Callable[[str, Address, tuple[tuple[str, str], ...]], bytes]
"""A request as the client writes it: method, address and more fields."""
Follow = Callable[[Address, Callable[[Address], Answer]], tuple[Address, Answer]]
"""How the client follows redirects: to the last address, and its answer."""


@dataclass(frozen=True, slots=True)
class RangeNeeds:
    head: Need
    exact: Need
    clamped: Need
    behind: Need
    same: Need
    kept: Need

    def all(self) -> tuple[Need, ...]:
        return (self.head, self.exact, self.clamped, self.behind, self.same, self.kept)


def range_needs(who: str, *, head: str, ignored: str, kept: str) -> RangeNeeds:
    """`who` needs them; the words say what it does where one is missing."""
    return RangeNeeds(
        Need(
            f"HEAD answers 200 with the image's Content-Length and no body ({who})",
            head,
            "let HEAD run through the same code as GET, behind the same proxy rules",
        ),
        Need(
            f"a Range gets 206 with exact Content-Range and Content-Length ({who})",
            ignored,
            "serve ranges; a proxy that caches or compresses may drop them (Accept-Ranges: bytes)",
        ),
        Need(
            f"a range that ends behind the image is clamped to its end ({who})",
            "it throws away what it has and downloads everything again",
            "answer 206 up to the last byte: RFC 9110 14.1.2",
        ),
        Need(
            f"a range behind the image gets 416 with `Content-Range: bytes */size` ({who})",
            "it does not learn that it has everything, or that the image changed",
            "answer 416 with the size: RFC 9110 15.5.17",
        ),
        Need(
            f"all ranges are of the image that the whole GET gave ({who})",
            "it joins pieces of two images and refuses the result, or worse",
            "give every image a URL of its own, and redirect a `latest` there",
        ),
        Need(
            f"the connection stays open from range to range ({who})",
            kept,
            "keep connections alive (HTTP/1.1, no `Connection: close`), in the proxy too",
        ),
    )


def examine_ranges(
    probe: Probe,
    needs: RangeNeeds,
    address: Address,
    whole: bytes,
    piece: int,
    render: Render,
    follow: Follow,
) -> None:
    """HEAD, two pieces, one that is a byte too long, one behind the end.

    `follow`: where HEAD is redirected to, all ranges go.
    """
    address = _head(probe, needs, address, len(whole), render, follow)
    opened = probe.line.opened
    size = len(whole)
    middle = min(piece, size // 2)
    last = min(2 * middle, size) - 1
    good = _piece(probe, needs, address, whole, (0, middle - 1), render)
    good = good and _piece(probe, needs, address, whole, (middle, last), render)
    if good:
        times = probe.line.opened - opened
        probe.notes.judge(needs.kept, times <= 1, f"{times} new connections for two ranges")
    _too_long(probe, needs, address, whole, render)
    _behind(probe, needs, address, size, render)


def _head(
    probe: Probe,
    needs: RangeNeeds,
    address: Address,
    size: int,
    render: Render,
    follow: Follow,
) -> Address:
    def ask(there: Address) -> Answer:
        return probe.ask(there, render("HEAD", there, ()), bodiless=True)

    address, answer = follow(address, ask)
    found = f"{answer.status}, Content-Length {answer.headers.get('content-length', 'missing')}"
    probe.notes.judge(needs.head, answer.status == 200 and answer.length == size, found)
    return address


def _piece(
    probe: Probe,
    needs: RangeNeeds,
    address: Address,
    whole: bytes,
    span: tuple[int, int],
    render: Render,
) -> bool:
    first, last = span
    answer = _ranged(probe, address, f"bytes={first}-{last}", render)
    if not is_exact(answer, first, last, len(whole)):
        probe.notes.broken(needs.exact, f"bytes={first}-{last}: {shown(answer)}")
        return False
    probe.notes.ok(needs.exact, f"bytes={first}-{last}")
    same = answer.body == whole[first : last + 1]
    return probe.notes.judge(needs.same, same, "" if same else f"other bytes at {first}-{last}")


def _too_long(
    probe: Probe, needs: RangeNeeds, address: Address, whole: bytes, render: Render
) -> None:
    size = len(whole)
    first = max(0, size - FAR_BYTES)
    answer = _ranged(probe, address, f"bytes={first}-{size}", render)
    good = is_exact(answer, first, size - 1, size)
    probe.notes.judge(needs.clamped, good, f"bytes={first}-{size}: {shown(answer)}")


def _behind(probe: Probe, needs: RangeNeeds, address: Address, size: int, render: Render) -> None:
    answer = _ranged(probe, address, f"bytes={size}-", render)
    said = answer.headers.get("content-range", "")
    good = answer.status == 416 and said == f"bytes */{size}"
    probe.notes.judge(needs.behind, good, f"bytes={size}-: {shown(answer)}")


def _ranged(probe: Probe, address: Address, asked: str, render: Render) -> Answer:
    return probe.ask(address, render("GET", address, (("Range", asked),)))


def is_exact(answer: Answer, first: int, last: int, size: int) -> bool:
    """206, and fields and body say the same."""
    said = answer.content_range == (first, last, size)
    return answer.status == 206 and said and answer.length == len(answer.body) == last - first + 1


def shown(answer: Answer) -> str:
    said = answer.headers.get("content-range")
    return f"{answer.status}, " + (f"Content-Range {said}" if said else f"{len(answer.body)} bytes")
