"""The reader of UF2 (github.com/microsoft/uf2): blocks of 512 bytes, each says where it belongs.

Several families (chips) may follow each other in one file, each with a count of its own. RP2350's
tools put a lone block of another family in front.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from ota_http_server.domain.formats.reading import blocks, incomplete, printable
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource

FORMAT = "uf2"
# two magics, flags, address, payload bytes, number, count, family, data, magic
BLOCK = Struct("<IIIIIIII476sI")
BEGIN_MAGICS = (0x0A324655, 0x9E5D5157)
END_MAGIC = 0x0AB16F30
BEGIN = b"UF2\n\x57\x51\x5d\x9e"
DATA_BYTES = 476
FAMILY_FLAG = 0x2000
TAGS_FLAG = 0x8000
VERSION_TAG = 0x9FC7BC
FAMILIES_MAX = 8  # the largest universal image has four

FAMILIES = {  # uf2families.json; the names of ESP chips are esptool's
    0x1C5F21B0: "esp32",
    0xBFDD4EEE: "esp32s2",
    0xC47E5767: "esp32s3",
    0xD42BA06C: "esp32c3",
    0x2B88D29C: "esp32c2",
    0x540DDF62: "esp32c6",
    0x332726F6: "esp32h2",
    0x3D308E94: "esp32p4",
    0x7EAB61ED: "esp8266",
    0xE48BFF56: "rp2040",
    0xE48BFF57: "absolute",
    0xE48BFF58: "rp2xxx-data",
    0xE48BFF59: "rp2350-arm",
    0xE48BFF5A: "rp2350-riscv",
    0xE48BFF5B: "rp2350-arm-ns",
    0xADA52840: "nrf52840",
    0x621E937A: "nrf52833",
    0x1B57745F: "nrf52",
    0x68ED2B88: "samd21",
    0x55114460: "samd51",
    0x57755A57: "stm32f4",
    0x53B80F00: "stm32f7",
    0x6DB66082: "stm32h7",
    0x70D16653: "stm32wb",
    0x4FB2D5BD: "mimxrt10xx",
}


def recognises(head: bytes) -> bool:
    return head.startswith(BEGIN)


def read(source: ImageSource) -> ImageFacts:
    """Check that every block is there and in its order; which chips the families are."""
    run = _Run()
    for fields in _blocks(source):
        run.take(*fields[2:8])
    if run.expected != run.count or run.count == 0:
        missing = run.count - run.expected if run.count else 1
        raise incomplete(source, source.size + missing * BLOCK.size, at_least=True)
    version = _version(source)
    header: dict[str, Fact] = {
        "families": ", ".join(run.families),
        "blocks": run.blocks,
        "contiguous": not run.gaps,
    }
    return ImageFacts(
        format=FORMAT,
        length=run.blocks * BLOCK.size,
        version=version,
        header=header | ({"version": version} if version else {}),
        kind="application",
        chip=_chip(run.families),
    )


@dataclass(slots=True)
class _Run:
    """The blocks of one family, and of those that came before."""

    expected: int = 0
    count: int = 0
    follows: int | None = None
    """The address at which the next block would be contiguous."""
    blocks: int = 0
    gaps: bool = False
    families: list[str] = field(default_factory=list)

    def take(
        self, flags: int, address: int, payload_bytes: int, number: int, count: int, family: int
    ) -> None:
        self.blocks += 1
        lone_block_before = self.blocks == 2 and self.families == ["absolute"] and number == 0
        if self.expected == self.count or lone_block_before:
            self.expected, self.count, self.follows = 0, count, None
        if (number, count) != (self.expected, self.count) or payload_bytes > DATA_BYTES:
            raise Damaged(f"block {self.blocks} is out of order: it says {number} of {count}")
        self.gaps = self.gaps or self.follows not in (None, address)
        self.expected, self.follows = number + 1, address + payload_bytes
        name = FAMILIES.get(family, f"0x{family:08x}") if flags & FAMILY_FLAG else "unnamed"
        if name not in self.families:
            self.families.append(name)
        if len(self.families) > FAMILIES_MAX:
            raise Damaged(f"an image for more than {FAMILIES_MAX} families is none")


def _blocks(source: ImageSource) -> Iterator[Any]:
    whole_bytes = source.size - source.size % BLOCK.size
    for piece in blocks(source, 0, whole_bytes):
        for fields in BLOCK.iter_unpack(piece):
            if fields[:2] != BEGIN_MAGICS or fields[9] != END_MAGIC:
                raise Damaged("a block has wrong magic numbers")
            yield fields
    if whole_bytes != source.size:
        raise incomplete(source, whole_bytes + BLOCK.size, at_least=True)


def _chip(families: list[str]) -> str | None:
    """Only if there is but one, beside the lone block of RP2350's tools."""
    chips = [name for name in families if name not in ("absolute", "unnamed")]
    return chips[0] if len(chips) == 1 and not chips[0].startswith("0x") else None


def _version(source: ImageSource) -> str | None:
    """The first block may carry the version, as a tag behind its payload."""
    fields = BLOCK.unpack(source.read_at(0, BLOCK.size))
    flags, payload_bytes, data = fields[2], fields[4], fields[8]
    if not flags & TAGS_FLAG:
        return None
    at = payload_bytes
    while at + 4 <= DATA_BYTES and data[at] >= 4:
        if int.from_bytes(data[at + 1 : at + 4], "little") == VERSION_TAG:
            return printable(data[at + 4 : at + data[at]].decode("utf-8", "replace")) or None
        at += -(-data[at] // 4) * 4
    return None
