"""What an image is: the table of the formats that can be read, and the way into it.

A reader is a module with two functions. A format is added by writing one and naming it here; what
no reader recognises is opaque, and is served as it is.
"""

from ota_http_server.domain.formats import (
    compressed,
    esp8266,
    esp_application,
    esp_bootloader,
    esp_delta,
    esp_encrypted,
    esp_factory,
    esp_partitions,
    filesystems,
    mcuboot,
    mender,
    mistakes,
    rauc,
    swupdate,
    uf2,
)
from ota_http_server.domain.image_facts import (
    BytesSource,
    Damaged,
    Fact,
    ImageFacts,
    ImageSource,
    Incomplete,
    Kind,
    Mistaken,
    Reader,
)

__all__ = [
    "HEAD_BYTES",
    "READERS",
    "BytesSource",
    "Damaged",
    "Fact",
    "ImageFacts",
    "ImageSource",
    "Incomplete",
    "Kind",
    "Mistaken",
    "Reader",
    "read_image",
    "recognised",
]

HEAD_BYTES = 0x8020  # a merged image of an ESP32 shows itself by the partition table at 0x8000

# The first that recognises an image reads it, so what is more particular stands first: an ESP
# application has a descriptor, a merged image a partition table, an ESP8266's addresses its own.
READERS: tuple[Reader, ...] = (
    esp_application,
    esp_factory,
    esp8266,
    esp_bootloader,
    esp_partitions,
    esp_delta,
    esp_encrypted,
    mcuboot,
    swupdate,
    rauc,
    mender,
    uf2,
    compressed,
    filesystems,
    mistakes,
)


def read_image(source: ImageSource) -> ImageFacts:
    """What the image is.

    `Damaged` if it is of a known format and its bytes are wrong; `Mistaken` if it is a known file
    that no device can use; `Unfit` if it is larger than any of its format.
    """
    reader = _reader(source.read_at(0, HEAD_BYTES))
    return reader.read(source) if reader else ImageFacts(format="opaque")


def recognised(head: bytes) -> bool:
    """An image that begins so is of a known format, which says whether all of it is there."""
    return _reader(head) is not None


def _reader(head: bytes) -> Reader | None:
    return next((reader for reader in READERS if reader.recognises(head)), None)
