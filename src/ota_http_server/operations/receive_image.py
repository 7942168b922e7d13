"""Receiving an image: bytes stream in, are checked for what they are, and become a blob.

Nothing has a name before all of it is here, whole and right; whatever goes wrong on the way leaves
nothing behind.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from ota_http_server.domain.errors import Invalid, TooLarge, Unavailable
from ota_http_server.domain.image import read_image
from ota_http_server.domain.image_facts import ImageFacts, Kind
from ota_http_server.domain.release import part_of
from ota_http_server.operations.release_wish import Upload
from ota_http_server.storage.blobs import Blobs, Partial
from ota_http_server.storage.images import Image

AT_ONCE_MAX = 8  # uploads of one process: each has a file open and a disk to share
DECLARED_ONLY: tuple[Kind, ...] = ("bootloader", "partition-table", "patch")
"""No device can go back from these by itself: that it is meant must be said."""

InThread = Callable[[Callable[[], Any]], Any]


class ReceiveImage:
    """One for each process."""

    def __init__(self, blobs: Blobs, *, image_bytes_max: int, in_thread: InThread) -> None:
        self._blobs = blobs
        self._image_bytes_max = image_bytes_max
        self._in_thread = in_thread
        self._places = BoundedSemaphore(AT_ONCE_MAX)

    @contextmanager
    def receiving(self, upload: Upload) -> Iterator[tuple[Image, Callable[[], None]]]:
        """The image that arrived, and what keeps its bytes; without that they are gone at the end.

        Raises `TooLarge`, `DiskFull`, `Invalid` for another length or digest than announced,
        `Unfit` for what no device could use, and `Unavailable` if too many arrive at once.
        """
        if upload.length is not None and upload.length > self._image_bytes_max:
            raise TooLarge(
                f"{upload.name} has {upload.length:,} bytes, more than {self._image_bytes_max:,}"
            )
        # pylint: disable-next=consider-using-with  # `with` waits, and nobody should
        if not self._places.acquire(blocking=False):
            raise Unavailable(f"{AT_ONCE_MAX} images arrive already; try again in a moment")
        try:
            with self._blobs.receiving(self._image_bytes_max, upload.length or 0) as partial:
                for block in upload.blocks:
                    self._in_thread(functools.partial(partial.write, block))
                _check_length(upload, partial.size)
                image = self._image(upload, partial)
                yield image, lambda: self._keep(partial)
        finally:
            self._places.release()

    def _keep(self, partial: Partial) -> None:
        self._in_thread(lambda: self._blobs.keep(partial))

    def _image(self, upload: Upload, partial: Partial) -> Image:
        blob = partial.blob
        if upload.sha256 is not None and upload.sha256 != blob.sha256:
            raise Invalid(f"{upload.name} arrived with other bytes than its sha256 announces")
        facts: ImageFacts = self._in_thread(lambda: read_image(partial))
        return Image.of(facts, sha256=blob.sha256, size=blob.size, md5=blob.md5, sha1=blob.sha1)


def part_in_release(upload: Upload, kind: Kind) -> Kind:
    """What the image is for: what its bytes say, else what was declared, else what its name says.

    `Invalid` where it must be declared and is not.
    """
    if kind in DECLARED_ONLY and upload.part != kind:
        raise Invalid(
            f"{upload.name} is a {kind}, which no device can take back by itself: declare"
            f" part={kind} if it is meant"
        )
    if upload.part is not None:
        return upload.part
    return part_of(kind, upload.name)


def _check_length(upload: Upload, size: int) -> None:
    if upload.length is not None and size != upload.length:
        raise Invalid(f"{upload.name} was announced with {upload.length:,} bytes, {size:,} came")
    if size == 0:
        raise Invalid(f"{upload.name} is empty")
