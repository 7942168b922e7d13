"""Makes ESP8266 images as Arduino's elf2bin.py does: for simulated boards, and for tests.

They have everything that is checked before one is started, and no program.
"""

from hashlib import shake_128
from struct import Struct

from ota_http_server.domain.errors import Invalid

PAYLOAD_BYTES_MAX = 1_044_464  # what the core's linker script leaves to a sketch

_HEADER = Struct("<BBBBI")
_SEGMENT = Struct("<II")
_EBOOT_ENTRY = 0x4010F000
_ENTRY = 0x40100004
_FLASH_ADDRESS = 0x40201010  # the application's first segment, behind 0x1010 bytes of the file
_CODE_ADDRESS = 0x40100000
_DIO_MODE = 2
_4MB_40MHZ = 0x40
_APPLICATION_AT = 0x1000
_POLYNOMIAL = 0x04C11DB7


def esp8266_application(*, payload_bytes: int = 64 * 1024, seed: int = 0) -> bytes:
    """An image with eboot's place, two segments, checksums and CRC; same arguments, same bytes.

    `payload_bytes` are filled up to a multiple of 8 and differ for each `seed`.
    """
    if not 0 <= payload_bytes <= PAYLOAD_BYTES_MAX:
        raise Invalid(f"payload_bytes must be 0 to {PAYLOAD_BYTES_MAX}")
    half = max(8, -(-payload_bytes // 8) * 4)
    payload = shake_128(f"payload {seed}".encode()).digest(2 * half)
    eboot = _stage(_EBOOT_ENTRY, [(_EBOOT_ENTRY, bytes(512))])
    # The first two words of the flash's segment are kept free for size and CRC.
    stage = _stage(_ENTRY, [(_FLASH_ADDRESS, bytes(8) + payload[:half]), (_CODE_ADDRESS, payload)])
    image = eboot.ljust(_APPLICATION_AT, b"\xaa") + stage
    words = len(image).to_bytes(4, "little") + _crc(image).to_bytes(4, "little")
    at = _APPLICATION_AT + _HEADER.size + _SEGMENT.size
    return image[:at] + words + image[at + len(words) :]


def _stage(entry: int, segments: list[tuple[int, bytes]]) -> bytes:
    stage = _HEADER.pack(0xE9, len(segments), _DIO_MODE, _4MB_40MHZ, entry)
    checksum = 0xEF
    for address, data in segments:
        stage += _SEGMENT.pack(address, len(data)) + data
        for byte in data:
            checksum ^= byte
    return stage + bytes(15 - len(stage) % 16) + bytes([checksum])


def _crc(data: bytes) -> int:
    """From the highest bit on, by table: what eboot computes bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc << 8) & 0xFFFFFFFF ^ _TABLE[crc >> 24 ^ byte]
    return crc


def _table_entry(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1) ^ (_POLYNOMIAL if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


_TABLE = tuple(_table_entry(byte) for byte in range(256))
