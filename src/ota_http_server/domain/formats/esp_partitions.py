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
APPLICATION = 0  # the other kind is data
FLASH_BYTES_MAX = 2**30  # more than any


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry; offset and length in bytes."""

    label: str
    kind: int
    subtype: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Table:
    """All entries, in their order."""

    partitions: tuple[Partition, ...]
    length: int
    """In bytes, with the entry that ends it."""

    def facts(self) -> dict[str, Fact]:
        """The smallest slot decides whether an application can be updated at all."""
        facts: dict[str, Fact] = {"partitions": ", ".join(p.label for p in self.partitions)}
        slots = [p.length for p in self.applications]
        return facts | ({"smallest_app_partition_bytes": min(slots)} if slots else {})

    @property
    def applications(self) -> tuple[Partition, ...]:
        return tuple(p for p in self.partitions if p.kind == APPLICATION)


def recognises(head: bytes) -> bool:
    """Two magic bytes are few: the first entry must also lie behind the table and in a flash."""
    if len(head) < PARTITION.size or not head.startswith(PARTITION_MAGIC):
        return False
    offset, length = int.from_bytes(head[4:8], "little"), int.from_bytes(head[8:12], "little")
    return 0 < offset < FLASH_BYTES_MAX and 0 < length < FLASH_BYTES_MAX


def read(source: ImageSource) -> ImageFacts:
    """Which partitions there are."""
    table = table_of(source)
    return ImageFacts(
        format=FORMAT, length=table.length, header=table.facts(), kind="partition-table"
    )


def table_of(source: ImageSource) -> Table:
    """The table that lies at the beginning; `Damaged` if its MD5 is wrong."""
    content = source.read_at(0, PARTITION_TABLE_BYTES)
    partitions: list[Partition] = []
    for at in range(0, len(content), PARTITION.size):
        entry = content[at : at + PARTITION.size]
        if len(entry) < PARTITION.size:
            break
        end = Table(tuple(partitions), at + PARTITION.size)
        if entry == b"\xff" * PARTITION.size:
            return end
        if entry.startswith(PARTITION_DIGEST_MAGIC):
            if entry[16:] != md5(content[:at], usedforsecurity=False).digest():
                raise Damaged("wrong MD5: the entries of the partition table were changed")
            return end
        partitions.append(_partition(entry, at))
    if len(content) < PARTITION_TABLE_BYTES:
        raise incomplete(source, len(content) + 1, at_least=True)
    return Table(tuple(partitions), PARTITION_TABLE_BYTES)


def _partition(entry: bytes, at: int) -> Partition:
    magic, kind, subtype, offset, length, label, _ = PARTITION.unpack(entry)
    if magic != PARTITION_MAGIC:
        raise Damaged(f"there is no entry of the partition table at {at}, where one should be")
    return Partition(text(label), kind, subtype, offset, length)
