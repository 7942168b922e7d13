"""Makes images for MCUboot as imgtool does: for simulated boards, and for tests.

They have header, digest and entries, and neither program nor signature.
"""

import re
from hashlib import sha256, shake_128
from struct import error as StructError

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.formats.mcuboot_layout import (
    ENTRIES,
    ENTRIES_MAGIC,
    ENTRY,
    HEADER,
    MAGIC,
    PROTECTED_MAGIC,
    SECURITY_COUNTER,
    SHA256,
)

HEADER_BYTES = 0x200  # Zephyr's CONFIG_ROM_START_OFFSET: aligned for the interrupt vectors
PAYLOAD_BYTES_MAX = 16 * 2**20

_VERSION = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:\+(\d{1,10}))?", re.ASCII)


def mcuboot_image(
    *,
    version: str = "1.0.0",
    payload_bytes: int = 64 * 1024,
    security_counter: int | None = None,
    seed: int = 0,
) -> bytes:
    """An image whose digest is right; same arguments, same bytes.

    `version` is `major.minor.revision`, perhaps with `+build`. `Invalid` for what no image can say.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise Invalid("version must be like 1.2.3 or 1.2.3+4")
    if not 0 <= payload_bytes <= PAYLOAD_BYTES_MAX:
        raise Invalid(f"payload_bytes must be 0 to {PAYLOAD_BYTES_MAX}")
    protected = b""
    try:
        if security_counter is not None:
            counter = security_counter.to_bytes(4, "little")
            protected = _entries(PROTECTED_MAGIC, SECURITY_COUNTER, counter)
        header = HEADER.pack(
            MAGIC,
            0,  # load address: it runs in place
            HEADER_BYTES,
            len(protected),
            payload_bytes,
            0,  # flags
            *(int(number or 0) for number in match.groups()),
        )
    except (StructError, OverflowError) as error:
        raise Invalid(f"no image can say that: {error}") from error
    payload = shake_128(f"payload {seed}".encode()).digest(payload_bytes)
    covered = header.ljust(HEADER_BYTES, b"\0") + payload + protected
    return covered + _entries(ENTRIES_MAGIC, SHA256, sha256(covered).digest())


def _entries(magic: int, kind: int, value: bytes) -> bytes:
    length = ENTRIES.size + ENTRY.size + len(value)
    return ENTRIES.pack(magic, length) + ENTRY.pack(kind, len(value)) + value
