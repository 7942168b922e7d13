"""The signatures behind an image of the ESP32 family; whose they are is not known here.

Secure Boot v2 (ESP-IDF: esp_secure_boot.h, espsecure): the image is filled up to a sector of
4096 bytes, and the next sector has up to three blocks: E7, version, digest of everything before
the sector, public key, signature, CRC-32. Secure Boot v1 appends 68 bytes: 0 and an ECDSA
signature.
"""

import hashlib
from collections.abc import Iterator
from zlib import crc32

from ota_http_server.domain.formats.esp_layout import (
    SIGNATURE_BLOCK,
    SIGNATURE_BLOCKS_MAX,
    SIGNATURE_CHECKED_BYTES,
    SIGNATURE_ECDSA,
    SIGNATURE_MAGIC,
    SIGNATURE_RSA,
    SIGNATURE_SECTOR_BYTES,
    SIGNATURE_SHA384,
    SIGNATURE_V1_BYTES,
)
from ota_http_server.domain.formats.reading import blocks
from ota_http_server.domain.image_facts import Damaged, Fact, ImageSource

DIGEST_AT = 4
CURVES = {1: "p192", 2: "p256", 3: "p384"}


def signature_facts(source: ImageSource, end: int) -> dict[str, Fact]:
    """How many intact blocks follow the image and of which kind.

    `Damaged` if a block's digest is not that of the image: a device with Secure Boot would refuse
    it, and somebody changed it after it was signed.
    """
    sector_at = -(-end // SIGNATURE_SECTOR_BYTES) * SIGNATURE_SECTOR_BYTES
    digests: dict[str, bytes] = {}
    kinds = []
    for block in _intact_blocks(source, sector_at):
        wide = block[1] == SIGNATURE_ECDSA and block[2] == SIGNATURE_SHA384
        name = "sha384" if wide else "sha256"
        digest = digests.get(name) or _digest(source, sector_at, name)
        digests[name] = digest
        if block[DIGEST_AT : DIGEST_AT + len(digest)] != digest:
            raise Damaged("its signature is for other bytes: sign the image again")
        kinds.append(_kind(block, DIGEST_AT + len(digest)))
    facts: dict[str, Fact] = {"secure_boot_v2_blocks": len(kinds)}
    if kinds:
        facts["secure_boot_v2_kind"] = kinds[0]
    elif _has_v1(source, end):
        facts["secure_boot_v1"] = True
    return facts


def _digest(source: ImageSource, end: int, name: str) -> bytes:
    digest = hashlib.new(name)
    for block in blocks(source, 0, end):
        digest.update(block)
    return digest.digest()


def _intact_blocks(source: ImageSource, sector_at: int) -> Iterator[bytes]:
    for number in range(SIGNATURE_BLOCKS_MAX):
        block = source.read_at(sector_at + number * SIGNATURE_BLOCK.size, SIGNATURE_BLOCK.size)
        if len(block) < SIGNATURE_BLOCK.size:
            return
        magic, version, checked = SIGNATURE_BLOCK.unpack(block)
        known = magic == SIGNATURE_MAGIC and version in (SIGNATURE_RSA, SIGNATURE_ECDSA)
        if not known or checked != crc32(block[:SIGNATURE_CHECKED_BYTES]):
            return
        yield block


def _kind(block: bytes, curve_at: int) -> str:
    if block[1] == SIGNATURE_RSA:
        return "rsa-3072"
    return f"ecdsa-{CURVES.get(block[curve_at], 'unknown')}"


def _has_v1(source: ImageSource, end: int) -> bool:
    signature = source.read_at(end, SIGNATURE_V1_BYTES + 1)
    return len(signature) == SIGNATURE_V1_BYTES and not any(signature[:4]) and any(signature[4:])
