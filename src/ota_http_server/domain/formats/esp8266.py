"""The reader of ESP8266 images.

The header has 8 bytes, no chip and no digest; a segment may have any length, and lies where only
this chip has memory. Arduino's core (and so ESPHome and Tasmota) puts its boot loader first,
`eboot`, and the application at 0x1000, into whose first segment elf2bin.py writes the size of all
and its CRC. ESP8266 images of "version 2" begin EA and are recognised only.
"""

from struct import Struct
from zlib import crc32

from ota_http_server.domain.formats.esp_image import checked, layout_of
from ota_http_server.domain.formats.esp_layout import ESP_IMAGE_BYTES_MAX, MAGIC, SEGMENTS_MAX
from ota_http_server.domain.formats.reading import blocks, exactly
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource, Part

FORMAT = "esp8266-app"
FORMAT_V2 = "esp8266-app-v2"
CHIP = "esp8266"

# magic, segments, flash mode, flash size and speed, entry; then of the first segment address, size
HEADER = Struct("<BBBBI")
BEGINNING = Struct("<BBBBIII")
MAGIC_V2 = 0xEA
FLASH_MODES_MAX = 3
SEGMENTS_V2 = 4
DATA_TOP = 0x3F  # the highest byte of addresses: the data RAM begins at 0x3FFE8000,
MAPPED_TOP = 0x40  # the instruction RAM at 0x40100000, the flash at 0x40200000
EBOOT_ENTRY_MIN = 0x4010E000  # eboot runs in the last pages of the instruction RAM
APPLICATION_AT = 0x1000
CRC_AT = APPLICATION_AT + 16  # the size, then the CRC
CRC_WORDS = Struct("<II")

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def recognises(head: bytes) -> bool:
    return _recognises_v1(head) or _recognises_v2(head)


def read(source: ImageSource) -> ImageFacts:
    """Check its sums: nothing on the device does before it starts the image."""
    head = exactly(source, 0, BEGINNING.size)
    if head[0] == MAGIC_V2:
        return ImageFacts(format=FORMAT_V2, kind="application", chip=CHIP)
    first = layout_of(source, HEADER.size, words_only=False)
    checked(Part(source, 0, first.digest_at), first)
    if BEGINNING.unpack(head)[4] < EBOOT_ENTRY_MIN:
        return _facts(first.digest_at, "checksum_valid")
    if first.digest_at > APPLICATION_AT:
        raise Damaged(f"eboot ends at {first.digest_at}, behind the application's beginning")
    if not _recognises_v1(exactly(source, APPLICATION_AT, BEGINNING.size)):
        raise Damaged("there is no application at 0x1000, behind eboot")
    application = Part(source, APPLICATION_AT, ESP_IMAGE_BYTES_MAX)
    layout = layout_of(application, HEADER.size, words_only=False)
    length = APPLICATION_AT + layout.digest_at
    size, crc = CRC_WORDS.unpack(exactly(source, CRC_AT, CRC_WORDS.size))
    if size != length:  # older cores have other words there
        checked(application, layout)
        return _facts(length, "checksum_valid")
    # The checksum is from before the two words were written, so it cannot be right any more.
    if _crc(source, length) != crc:
        raise Damaged("wrong CRC: the bytes of the image were changed")
    return _facts(length, "crc_valid")


def _recognises_v1(head: bytes) -> bool:
    magic, segments, mode, _, entry, address, _ = _beginning(head)
    return (
        magic == MAGIC
        and 1 <= segments <= SEGMENTS_MAX
        and mode <= FLASH_MODES_MAX
        and entry >> 24 == MAPPED_TOP
        # These bits are a pin's drive strength in an ESP32's header, where they are never set.
        and address >> 24 in (DATA_TOP, MAPPED_TOP)
    )


def _recognises_v2(head: bytes) -> bool:
    """The first of its segments is the flash's own and has no address."""
    magic, segments, _, _, entry, address, size = _beginning(head)
    return (
        magic == MAGIC_V2
        and segments == SEGMENTS_V2
        and entry >> 24 == MAPPED_TOP
        and address == 0
        and 0 < size < ESP_IMAGE_BYTES_MAX
    )


def _beginning(head: bytes) -> tuple[int, ...]:
    """The header and that of the first segment; zeros where the bytes end before."""
    return BEGINNING.unpack(head[: BEGINNING.size].ljust(BEGINNING.size, b"\0"))


def _facts(length: int, verified: str) -> ImageFacts:
    header: dict[str, Fact] = {"chip": CHIP, verified: True}
    return ImageFacts(format=FORMAT, length=length, header=header, kind="application", chip=CHIP)


def _crc(source: ImageSource, length: int) -> int:
    """Of the image as it was before elf2bin.py wrote size and CRC: zeros in their place."""
    crc = crc32(b"")
    for number, block in enumerate(blocks(source, 0, length)):
        plain = block
        if number == 0:
            plain = block[:CRC_AT] + bytes(CRC_WORDS.size) + block[CRC_AT + CRC_WORDS.size :]
        crc = crc32(plain.translate(_REVERSED), crc)
    return _unreflected(crc)


def _unreflected(crc: int) -> int:
    """eboot computes the CRC from the highest bit on and without the last inversion."""
    return int(f"{crc ^ 0xFFFFFFFF:032b}"[::-1], 2)
