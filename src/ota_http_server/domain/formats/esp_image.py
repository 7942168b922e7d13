"""What all images of Espressif's boot ROMs have in common: segments and a checksum.

A device checks the same before it starts an image, so what fails here would be refused there,
after the whole download.
"""

from dataclasses import dataclass
from hashlib import sha256

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.formats.esp_layout import (
    CHECKSUM_BLOCK_BYTES,
    CHECKSUM_SEED,
    CHIPS,
    DIGEST_BYTES,
    ESP_IMAGE_BYTES_MAX,
    HEADER,
    MAGIC,
    SEGMENT,
    SEGMENTS_MAX,
)
from ota_http_server.domain.formats.reading import BLOCK_BYTES, blocks, exactly, incomplete
from ota_http_server.domain.image_facts import Damaged, Fact, ImageSource

ESP32C3 = 5


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts lie."""

    frame: bytes
    """Every byte before the checksum that is no segment's data."""
    checksum_at: int
    first_segment_bytes: int

    @property
    def digest_at(self) -> int:
        return self.checksum_at + 1


@dataclass(frozen=True, slots=True)
class Header:
    """The 24 bytes of the ESP32 family."""

    chip: str
    flash_size: str
    min_chip_revision: int
    max_chip_revision: int | None
    digest_appended: bool

    def facts(self) -> dict[str, Fact]:
        facts: dict[str, Fact] = {
            "chip": self.chip,
            "flash_size": self.flash_size,
            "min_chip_revision": self.min_chip_revision,
        }
        if self.max_chip_revision is not None:
            facts["max_chip_revision"] = self.max_chip_revision
        return facts


@dataclass(frozen=True, slots=True)
class Verified:
    """An image whose sums are right."""

    layout: Layout
    end: int
    appended_sha256: str | None

    def facts(self) -> dict[str, Fact]:
        if self.appended_sha256 is None:
            return {"checksum_valid": True}
        return {
            "checksum_valid": True,
            "digest_valid": True,
            "image_sha256": self.appended_sha256,
        }


def begins_like_esp32(head: bytes) -> bool:
    return (
        len(head) >= HEADER.size + SEGMENT.size
        and head[0] == MAGIC
        and 1 <= head[1] <= SEGMENTS_MAX
        and int.from_bytes(head[12:14], "little") in CHIPS
    )


def verified(source: ImageSource, header: Header, *, descriptor_bytes: int = 0) -> Verified:
    """The image of an ESP32 with checksum and, if it has one, digest compared to its bytes.

    Its first segment must be able to hold a descriptor of that many bytes.
    """
    if source.size > ESP_IMAGE_BYTES_MAX:
        raise Unfit(
            f"an ESP image has at most {ESP_IMAGE_BYTES_MAX} bytes, this one has {source.size}"
        )
    layout = layout_of(source, HEADER.size, descriptor_bytes=descriptor_bytes)
    end = layout.digest_at + (DIGEST_BYTES if header.digest_appended else 0)
    if end > source.size:
        raise incomplete(source, end)
    computed = checked(source, layout)
    if not header.digest_appended:
        return Verified(layout, end, None)
    appended = exactly(source, layout.digest_at, DIGEST_BYTES)
    if appended != computed:
        raise Damaged("wrong appended digest: the bytes of the image were changed")
    return Verified(layout, end, appended.hex())


def layout_of(
    source: ImageSource, header_bytes: int, *, descriptor_bytes: int = 0, words_only: bool = True
) -> Layout:
    """Walk the segments; each must end inside the largest image and inside the file.

    `words_only`: a segment that does not end with a whole word is wrong.
    """
    frame = [exactly(source, 0, header_bytes)]
    segment_count, first_segment_bytes = frame[0][1], 0
    at = header_bytes
    for number in range(1, segment_count + 1):
        frame.append(exactly(source, at, SEGMENT.size))
        length = SEGMENT.unpack(frame[-1])[1]
        at += SEGMENT.size + length
        if (words_only and length % 4) or at > ESP_IMAGE_BYTES_MAX:
            raise Damaged(
                f"segment {number} of {segment_count} has an impossible length of {length} bytes"
            )
        if number == 1:
            first_segment_bytes = length
        if first_segment_bytes < descriptor_bytes:
            raise Damaged(f"the first segment's {length} bytes cannot hold the descriptor")
    checksum_at = at | (CHECKSUM_BLOCK_BYTES - 1)
    frame.append(exactly(source, at, checksum_at - at))
    return Layout(b"".join(frame), checksum_at, first_segment_bytes)


def checked(source: ImageSource, layout: Layout) -> bytes:
    """The SHA-256 up to the checksum, which is compared with the bytes, read once."""
    digest, folded = sha256(), 0
    for block in blocks(source, 0, layout.digest_at):
        digest.update(block)
        folded ^= int.from_bytes(block, "little")
    # The bytes between the segments were folded in too, and so was the checksum itself.
    if _xor(folded) ^ _xor(int.from_bytes(layout.frame, "little")) ^ CHECKSUM_SEED:
        raise Damaged("wrong checksum: the bytes of the segments were changed")
    return digest.digest()


def header_of(source: ImageSource) -> Header:
    fields = HEADER.unpack(exactly(source, 0, HEADER.size))
    flash, chip, old_revision, revision_min, revision_max = fields[3], *fields[7:11]
    if chip not in CHIPS:  # it was known a moment ago: the file changes while it is read
        raise Damaged(f"chip {chip} is none that is known")
    if revision_max == 0:  # built before IDF 4.4.3: only the old field, a minor one on the C3
        revision_min = old_revision if chip == ESP32C3 else old_revision * 100
    return Header(
        chip=CHIPS[chip],
        flash_size=f"{2 ** (flash >> 4)}MB",
        min_chip_revision=revision_min,
        max_chip_revision=revision_max or None,
        digest_appended=fields[12] != 0,
    )


def _xor(number: int) -> int:
    """All bytes of a number of up to a block's length, XORed: halve it until a byte is left."""
    bits = BLOCK_BYTES * 8
    while bits > 8:
        bits //= 2
        number = (number >> bits) ^ (number & ((1 << bits) - 1))
    return number
