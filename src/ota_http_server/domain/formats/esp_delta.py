"""The reader of patches for esp_delta_ota, whose device refuses any but these parameters.

64 bytes: magic, SHA-256 of the image that is patched (its appended digest), zeros. Then a patch of
detools: its type, the size of the result, a heatshrink stream that begins with its window.
"""

from ota_http_server.domain.formats.reading import exactly
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource, Mistaken

FORMAT = "esp-delta"
MAGIC = (0xFCCDDE10).to_bytes(4, "little")
HEADER_BYTES = 64
BASE = slice(4, 36)
SEQUENTIAL_HEATSHRINK = 0x04
WINDOW_8_LOOKAHEAD_7 = 0x44
SIZE_BYTES_MAX = 6  # one with 6 bits, then 7 each: more than any flash


def recognises(head: bytes) -> bool:
    return head.startswith(MAGIC) and not any(head[BASE.stop : HEADER_BYTES])


def read(source: ImageSource) -> ImageFacts:
    """Which image it patches and how large the result is."""
    base = exactly(source, 0, HEADER_BYTES)[BASE].hex()
    kind = exactly(source, HEADER_BYTES, 1)[0]
    size, at = _size(source, HEADER_BYTES + 1)
    if kind != SEQUENTIAL_HEATSHRINK or exactly(source, at, 1)[0] != WINDOW_8_LOOKAHEAD_7:
        raise Mistaken(
            "the patch was made with parameters that esp_delta_ota refuses: make it with detools,"
            " patch type sequential, compression heatshrink, window 8, lookahead 7"
        )
    header: dict[str, Fact] = {"base_sha256": base, "patched_bytes": size}
    return ImageFacts(format=FORMAT, header=header, kind="patch", base_sha256=base)


def _size(source: ImageSource, at: int) -> tuple[int, int]:
    """detools' packed number (pack_size in common.py) and where it ends."""
    size, shift = 0, 0
    for number in range(SIZE_BYTES_MAX):
        byte = exactly(source, at + number, 1)[0]
        bits = 7 if number else 6  # the first byte has the sign too
        size |= (byte & (1 << bits) - 1) << shift
        shift += bits
        if not byte & 0x80:
            return size, at + number + 1
    raise Damaged("the size of the patched image has too many digits")
