"""What can be known about an image, where its bytes come from, and how it may be damaged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ota_http_server.domain.errors import Unfit

Fact = str | int | bool


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image's bytes say about it."""

    format: str
    """`esp-idf-app` or `opaque`."""
    length: int | None = None
    """Bytes that the header promises (signature and padding may follow), None if it says none."""
    version: str | None = None
    """As written in the header; None if there is none or the framework left its own behind."""
    project: str | None = None
    """Likewise."""
    header: Mapping[str, Fact] = field(default_factory=dict)
    """What the header says, by documented names, ready for JSON."""


class Damaged(Unfit):
    """The image is recognised and its bytes are wrong: a device would refuse it, or worse."""


class Incomplete(Damaged):
    """The file is shorter than its header promises: a copy in progress, or one cut short."""


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
