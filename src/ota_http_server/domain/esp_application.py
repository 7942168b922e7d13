"""The reader of ESP-IDF application images (also built by Arduino-ESP32, ESPHome, Tasmota32).

A device checks the same before it starts an image, so what fails here would be refused there,
after the whole download.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from zlib import crc32

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.esp_layout import (
    CHECKSUM_BLOCK_BYTES,
    CHECKSUM_SEED,
    CHIPS,
    DESCRIPTOR,
    DESCRIPTOR_MAGIC,
    DESCRIPTOR_OFFSET,
    DIGEST_BYTES,
    ESP_IMAGE_BYTES_MAX,
    HEADER,
    MAGIC,
    SEGMENT,
    SEGMENTS_MAX,
    SIGNATURE_BLOCK,
    SIGNATURE_BLOCKS_MAX,
    SIGNATURE_CHECKED_BYTES,
    SIGNATURE_MAGIC,
    SIGNATURE_SECTOR_BYTES,
    SIGNATURE_VERSIONS,
)
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource, Incomplete

FORMAT = "esp-idf-app"

_BLOCK_BYTES = 2**17  # read at a time; a power of two, because the XOR is folded in halves


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the parts lie."""

    frame: bytes
    """Every byte before the checksum that is no segment's data."""
    checksum_at: int
    digest_appended: bool

    @property
    def digest_at(self) -> int:
        return self.checksum_at + 1

    @property
    def end(self) -> int:
        return self.digest_at + (DIGEST_BYTES if self.digest_appended else 0)


def recognises(head: bytes) -> bool:
    """An application has a descriptor; a bootloader and an ESP8266 image have none."""
    return (
        len(head) >= DESCRIPTOR_OFFSET + 4
        and head[0] == MAGIC
        and 1 <= head[1] <= SEGMENTS_MAX
        and int.from_bytes(head[12:14], "little") in CHIPS
        and int.from_bytes(head[DESCRIPTOR_OFFSET:][:4], "little") == DESCRIPTOR_MAGIC
    )


def read(source: ImageSource) -> ImageFacts:
    """Check the image as a device would and say what it is."""
    if source.size > ESP_IMAGE_BYTES_MAX:
        raise Unfit(
            f"an ESP image has at most {ESP_IMAGE_BYTES_MAX} bytes, this one has {source.size}"
        )
    layout = _layout(source)
    if layout.end > source.size:
        raise _incomplete(source.size, f"{layout.end}")
    header = _header_facts(source)
    descriptor = _descriptor_facts(source)
    own = not _left_behind(str(descriptor["version"]), str(descriptor["project_name"]))
    return ImageFacts(
        format=FORMAT,
        length=layout.end,
        version=(str(descriptor["version"]) or None) if own else None,
        project=(str(descriptor["project_name"]) or None) if own else None,
        header={k: v for k, v in (header | descriptor).items() if v != ""}
        | _verified(source, layout)
        | {"secure_boot_v2_blocks": _signature_blocks(source, layout.end)},
    )


def _layout(source: ImageSource) -> _Layout:
    """Walk the segments; each must end inside the largest image and inside the file."""
    frame = [_exactly(source, 0, HEADER.size)]
    segment_count, digest_appended = frame[0][1], frame[0][23] != 0
    at = HEADER.size
    for number in range(1, segment_count + 1):
        frame.append(_exactly(source, at, SEGMENT.size))
        length = SEGMENT.unpack(frame[-1])[1]
        at += SEGMENT.size + length
        if length % 4 or at > ESP_IMAGE_BYTES_MAX:
            raise Damaged(
                f"segment {number} of {segment_count} has an impossible length of {length} bytes"
            )
        if number == 1 and length < DESCRIPTOR.size:
            raise Damaged(f"the first segment's {length} bytes cannot hold the descriptor")
    checksum_at = at | (CHECKSUM_BLOCK_BYTES - 1)
    frame.append(_exactly(source, at, checksum_at - at))
    return _Layout(b"".join(frame), checksum_at, digest_appended)


def _exactly(source: ImageSource, offset: int, length: int) -> bytes:
    data = source.read_at(offset, length)
    if len(data) < length:
        # Not more than the size: a file that shrinks while it is read tells by the piece itself.
        held = min(source.size, offset + len(data))
        raise _incomplete(held, f"at least {offset + length}")
    return data


def _incomplete(held: int, promised: str) -> Incomplete:
    return Incomplete(f"truncated: the file has {held} bytes, its header promises {promised}")


def _verified(source: ImageSource, layout: _Layout) -> dict[str, Fact]:
    """Compare checksum and digest with the bytes, read once from front to end."""
    digest, folded = sha256(), 0
    for block in _blocks(source, layout.digest_at):
        digest.update(block)
        folded ^= int.from_bytes(block, "little")
    # The bytes between the segments were folded in too, and so was the checksum itself.
    mismatch = _xor(folded) ^ _xor(int.from_bytes(layout.frame, "little")) ^ CHECKSUM_SEED
    if mismatch:
        raise Damaged("wrong checksum: the bytes of the segments were changed")
    if not layout.digest_appended:
        return {"checksum_valid": True}
    appended = _exactly(source, layout.digest_at, DIGEST_BYTES)
    if appended != digest.digest():
        raise Damaged("wrong appended digest: the bytes of the image were changed")
    return {"checksum_valid": True, "digest_valid": True, "image_sha256": appended.hex()}


def _blocks(source: ImageSource, end: int) -> Iterator[bytes]:
    for offset in range(0, end, _BLOCK_BYTES):
        yield _exactly(source, offset, min(_BLOCK_BYTES, end - offset))


def _xor(number: int) -> int:
    """All bytes of a number of up to a block's length, XORed: halve it until a byte is left."""
    bits = _BLOCK_BYTES * 8
    while bits > 8:
        bits //= 2
        number = (number >> bits) ^ (number & ((1 << bits) - 1))
    return number


def _header_facts(source: ImageSource) -> dict[str, Fact]:
    fields = HEADER.unpack(_exactly(source, 0, HEADER.size))
    flash, chip, old_revision, revision_min, revision_max = fields[3], *fields[7:11]
    if revision_max == 0:  # built before IDF 4.4.3: only the old field, a minor one on the C3
        revision_min = old_revision if chip == 5 else old_revision * 100
    facts: dict[str, Fact] = {
        "chip": CHIPS[chip],
        "flash_size": f"{2 ** (flash >> 4)}MB",
        "min_chip_revision": revision_min,
    }
    return facts | ({"max_chip_revision": revision_max} if revision_max else {})


def _descriptor_facts(source: ImageSource) -> dict[str, Fact]:
    """`esp_app_desc_t`; texts that are not set are empty."""
    fields = DESCRIPTOR.unpack(_exactly(source, DESCRIPTOR_OFFSET, DESCRIPTOR.size))
    version, project, time, date, idf = (_text(field) for field in fields[3:8])
    elf: bytes = fields[8]
    return {
        "secure_version": int(fields[1]),
        "version": version,
        "project_name": project,
        "idf_version": idf,
        "compiled": f"{date} {time}".strip(),  # both blank in a reproducible build
        "elf_sha256": elf.hex() if any(elf) else "",
    }


def _text(field: bytes) -> str:
    """A C string from outside: to its NUL, and nothing in it that a terminal would obey."""
    text = field.split(b"\0", 1)[0].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text).strip()


def _left_behind(version: str, project: str) -> bool:
    """The framework's own descriptor: it says nothing about the application.

    Every Arduino-ESP32 sketch carries that of the core's prebuilt libraries; ESP-IDF writes "1"
    where neither a setting, nor version.txt, nor git gave a version.
    """
    return project == "arduino-lib-builder" or version.startswith("esp-idf:") or version == "1"


def _signature_blocks(source: ImageSource, end: int) -> int:
    """How many intact Secure Boot v2 blocks follow; whose they are is not known here."""
    sector_at = -(-end // SIGNATURE_SECTOR_BYTES) * SIGNATURE_SECTOR_BYTES
    for count in range(SIGNATURE_BLOCKS_MAX):
        block = source.read_at(sector_at + count * SIGNATURE_BLOCK.size, SIGNATURE_BLOCK.size)
        if len(block) < SIGNATURE_BLOCK.size:
            return count
        magic, version, checked = SIGNATURE_BLOCK.unpack(block)
        intact = checked == crc32(block[:SIGNATURE_CHECKED_BYTES])
        if magic != SIGNATURE_MAGIC or version not in SIGNATURE_VERSIONS or not intact:
            return count
    return SIGNATURE_BLOCKS_MAX
