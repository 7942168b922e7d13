"""The reader of merged images of the ESP32 family (esptool merge_bin): a flash from its beginning.

They are written by cable; as an update they would put a bootloader where the application belongs.
The partition table lies at 0x8000, the bootloader before it: at 0 (C3, S3, C6, …), 0x1000 (ESP32
and S2, FF before it) or 0x2000 (P4, C5).
"""

from ota_http_server.domain.formats import esp_application, esp_bootloader
from ota_http_server.domain.formats.esp_layout import (
    MAGIC,
    PARTITION_MAGIC,
    PARTITION_TABLE_AT,
    PARTITION_TABLE_BYTES,
)
from ota_http_server.domain.formats.esp_partitions import (
    APPLICATION_TYPE,
    Partition,
    partition_facts,
    partitions_of,
)
from ota_http_server.domain.image_facts import ImageFacts, ImageSource, Part

FORMAT = "esp-factory"
BOOTLOADERS_AT = (0, 0x1000, 0x2000)


def recognises(head: bytes) -> bool:
    return (
        head[PARTITION_TABLE_AT:].startswith(PARTITION_MAGIC) and _bootloader_at(head) is not None
    )


def read(source: ImageSource) -> ImageFacts:
    """Bootloader, table and the first application are checked like images of their own."""
    start = _bootloader_at(source.read_at(0, PARTITION_TABLE_AT)) or 0
    bootloader = esp_bootloader.read(Part(source, start, PARTITION_TABLE_AT - start))
    partitions = partitions_of(Part(source, PARTITION_TABLE_AT, PARTITION_TABLE_BYTES))
    application = _application(source, partitions)
    return ImageFacts(
        format=FORMAT,
        version=application.version if application else None,
        project=application.project if application else None,
        header=dict(bootloader.header)
        | (dict(application.header) if application else {})
        | partition_facts(partitions),
        kind="factory",
        chip=bootloader.chip,
        min_chip_revision=bootloader.min_chip_revision,
        max_chip_revision=bootloader.max_chip_revision,
        secure_version=application.secure_version if application else None,
        appended_sha256=application.appended_sha256 if application else None,
        elf_sha256=application.elf_sha256 if application else None,
    )


def _bootloader_at(head: bytes) -> int | None:
    for at in BOOTLOADERS_AT:
        if head[at : at + 1] == bytes([MAGIC]) and head[:at] == b"\xff" * at:
            return at
    return None


def _application(source: ImageSource, partitions: list[Partition]) -> ImageFacts | None:
    """Of the first application's partition that holds one."""
    for partition in partitions:
        if partition.type == APPLICATION_TYPE:
            part = Part(source, partition.offset, partition.length)
            if esp_application.recognises(part.read_at(0, 64)):
                return esp_application.read(part)
    return None
