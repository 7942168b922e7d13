"""Which bytes a Range header asks for (RFC 9110 §14).

Boards resume and read in pieces, so this is asked for each piece. ESP-IDF asks for one byte past
the end of an image when it resumes near it and starts all over if that is refused, so a last
position beyond the end is brought back to it, as §14.1.2 demands.
A header that means nothing to us is ignored and the whole image sent, as §14.2 allows: so is one
that no downloader has a use for (many small ranges, or the same bytes twice), which would make us
work more than a whole image does.
"""

import re
from functools import lru_cache
from itertools import pairwise

RANGES_MAX = 16
"""Ranges in one header. Clients that read several ask for two to five; §14.2 warns of more."""

HEADERS_REMEMBERED = 1_024
"""The pieces of an image, for some boards at a time; about 300 bytes each."""

HEADER_CHARACTERS_MAX = 1024
"""Sixteen ranges of the longest numbers, parted by comma and blank, are about 700 characters."""

# Twenty digits hold 2**64 - 1, the largest position that any client's arithmetic knows. Not \d:
# it takes the digits of all scripts.
_SPEC = re.compile(r"([0-9]{1,20})-([0-9]{0,20})|-([0-9]{1,20})")


def wanted(header: str, size: int) -> list[range] | None:
    """The byte positions to send of `size` bytes: ascending, apart, none of them empty.

    None says that the header is to be ignored and the whole sent; an empty list that it was
    understood and none of its ranges is satisfiable (416).
    """
    # First what costs nothing, so that 50 kB of ranges are not even split.
    if len(header) > HEADER_CHARACTERS_MAX or header.count(",") > RANGES_MAX:
        return None
    return _understood(header, size)


@lru_cache(HEADERS_REMEMBERED)
def _understood(header: str, size: int) -> list[range] | None:
    """Remembered, because each request asks twice: whose bytes are these, and which are sent."""
    unit, _, listed = header.partition("=")
    if unit.lower() != "bytes":
        return None
    # Lists may hold empty elements (§5.6.1.2), and blanks around the full ones.
    specs = [spec for element in listed.split(",") if (spec := element.strip(" \t"))]
    if not 1 <= len(specs) <= RANGES_MAX:
        return None
    return _all_or_none(specs, size)


def _all_or_none(specs: list[str], size: int) -> list[range] | None:
    """One bad range spoils the header; one that is only out of reach is left out (§15.3.7)."""
    satisfiable = []
    for spec in specs:
        positions = _positions(spec, size)
        if positions is None:
            return None
        if positions:
            satisfiable.append(positions)
    if any(after.start < before.stop for before, after in pairwise(satisfiable)):
        return None
    return satisfiable


def _positions(spec: str, size: int) -> range | None:
    """`first-last`, `first-` or `-suffix` as positions within `size`, empty if out of reach."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return range(max(0, size - int(suffix)), size)
    if not last:
        return range(int(first), size)
    if int(last) < int(first):
        return None  # invalid (§14.1.1), not unsatisfiable
    return range(int(first), min(int(last) + 1, size))
