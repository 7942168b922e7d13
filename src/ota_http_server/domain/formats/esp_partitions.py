"""The reader of an ESP32's partition table (ESP-IDF: gen_esp32part.py, esp_flash_partitions.h).

Entries of 32 bytes that begin AA 50, then perhaps one that begins EB EB with the MD5 of those
before it, then FF to the end of 0xC00 bytes.
"""

from dataclasses import dataclass
from hashlib import md5

from ota_http_server.domain.formats.esp_layout import (
    PARTITION,
    PARTITION_DIGEST_MAGIC,
    PARTITION_MAGIC,
    PARTITION_TABLE_BYTES,
)
from ota_http_server.domain.formats.reading import incomplete, text
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource

FORMAT = "esp-partition-table"
APPLICATION_TYPE = 0
FLASH_BYTES_MAX = 2**30  # more than any


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry; offset and length in bytes."""

    label: str
    type: int
    subtype: int
    offset: int
    length: int


def recognises(head: bytes) -> bool:
    """Two magic bytes are few: the first entry must also lie behind the table and in a flash."""
    if len(head) < PARTITION.size or not head.startswith(PARTITION_MAGIC):
        return False
    offset, length = int.from_bytes(head[4:8], "little"), int.from_bytes(head[8:12], "little")
    return 0 < offset < FLASH_BYTES_MAX and 0 < length < FLASH_BYTES_MAX


def read(source: ImageSource) -> ImageFacts:
    """Which partitions there are."""
    partitions = partitions_of(source)
    return ImageFacts(format=FORMAT, header=partition_facts(partitions), kind="partition-table")


def partition_facts(partitions: list[Partition]) -> dict[str, Fact]:
    """The largest image that fits into each slot decides whether an update fits at all."""
    facts: dict[str, Fact] = {"partitions": ", ".join(p.label for p in partitions)}
    slots = [p.length for p in partitions if p.type == APPLICATION_TYPE]
    return facts | ({"smallest_app_partition_bytes": min(slots)} if slots else {})


def partitions_of(source: ImageSource) -> list[Partition]:
    """The entries of the table that lies at the beginning; `Damaged` if its MD5 is wrong."""
    table = source.read_at(0, PARTITION_TABLE_BYTES)
    partitions: list[Partition] = []
    for at in range(0, len(table), PARTITION.size):
        entry = table[at : at + PARTITION.size]
        if entry.startswith(PARTITION_DIGEST_MAGIC):
            if entry[16:] != md5(table[:at], usedforsecurity=False).digest():
                raise Damaged("wrong MD5: the entries of the partition table were changed")
            return partitions
        if entry == b"\xff" * PARTITION.size:
            return partitions
        if len(entry) < PARTITION.size:
            raise incomplete(len(table), f"at least {at + PARTITION.size}")
        if not entry.startswith(PARTITION_MAGIC):
            raise Damaged(f"entry {len(partitions) + 1} of the partition table is none")
        _, type_, subtype, offset, length, label, _ = PARTITION.unpack(entry)
        partitions.append(Partition(text(label), type_, subtype, offset, length))
    if len(table) < PARTITION_TABLE_BYTES:
        raise incomplete(len(table), PARTITION_TABLE_BYTES)
    return partitions
