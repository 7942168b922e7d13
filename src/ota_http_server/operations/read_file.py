"""Reading a file of the firmware folder: whole, checked, and copied into a blob.

A file that is still being copied is not taken: an image that knows its length waits until it is
whole, any other until it stood still for a second.
"""

import errno
import os
from collections.abc import Callable

from ota_http_server.domain.errors import NotFound, TooLarge, Unavailable
from ota_http_server.domain.image import HEAD_BYTES, Damaged, ImageFacts, read_image, recognised
from ota_http_server.operations.bounded import Bounded
from ota_http_server.storage.blobs import BLOCK_BYTES, Blobs, Partial
from ota_http_server.storage.files import Look
from ota_http_server.storage.folder import Folder, look_of
from ota_http_server.storage.images import Image

STILL_SECONDS = 1.0  # an opaque file that did not change for so long is whole
REMEMBERED_MAX = 10_000  # names; a few hundred bytes each

# Gone since it was looked at, a link by now, or not for us: it is not there. Anything else is
# the disk's or the network's trouble, and passes.
NOT_OURS = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM)


class FileReader:
    """One for each process: it watches how long files stand still."""

    def __init__(
        self,
        folder: Folder,
        blobs: Blobs,
        *,
        image_bytes_max: int,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._blobs = blobs
        self._image_bytes_max = image_bytes_max
        self._monotonic = monotonic
        self._wall = wall
        self._first_looks: Bounded[tuple[str, str], tuple[Look, float]] = Bounded(REMEMBERED_MAX)

    def read(self, project: str, name: str, look: Look) -> Image:
        """Reads a file that looks so into a blob.

        Raises `NotFound` if it is not whole yet, `Unfit` if it is damaged, `TooLarge` beyond the
        limit and `DiskFull` where its copy would not leave enough room.
        """
        if look.size > self._image_bytes_max:
            raise TooLarge(f"{name} has {look.size:,} bytes, more than {self._image_bytes_max:,}")
        try:
            with self._folder.open(project, name) as source:
                image = self._copy(source, name, look, still=self._is_still(project, name, look))
        except OSError as error:
            reason = f"{name} cannot be read: {error.strerror or error}"
            if error.errno in NOT_OURS:
                raise NotFound(reason) from error
            raise Unavailable(reason) from error
        if self._folder.look(project, name) != look:
            raise NotFound(f"{name} is still being written; try again in a moment")
        return image

    def _copy(self, source: int, name: str, look: Look, *, still: bool) -> Image:
        if look_of(os.fstat(source)) != look:
            raise NotFound(f"{name} is still being written; try again in a moment")
        head = os.read(source, HEAD_BYTES)
        if not still and not recognised(head):
            raise NotFound(f"{name} changed a moment ago; it is served once it stood still")
        with self._blobs.receiving(self._image_bytes_max, look.size) as partial:
            block = head
            while block:
                partial.write(block)
                block = os.read(source, BLOCK_BYTES)
            facts = self._facts(partial, name, still=still)
            blob = self._blobs.keep(partial)
        return Image.of(facts, sha256=blob.sha256, size=blob.size, md5=blob.md5, sha1=blob.sha1)

    def _facts(self, partial: Partial, name: str, *, still: bool) -> ImageFacts:
        try:
            facts = read_image(partial)
        except Damaged as error:
            if still:
                raise
            # It may be one that is being copied into a file of its full length.
            raise NotFound(f"{name} is still being copied: {error.detail}") from error
        if not still and facts.length != partial.size:
            # Whole by its header, but a signature may follow, and its end is not known.
            raise NotFound(f"{name} changed a moment ago; it is served once it stood still")
        return facts

    def _is_still(self, project: str, name: str, look: Look) -> bool:
        """Unchanged for a second, by the file's own times or, if those lie, by our own watch."""
        changed = max(look.mtime_ns, look.ctime_ns) / 1e9
        if 0 <= changed <= self._wall() - STILL_SECONDS:
            return True
        first = self._first_looks.get((project, name))
        if first is None or first[0] != look:
            self._first_looks.put((project, name), (look, self._monotonic()))
            return False
        return self._monotonic() - first[1] >= STILL_SECONDS
