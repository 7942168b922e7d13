"""A plain model of RFC 9110 for one immutable file: what a right answer to a request is.

Written apart from the product and in another way (byte by byte, no regular expressions, no care
for speed), so that the two can only agree by both being right. Where the RFC leaves a choice, the
model takes the documented one: at most 16 ranges and 1,024 characters, 20 digits a number,
ascending and not overlapping, or the header is ignored; one range left of several is a plain 206.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

BLANKS = " \t"
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer as the wire should show it."""

    status: int
    body: bytes = b""
    """Empty for HEAD, 304, 412, 416, and for several parts (their frame has a free boundary)."""
    content_range: str | None = None
    length: int | None = None
    """What Content-Length says; None where the RFC does not settle it."""
    parts: tuple[tuple[str, bytes], ...] = ()
    """Content-Range and bytes of each part of a multipart/byteranges body."""


class Ignored(Exception):
    """The header counts as absent."""


def answer(
    method: str, headers: dict[str, str], content: bytes, etag: str, modified: int
) -> Expected:
    """What GET or HEAD must get; header names in any case, `etag` strong and in quotes."""
    given = {name.lower(): value for name, value in headers.items()}
    if (status := ended_by_conditions(given, etag, modified)) is not None:
        return Expected(status)
    if method == "HEAD":  # §14.2: Range is defined for GET alone
        return Expected(200, length=len(content))
    try:
        return ranged(given, content, etag, modified)
    except Ignored:
        return Expected(200, content, length=len(content))


def ranged(given: dict[str, str], content: bytes, etag: str, modified: int) -> Expected:
    """§14.2, §15.3.7, §15.5.17."""
    if "range" not in given:
        raise Ignored
    if "if-range" in given and not same_validator(given["if-range"], etag, modified):
        raise Ignored
    cut = [
        (f"bytes {first}-{last}/{len(content)}", content[first : last + 1])
        for first, last in satisfiable(given["range"], len(content))
    ]
    if not cut:
        return Expected(416, content_range=f"bytes */{len(content)}")
    if len(cut) > 1:
        return Expected(206, parts=tuple(cut))
    content_range, body = cut[0]
    return Expected(206, body, content_range, len(body))


def ended_by_conditions(given: dict[str, str], etag: str, modified: int) -> int | None:
    """§13.2.2, step by step."""
    if "if-match" in given:
        if not any(tag == etag for tag in tags(given["if-match"], etag)):
            return 412
    elif "if-unmodified-since" in given:
        date = http_date(given["if-unmodified-since"])
        if date is not None and not modified <= date:
            return 412
    if "if-none-match" in given:
        if any(tag.removeprefix("W/") == etag for tag in tags(given["if-none-match"], etag)):
            return 304
    elif "if-modified-since" in given:
        date = http_date(given["if-modified-since"])
        if date is not None and not modified > date:
            return 304
    return None


def same_validator(value: str, etag: str, modified: int) -> bool:
    """§13.1.5: a strong tag or a date, and exactly that."""
    value = value.strip(BLANKS)
    if value.startswith(('"', "W/")):
        return value == etag
    return http_date(value) == modified


def tags(value: str, current: str) -> list[str]:
    """The members of a list of entity tags; `*` stands for the current one; junk is no list."""
    if value.strip(BLANKS) == "*":
        return [current]
    found = []
    rest = value.lstrip(BLANKS + ",")
    while rest:
        weak = "W/" if rest.startswith("W/") else ""
        rest = rest.removeprefix("W/")
        if not rest.startswith('"') or (end := rest.find('"', 1)) < 0:
            return []
        if any(not (c == "!" or "#" <= c <= "~" or "\x80" <= c <= "\xff") for c in rest[1:end]):
            return []
        found.append(weak + rest[: end + 1])
        rest = rest[end + 1 :].lstrip(BLANKS)
        if rest and not rest.startswith(","):
            return []
        rest = rest.lstrip(BLANKS + ",")
    return found


def http_date(value: str) -> int | None:
    """Unix seconds of one of the three forms of §5.6.7, as strict as their grammar."""
    weekday, _, rest = value.strip(BLANKS).partition(" ")
    if weekday in [day[:3] + "," for day in WEEKDAYS]:
        return strictly(rest, "%d %b %Y %H:%M:%S GMT")
    if weekday in [day + "," for day in WEEKDAYS]:
        return strictly(rest, "%d-%b-%y %H:%M:%S GMT")
    if weekday in [day[:3] for day in WEEKDAYS]:
        month, day, time = rest[:4], rest[4:6], rest[6:]
        return strictly(month + day.replace(" ", "0") + time, "%b %d %H:%M:%S %Y")
    return None


def strictly(text: str, form: str) -> int | None:
    """`strptime` that takes no other spelling than `strftime` makes; :60 is a leap second."""
    leap = 1 if ":60 " in text else 0
    text = text.replace(":60 ", ":59 ")
    try:
        date = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(date.timestamp()) + leap if date.strftime(form) == text else None


def satisfiable(value: str, size: int) -> list[tuple[int, int]]:
    """First and last position of each range that is within the file (§14.1.2)."""
    unit, equals, listed = value.partition("=")
    elements = [element.strip(BLANKS) for element in listed.split(",")]
    asked = [interval(element, size) for element in elements if element]
    if unit.lower() != "bytes" or not equals or not asked:
        raise Ignored
    if len(asked) > 16 or value.count(",") > 16 or len(value) > 1024:
        raise Ignored
    chosen = [(first, last) for first, last in asked if first <= last]
    if any(after[0] <= before[1] for before, after in pairwise(chosen)):
        raise Ignored
    return chosen


def interval(element: str, size: int) -> tuple[int, int]:
    """First and last position, first beyond last if there is nothing there."""
    first, dash, last = element.partition("-")
    if not dash or not (first or last):
        raise Ignored
    for number in (first, last):
        if any(digit not in "0123456789" for digit in number) or len(number) > 20:
            raise Ignored
    if not first:
        return max(size - int(last), 0), size - 1
    if not last:
        return int(first), size - 1
    if int(first) > int(last):
        raise Ignored
    return int(first), min(int(last), size - 1)
