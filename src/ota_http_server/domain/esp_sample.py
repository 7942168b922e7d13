"""Makes ESP-IDF application images: for the first download of a new user, and for tests.

They have everything that a device checks before it starts one, and no program. Where an image
could reach a real board, give it a `min_chip_revision` of 9999: every chip then refuses it.
"""

from hashlib import sha256, shake_128
from struct import error as StructError

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.formats.esp_layout import (
    CHECKSUM_BLOCK_BYTES,
    CHECKSUM_SEED,
    CHIPS,
    DESCRIPTOR,
    DESCRIPTOR_MAGIC,
    ESP_IMAGE_BYTES_MAX,
    HEADER,
    MAGIC,
    SEGMENT,
)

PAYLOAD_BYTES_MAX = ESP_IMAGE_BYTES_MAX - 1024  # headers, descriptor and sums take some 360
TEXT_BYTES_MAX = 31  # the descriptor's fields have 32 bytes and end with a NUL

# Read-only data begins as far into its 64 KiB page as the segment lies in the file.
_DATA_ADDRESS = 0x3F400020
_CODE_ADDRESS = 0x40080000
_DIO_MODE = 2
_4MB_40MHZ = 0x20
_WP_PIN_DISABLED = 0xEE


def esp_application(
    *,
    version: str = "1.0.0",
    project: str = "sample",
    chip: str = "esp32",
    payload_bytes: int = 64 * 1024,
    secure_version: int = 0,
    idf_version: str = "v5.5.1",
    min_chip_revision: int = 0,
    max_chip_revision: int = 65535,
    seed: int = 0,
) -> bytes:
    """An image with a descriptor, two segments, checksum and digest; same arguments, same bytes.

    `payload_bytes` lie beside the descriptor (filled up to a multiple of 8), different for each
    `seed`. Chip revisions count in hundredths: 301 is v3.1. `Invalid` for what no image can say.
    """
    if not 0 <= payload_bytes <= PAYLOAD_BYTES_MAX:
        raise Invalid(f"payload_bytes must be 0 to {PAYLOAD_BYTES_MAX}")
    half = -(-payload_bytes // 8) * 4
    payload = shake_128(f"payload {seed}".encode()).digest(2 * half)
    elf_sha256 = sha256(f"elf {project} {version} {seed}".encode()).digest()
    try:
        header = _header(_chip_id(chip), min_chip_revision, max_chip_revision)
        descriptor = _descriptor(secure_version, version, project, idf_version, elf_sha256)
    except StructError as error:
        raise Invalid(f"no image can say that: {error}") from error
    return _image(header, descriptor + payload[:half], payload[half:])


def _image(header: bytes, data: bytes, code: bytes) -> bytes:
    unsummed = b"".join(
        (
            header,
            SEGMENT.pack(_DATA_ADDRESS, len(data)),
            data,
            SEGMENT.pack(_CODE_ADDRESS, len(code)),
            code,
        )
    )
    filling = bytes(-(len(unsummed) + 1) % CHECKSUM_BLOCK_BYTES)
    summed = unsummed + filling + bytes([_checksum(data + code)])
    return summed + sha256(summed).digest()


def _header(chip_id: int, min_chip_revision: int, max_chip_revision: int) -> bytes:
    return HEADER.pack(
        MAGIC,
        2,  # segments
        _DIO_MODE,
        _4MB_40MHZ,
        _CODE_ADDRESS,
        _WP_PIN_DISABLED,
        b"",
        chip_id,
        0,  # the old field for the minimal revision
        min_chip_revision,
        max_chip_revision,
        b"",
        1,  # a digest is appended
    )


def _descriptor(
    secure_version: int, version: str, project: str, idf_version: str, elf_sha256: bytes
) -> bytes:
    return DESCRIPTOR.pack(
        DESCRIPTOR_MAGIC,
        secure_version,
        b"",
        _text(version),
        _text(project),
        b"12:00:00",
        b"Jan  1 2025",
        _text(idf_version),
        elf_sha256,
        b"",
    )


def _chip_id(chip: str) -> int:
    for number, name in CHIPS.items():
        if name == chip:
            return number
    raise Invalid(f"chip must be one of {', '.join(CHIPS.values())}")


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > TEXT_BYTES_MAX or b"\0" in encoded:
        raise Invalid(f"a descriptor's text has at most {TEXT_BYTES_MAX} bytes and no NUL")
    return encoded


def _checksum(data: bytes) -> int:
    """XOR of all bytes, a whole column of 256 at a time."""
    column = 0
    for at in range(0, len(data), 256):
        column ^= int.from_bytes(data[at : at + 256], "little")
    checksum = CHECKSUM_SEED
    for byte in column.to_bytes(256, "little"):
        checksum ^= byte
    return checksum
