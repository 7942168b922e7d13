"""The reader of ESP-IDF application images (also built by Arduino-ESP32, ESPHome, Tasmota32)."""

from dataclasses import dataclass

from ota_http_server.domain.formats.esp_image import begins_like_esp32, header_of, verified
from ota_http_server.domain.formats.esp_layout import (
    DESCRIPTOR,
    DESCRIPTOR_MAGIC,
    DESCRIPTOR_OFFSET,
)
from ota_http_server.domain.formats.esp_signature import signature_facts
from ota_http_server.domain.formats.reading import exactly, text
from ota_http_server.domain.image_facts import Fact, ImageFacts, ImageSource

FORMAT = "esp-idf-app"


@dataclass(frozen=True, slots=True)
class _Descriptor:
    """`esp_app_desc_t`; texts that are not set are empty."""

    secure_version: int
    version: str
    project: str
    idf_version: str
    compiled: str
    elf_sha256: str

    @property
    def left_behind(self) -> bool:
        """The framework's own descriptor: it says nothing about the application.

        Every Arduino-ESP32 sketch carries that of the core's prebuilt libraries; ESP-IDF writes
        "1" where neither a setting, nor version.txt, nor git gave a version.
        """
        return (
            self.project == "arduino-lib-builder"
            or self.version.startswith("esp-idf:")
            or self.version == "1"
        )

    def facts(self) -> dict[str, Fact]:
        texts = {
            "version": self.version,
            "project_name": self.project,
            "idf_version": self.idf_version,
            "compiled": self.compiled,
            "elf_sha256": self.elf_sha256,
        }
        return {"secure_version": self.secure_version} | {k: v for k, v in texts.items() if v}


def recognises(head: bytes) -> bool:
    """An application has a descriptor; a bootloader and an ESP8266 image have none."""
    return (
        len(head) >= DESCRIPTOR_OFFSET + 4
        and begins_like_esp32(head)
        and int.from_bytes(head[DESCRIPTOR_OFFSET:][:4], "little") == DESCRIPTOR_MAGIC
    )


def read(source: ImageSource) -> ImageFacts:
    """Check the image as a device would and say what it is."""
    header = header_of(source)
    image = verified(source, header, descriptor_bytes=DESCRIPTOR.size)
    descriptor = _descriptor(source)
    own = not descriptor.left_behind
    return ImageFacts(
        format=FORMAT,
        length=image.end,
        version=(descriptor.version or None) if own else None,
        project=(descriptor.project or None) if own else None,
        header=header.facts()
        | descriptor.facts()
        | image.facts()
        | signature_facts(source, image.end),
        kind="application",
        chip=header.chip,
        min_chip_revision=header.min_chip_revision,
        max_chip_revision=header.max_chip_revision,
        secure_version=descriptor.secure_version,
        appended_sha256=image.appended_sha256,
        elf_sha256=descriptor.elf_sha256 or None,
    )


def _descriptor(source: ImageSource) -> _Descriptor:
    fields = DESCRIPTOR.unpack(exactly(source, DESCRIPTOR_OFFSET, DESCRIPTOR.size))
    version, project, time, date, idf = (text(field) for field in fields[3:8])
    elf: bytes = fields[8]
    return _Descriptor(
        secure_version=fields[1],
        version=version,
        project=project,
        idf_version=idf,
        compiled=f"{date} {time}".strip(),  # both blank in a reproducible build
        elf_sha256=elf.hex() if any(elf) else "",
    )
