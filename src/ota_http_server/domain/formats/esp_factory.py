"""The reader of merged images of the ESP32 family (esptool merge_bin): a flash from its beginning.

They are written by cable; as an update they would put a bootloader where the application belongs.
The partition table lies at 0x8000, the bootloader before it: at 0 (C3, S3, C6, …), 0x1000 (ESP32
and S2, FF before it) or 0x2000 (P4, C5).
"""

from dataclasses import replace

from ota_http_server.domain.formats import esp_application, esp_bootloader
from ota_http_server.domain.formats.esp_layout import (
    PARTITION_MAGIC,
    PARTITION_TABLE_AT,
    PARTITION_TABLE_BYTES,
)
from ota_http_server.domain.formats.esp_partitions import Table, table_of
from ota_http_server.domain.formats.reading import whole
from ota_http_server.domain.image_facts import Damaged, ImageFacts, ImageSource, Part

FORMAT = "esp-factory"
IMAGE_HEAD_BYTES = 64
BOOTLOADERS_AT = (0, 0x1000, 0x2000)


def recognises(head: bytes) -> bool:
    return (
        head[PARTITION_TABLE_AT:].startswith(PARTITION_MAGIC) and _bootloader_at(head) is not None
    )


def read(source: ImageSource) -> ImageFacts:
    """Bootloader, table and the first application are checked like images of their own."""
    start = _bootloader_at(source.read_at(0, PARTITION_TABLE_AT)) or 0
    bootloader = esp_bootloader.read(Part(source, start, PARTITION_TABLE_AT - start))
    table = table_of(Part(source, PARTITION_TABLE_AT, PARTITION_TABLE_BYTES))
    end, application = _application(source, table)
    if application.chip not in (None, bootloader.chip):
        raise Damaged(
            f"its bootloader is for {bootloader.chip}, its application for {application.chip}"
        )
    return replace(
        application,
        format=FORMAT,
        length=end,
        header=dict(bootloader.header) | dict(application.header) | table.facts(),
        kind="factory",
        chip=bootloader.chip,
    )


def _bootloader_at(head: bytes) -> int | None:
    for at in BOOTLOADERS_AT:
        beginning = head[at : at + IMAGE_HEAD_BYTES]
        if esp_bootloader.recognises(beginning) and head[:at] == b"\xff" * at:
            return at
    return None


def _application(source: ImageSource, table: Table) -> tuple[int, ImageFacts]:
    """Where the first application that is there ends, and what it is.

    There may be none, but one place for it must be there: else the image was cut before it.
    """
    for partition in table.applications:
        part = Part(source, partition.offset, partition.length)
        if esp_application.recognises(part.read_at(0, IMAGE_HEAD_BYTES)):
            facts = esp_application.read(part)
            return partition.offset + (facts.length or 0), facts
    places = [partition.offset + IMAGE_HEAD_BYTES for partition in table.applications]
    end = max(PARTITION_TABLE_AT + table.length, min(places, default=0))
    return whole(source, end), ImageFacts(format=FORMAT)
