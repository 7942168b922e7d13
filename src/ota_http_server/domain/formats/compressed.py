"""The reader of compressed images: ESP8266's boot loader and some clients of the ESP32 take them.

Only what turns out to be such an image is unpacked, and only within limits: a few bytes can stand
for gigabytes.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.formats import esp8266, esp_application
from ota_http_server.domain.formats.esp_layout import ESP_IMAGE_BYTES_MAX
from ota_http_server.domain.formats.reading import BLOCK_BYTES, incomplete
from ota_http_server.domain.image_facts import BytesSource, Damaged, ImageFacts, ImageSource, Reader

GZIP_MAGIC = b"\x1f\x8b\x08"  # RFC 1952 §2.3.1: magic and the only method
ZLIB_MAGICS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")  # RFC 1950, window of 32 KiB
EITHER = 32 + zlib.MAX_WBITS  # zlib: "automatic header detection"

PACKED_FORMATS = ("-gzip", "-zlib")
"""How the formats end of what was compressed."""

RATIO_MAX = 20  # firmware shrinks to a half or a third
ALWAYS_ALLOWED_BYTES = 2**16  # a short image of one and the same byte shrinks further
HEAD_BYTES = 64
INNER: tuple[Reader, ...] = (esp_application, esp8266)


def recognises(head: bytes) -> bool:
    if head.startswith(GZIP_MAGIC):
        return True
    # Two bytes are few: what they begin must unpack to an image's first bytes.
    return head.startswith(ZLIB_MAGICS) and _inner(_unpacked_head(head)) is not None


def read(source: ImageSource) -> ImageFacts:
    """What was compressed; a compressed anything is `gzip` and stays as it is."""
    head = source.read_at(0, BLOCK_BYTES)
    packing = "gzip" if head.startswith(GZIP_MAGIC) else "zlib"
    inner = _inner(_unpacked_head(head))
    if inner is None:
        return ImageFacts(format=packing)
    content, length = _unpacked(source)
    facts = inner.read(BytesSource(content))
    return replace(
        facts,
        format=f"{facts.format}-{packing}",
        length=length,
        header=dict(facts.header) | {"unpacked_bytes": len(content)},
    )


def _inner(head: bytes) -> Reader | None:
    return next((reader for reader in INNER if reader.recognises(head)), None)


def _unpacked_head(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(EITHER).decompress(packed, HEAD_BYTES)
    except zlib.error:
        return b""


def _unpacked(source: ImageSource) -> tuple[bytes, int]:
    """The whole content, whose own CRC zlib compares, and where the packed bytes end."""
    limit = min(ESP_IMAGE_BYTES_MAX, max(ALWAYS_ALLOWED_BYTES, RATIO_MAX * source.size))
    unpacked = bytearray()
    inflating = zlib.decompressobj(EITHER)
    read_bytes = 0
    try:
        for block in _blocks(source):
            read_bytes += len(block)
            unpacked += inflating.decompress(block, limit + 1 - len(unpacked))
            if len(unpacked) > limit:
                raise Unfit(f"the image unpacks to more than {limit} bytes")
            if inflating.eof:
                return bytes(unpacked), read_bytes - len(inflating.unused_data)
    except zlib.error as error:
        raise Damaged(f"it cannot be unpacked: {error}") from error
    raise incomplete(source, source.size + 1, at_least=True)


def _blocks(source: ImageSource) -> Iterator[bytes]:
    offset = 0
    while block := source.read_at(offset, BLOCK_BYTES):
        offset += len(block)
        yield block
