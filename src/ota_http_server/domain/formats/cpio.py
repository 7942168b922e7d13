"""Reads cpio archives in the "new ASCII" formats (cpio(5)), which SWUpdate's bundles are.

Each member: 110 bytes of header in hexadecimal digits, its name, its bytes, the last two filled up
to four. `070702` has the sum of the member's bytes, `070701` has none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from zlib import adler32

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.formats.reading import blocks, exactly, text, whole
from ota_http_server.domain.image_facts import Damaged, ImageSource

MAGICS = (b"070701", b"070702")
SUMMED = b"070702"
HEADER_BYTES = 110
NAME_BYTES_MAX = 256  # MAX_IMAGE_FNAME in SWUpdate
MEMBERS_MAX = 1000  # a bundle of a whole distribution has some dozens
TRAILER = "TRAILER!!!"

_HEADER = re.compile(rb"07070[12][0-9A-Fa-f]{104}")
_SUMMED_EXACTLY = 256  # bytes of 255 stay below adler32's modulus of 65521


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive."""

    name: str
    start: int
    size: int
    checksum: int | None
    """The sum of its bytes, as the header has it."""

    @property
    def end(self) -> int:
        return self.start + self.size


def members(source: ImageSource) -> Iterator[Member]:
    """All members up to the trailer, which is the last; nothing of their content is checked."""
    at = 0
    for _ in range(MEMBERS_MAX):
        member = _member(source, at)
        yield member
        if member.name == TRAILER:
            return
        at = whole(source, _filled_up(member.end))
    raise Unfit(f"an archive with more than {MEMBERS_MAX} members is not read")


def verified(source: ImageSource, member: Member) -> str:
    """The member's SHA-256 in hexadecimal digits; `Damaged` if its sum is wrong."""
    digest, total = sha256(), 0
    for block in blocks(source, member.start, member.end):
        digest.update(block)
        total += _sum(block) if member.checksum is not None else 0
    if member.checksum is not None and total & 0xFFFFFFFF != member.checksum:
        raise Damaged(f"wrong checksum: the bytes of {member.name} were changed")
    return digest.hexdigest()


def _member(source: ImageSource, at: int) -> Member:
    header = exactly(source, at, HEADER_BYTES)
    if not _HEADER.fullmatch(header):
        raise Damaged(f"there is no member of the archive at {at}, where one should begin")
    numbers = [int(header[i : i + 8], 16) for i in range(6, HEADER_BYTES, 8)]
    size, name_bytes, checksum = numbers[6], numbers[11], numbers[12]
    if not 1 < name_bytes <= NAME_BYTES_MAX:
        raise Damaged(f"a name of {name_bytes} bytes at {at}")
    name_at = at + HEADER_BYTES
    name = text(exactly(source, name_at, name_bytes))
    start = _filled_up(name_at + name_bytes)
    return Member(name, start, size, checksum if header.startswith(SUMMED) else None)


def _filled_up(at: int) -> int:
    return -(-at // 4) * 4


def _sum(block: bytes) -> int:
    """The sum of all bytes, twice as fast as `sum`: the lower half of Adler-32 from zero."""
    view = memoryview(block)
    return sum(
        adler32(view[at : at + _SUMMED_EXACTLY], 0) & 0xFFFF
        for at in range(0, len(block), _SUMMED_EXACTLY)
    )
