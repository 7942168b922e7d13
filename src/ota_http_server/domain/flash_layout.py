"""Where the parts of a release go in a board's flash when it is written by cable."""

from dataclasses import dataclass

from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.release import Release, ReleaseImage

PARTITION_TABLE_AT = 0x8000
APPLICATION_AT = 0x10000
_BOOTLOADER_AT = {  # CONFIG_BOOTLOADER_OFFSET_IN_FLASH, where the chip's ROM looks for it
    "esp32": 0x1000,
    "esp32s2": 0x1000,
    "esp32c5": 0x2000,
    "esp32h4": 0x2000,
    "esp32p4": 0x2000,
}


@dataclass(frozen=True, slots=True)
class Placed:
    """An image, and the address that it is written to."""

    image: ReleaseImage
    offset: int


def flash_layout(
    release: Release, chip: str, application: ReleaseImage | None = None
) -> list[Placed]:
    """All that a new board of this chip needs; empty where the release does not have all of it.

    `application` is the board's own where there are several for its chip.
    """
    boards = application.hardware if application is not None else ()
    its = _Images(release, chip, boards)
    if (factory := its.of("factory")) is not None:
        return [Placed(factory, 0)]
    application = application or its.of("application")
    if application is None or application.part != "application":
        return []
    if application.format == "esp8266-app":
        return [Placed(application, 0)]
    bootloader, table = its.of("bootloader"), its.of("partition-table")
    if bootloader is None or table is None:
        return []
    return [
        Placed(bootloader, _BOOTLOADER_AT.get(chip, 0)),
        Placed(table, PARTITION_TABLE_AT),
        Placed(application, APPLICATION_AT),
    ]


class _Images:
    """Those of a release that are for one chip and board."""

    def __init__(self, release: Release, chip: str, boards: tuple[str, ...]) -> None:
        chips = {image.chip for image in release.images if image.chip}
        # A partition table, or a file that only its name tells of, does not say its chip.
        may_be_silent = chips <= {chip}
        self._images = [
            image
            for image in reversed(release.images)
            if (image.chip == chip or (image.chip is None and may_be_silent))
            and (not image.hardware or not boards or image.hardware == boards)
        ]

    def of(self, part: Kind) -> ReleaseImage | None:
        """The last one that came."""
        return next((image for image in self._images if image.part == part), None)
