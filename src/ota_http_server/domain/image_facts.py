"""What can be known about an image, where its bytes come from, and how it may be unfit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ota_http_server.domain.errors import Unfit

Fact = str | int | bool

Kind = Literal[
    "application",
    "filesystem",
    "bootloader",
    "partition-table",
    "factory",
    "patch",
    "bundle",
    "opaque",
]
"""What an image is for. A factory image is a whole flash, written by cable; a bundle brings its
own installation instructions; a patch needs the image that it was made from."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image's bytes say about it. None and empty: they say nothing."""

    format: str
    """A documented name: `esp-idf-app`, `mcuboot`, …, `opaque`."""
    length: int | None = None
    """Bytes that the header promises (signature and padding may follow), None if it says none."""
    version: str | None = None
    """As written in the header; None if there is none or the framework left its own behind."""
    project: str | None = None
    """Likewise."""
    header: Mapping[str, Fact] = field(default_factory=dict)
    """What the header says, by documented names, ready for JSON."""
    kind: Kind = "opaque"
    chip: str | None = None
    """The chip that the image was built for, in esptool's spelling: `esp32s3`."""
    min_chip_revision: int | None = None
    """In hundredths: 301 is v3.1. An older chip refuses the image."""
    max_chip_revision: int | None = None
    """Likewise; a newer chip refuses it."""
    secure_version: int | None = None
    """The anti-rollback counter; a device that has seen a higher one refuses the image."""
    hardware: tuple[str, ...] = ()
    """The boards that a bundle names, in the spelling of its own tool."""
    base_sha256: str | None = None
    """Of a patch: the `appended_sha256` of the image that it applies to."""
    appended_sha256: str | None = None
    """The digest that the image carries and by which a device reports what it runs."""
    elf_sha256: str | None = None
    """The digest of the linked program, which ESP-IDF reports likewise."""


class Damaged(Unfit):
    """The image is recognised and its bytes are wrong: a device would refuse it, or worse."""


class Incomplete(Damaged):
    """The file is shorter than its header promises: a copy in progress, or one cut short."""


class Mistaken(Unfit):
    """The file is whole and is no image: another of the files that lay beside the right one."""


class ImageSource(Protocol):
    """Bytes that can be read in pieces: an image of many megabytes is never held whole."""

    @property
    def size(self) -> int:
        """How many bytes there are."""

    def read_at(self, offset: int, length: int, /) -> bytes:
        """These bytes; fewer only where the source ends."""


@dataclass(frozen=True, slots=True)
class BytesSource:
    """An image that is in memory already."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read_at(self, offset: int, length: int, /) -> bytes:
        return self.content[offset : offset + length]


@dataclass(frozen=True, slots=True)
class Part:
    """An image inside another one."""

    whole: ImageSource
    start: int
    length: int
    """At most; fewer bytes where the whole ends."""

    @property
    def size(self) -> int:
        return max(0, min(self.length, self.whole.size - self.start))

    def read_at(self, offset: int, length: int, /) -> bytes:
        return self.whole.read_at(self.start + offset, max(0, min(length, self.size - offset)))


class Reader(Protocol):
    """One format."""

    def recognises(self, head: bytes, /) -> bool:
        """The first `HEAD_BYTES` (fewer if there are no more) are this format's."""

    def read(self, source: ImageSource, /) -> ImageFacts:
        """Read it whole; `Incomplete`, `Damaged`, `Mistaken` or (too big) `Unfit` say why not."""
