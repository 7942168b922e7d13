"""Reads tar archives (POSIX ustar), as far as Mender's artifacts need: plain files, short names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.formats.reading import exactly, text, whole
from ota_http_server.domain.image_facts import Damaged, ImageSource

BLOCK_BYTES = 512
END_BYTES = 2 * BLOCK_BYTES  # of zeros
MEMBERS_MAX = 1000
NAME = slice(0, 100)
SIZE = slice(124, 136)
CHECKSUM = slice(148, 156)
MAGIC = slice(257, 262)
USTAR = b"ustar"

_OCTAL = re.compile(rb"[ \0]*([0-7]{1,11})[ \0]*")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive."""

    name: str
    start: int
    size: int

    @property
    def next_at(self) -> int:
        return self.start + -(-self.size // BLOCK_BYTES) * BLOCK_BYTES


def members(source: ImageSource) -> Iterator[Member]:
    """All members; two blocks of zeros must follow the last one."""
    at = 0
    for _ in range(MEMBERS_MAX):
        header = exactly(source, at, BLOCK_BYTES)
        if not any(header):
            whole(source, at + END_BYTES)
            return
        member = _member(header, at)
        at = whole(source, member.next_at)
        yield member
    raise Unfit(f"an archive with more than {MEMBERS_MAX} members is not read")


def _member(header: bytes, at: int) -> Member:
    # The checksum's own bytes count as blanks.
    total = sum(header) - sum(header[CHECKSUM]) + 8 * ord(" ")
    if header[MAGIC] != USTAR or _number(header[CHECKSUM]) != total:
        raise Damaged(f"there is no member of the archive at {at}, where one should begin")
    size = _number(header[SIZE])
    if size is None:
        raise Damaged(f"the member at {at} says no size")
    return Member(text(header[NAME]), at + BLOCK_BYTES, size)


def _number(field: bytes) -> int | None:
    """Octal digits; or, of files above 8 GiB, a number in base 256 (GNU)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    match = _OCTAL.fullmatch(field)
    return int(match[1], 8) if match else None
