"""What an image is: the table of the formats that can be read, and the way into it.

A reader is a module with two functions. A format is added by writing one and naming it here; what
no reader recognises is opaque, and is served as it is.
"""

from typing import Protocol

from ota_http_server.domain import esp_application
from ota_http_server.domain.image_facts import (
    BytesSource,
    Damaged,
    Fact,
    ImageFacts,
    ImageSource,
    Incomplete,
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
    "Reader",
    "read_image",
    "recognised",
]

HEAD_BYTES = 288  # an ESP-IDF application's header, first segment header and descriptor


class Reader(Protocol):
    """One format."""

    def recognises(self, head: bytes, /) -> bool:
        """The first `HEAD_BYTES` (fewer if there are no more) are this format's."""

    def read(self, source: ImageSource, /) -> ImageFacts:
        """Read it whole; `Incomplete`, `Damaged` or (too big) `Unfit` say what is wrong."""


READERS: tuple[Reader, ...] = (esp_application,)


def read_image(source: ImageSource) -> ImageFacts:
    """What the image is; `Damaged` if it is of a known format and its bytes are wrong."""
    reader = _reader(source.read_at(0, HEAD_BYTES))
    return reader.read(source) if reader else ImageFacts(format="opaque")


def recognised(head: bytes) -> bool:
    """An image that begins so is of a known format, which knows its own length."""
    return _reader(head) is not None


def _reader(head: bytes) -> Reader | None:
    return next((reader for reader in READERS if reader.recognises(head)), None)
