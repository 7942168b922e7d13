"""The reader of images of the ESP32 family without an application's descriptor.

That is a bootloader, or an application that was built before ESP-IDF 3.2 or without ESP-IDF. Since
ESP-IDF 5.2 a bootloader has a descriptor of its own (esp_bootloader_desc.h).
"""

from ota_http_server.domain.formats.esp_image import (
    Header,
    Verified,
    begins_like_esp32,
    header_of,
    verified,
)
from ota_http_server.domain.formats.esp_layout import (
    BOOTLOADER_DESCRIPTOR,
    BOOTLOADER_DESCRIPTOR_MAGIC,
    DESCRIPTOR_OFFSET,
)
from ota_http_server.domain.formats.esp_signature import signature_facts
from ota_http_server.domain.formats.reading import exactly, text
from ota_http_server.domain.image_facts import Fact, ImageFacts, ImageSource

BOOTLOADER = "esp-bootloader"
APPLICATION = "esp-app"

# The first application begins at 0x10000 at the earliest; what lies before it is smaller.
BOOTLOADER_BYTES_MAX = 0x10000
SPI_MODES_MAX = 5  # esp_image_spi_mode_t


def recognises(head: bytes) -> bool:
    """Two bytes and a chip could be anything's: the mode and the digest's flag must fit too."""
    return begins_like_esp32(head) and head[2] <= SPI_MODES_MAX and head[23] <= 1


def read(source: ImageSource) -> ImageFacts:
    """Check it as the boot ROM would and say what it is."""
    header = header_of(source)
    image = verified(source, header)
    descriptor = _descriptor(source, image)
    if descriptor is None and image.end > BOOTLOADER_BYTES_MAX:
        return _application(source, header, image)
    facts, secure_version = descriptor or ({}, None)
    return ImageFacts(
        format=BOOTLOADER,
        length=image.end,
        header=header.facts() | facts | image.facts() | signature_facts(source, image.end),
        kind="bootloader",
        chip=header.chip,
        min_chip_revision=header.min_chip_revision,
        max_chip_revision=header.max_chip_revision,
        secure_version=secure_version,
        appended_sha256=image.appended_sha256,
    )


def _application(source: ImageSource, header: Header, image: Verified) -> ImageFacts:
    return ImageFacts(
        format=APPLICATION,
        length=image.end,
        header=header.facts() | image.facts() | signature_facts(source, image.end),
        kind="application",
        chip=header.chip,
        min_chip_revision=header.min_chip_revision,
        max_chip_revision=header.max_chip_revision,
        appended_sha256=image.appended_sha256,
    )


def _descriptor(source: ImageSource, image: Verified) -> tuple[dict[str, Fact], int] | None:
    """What a bootloader's descriptor says, and its secure version."""
    if image.layout.first_segment_bytes < BOOTLOADER_DESCRIPTOR.size:
        return None
    magic, zeros, secure_version, version, idf, compiled, _ = BOOTLOADER_DESCRIPTOR.unpack(
        exactly(source, DESCRIPTOR_OFFSET, BOOTLOADER_DESCRIPTOR.size)
    )
    if magic != BOOTLOADER_DESCRIPTOR_MAGIC or any(zeros) or not text(idf):
        return None
    facts: dict[str, Fact] = {
        "bootloader_version": version,
        "secure_version": secure_version,
        "idf_version": text(idf),
    }
    return facts | ({"compiled": text(compiled)} if text(compiled) else {}), secure_version
