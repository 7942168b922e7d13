"""Collecting: what lies in the firmware folder is read whole, checked, copied and known.

A name leads to bytes through its look: as long as inode, size and times are what they were when
the file was read, the image is the one that was read. A file that is still being copied is not
served: an image that knows its length waits until it is whole, any other until it stood still
for a second.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ota_http_server.domain.errors import NotFound, Refusal, TooLarge, Unfit
from ota_http_server.domain.image import HEAD_BYTES, Damaged, ImageFacts, read_image, recognised
from ota_http_server.logs import logger
from ota_http_server.operations.bounded import Bounded
from ota_http_server.storage.blobs import BLOCK_BYTES, Blobs, Partial
from ota_http_server.storage.database import Database
from ota_http_server.storage.files import File, Look
from ota_http_server.storage.folder import Folder, counts, look_of
from ota_http_server.storage.images import Image
from ota_http_server.storage.transaction import Writing

LOG = logger("collect")

STILL_SECONDS = 1.0  # an opaque file that did not change for so long is whole
LISTING_SECONDS = 0.5  # how long a listing of a folder is believed
FILES_A_TURN = 100  # files looked at without a pause, half a millisecond's work
REMEMBERED_MAX = 10_000  # names; a few hundred bytes each

InThread = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True)
class Collected:
    """A name of the folder and the image that it holds now."""

    name: str
    image: Image
    modified_at: int
    """The file's mtime in seconds."""
    collected_at: int
    """When this image came under this name."""
    seen: int
    """Counts up by first sight."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a file that looks so is not served; found out once, not at each request."""

    look: Look
    refusal: Refusal


class Collection:
    """The firmware folder as images. One for each process; all share rows and blobs."""

    def __init__(
        self,
        folder: Folder,
        blobs: Blobs,
        database: Database,
        *,
        image_bytes_max: int,
        in_thread: InThread,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.blobs = blobs
        self._database = database
        self._image_bytes_max = image_bytes_max
        self._in_thread = in_thread
        self._monotonic = monotonic
        self._wall = wall
        self._known: Bounded[tuple[str, str], tuple[Look, Collected]] = Bounded(REMEMBERED_MAX)
        self._refused: Bounded[tuple[str, str], _Refused] = Bounded(REMEMBERED_MAX)
        self._first_looks: Bounded[tuple[str, str], tuple[Look, float]] = Bounded(REMEMBERED_MAX)
        self._listings: Bounded[str, tuple[float, dict[str, Look]]] = Bounded(1_000)
        self._found: Bounded[str, tuple[dict[str, Look], list[Collected]]] = Bounded(1_000)
        self._turns: Bounded[tuple[str, str], Lock] = Bounded(REMEMBERED_MAX)

    def find(self, project: str, name: str) -> Collected:
        """What the name holds now, read and checked if it is new or changed. On the hot path.

        Raises `NotFound` if there is nothing (or nothing whole) and `Unfit` for a damaged image.
        """
        look = self.folder.look(project, name) if counts(name) else None
        if look is None:
            raise NotFound(f"{project} has no file {name}")
        known = self._known.get((project, name))
        if known is not None and known[0] == look:
            collected = known[1]
            if self.blobs.holds(collected.image.sha256, collected.image.size):
                return collected
        return self._collect(project, name, look)

    def has(self, project: str) -> bool:
        return self._names(project) is not None

    def lies_there(self, project: str, name: str) -> bool:
        """Whether there is a file of this name, whole or not."""
        return counts(name) and self.has(project) and self.folder.look(project, name) is not None

    def names(self, project: str) -> list[str] | None:
        """The names that count in a project's folder, a moment old at most."""
        names = self._names(project)
        return None if names is None else sorted(names)

    def all_of(self, project: str) -> list[Collected] | None:
        """All whole images of a project; None if it has no folder. What is refused is left out.

        The same list object is given as long as the listing is believed: whoever derives
        something from it may remember that by the list's identity.
        """
        names = self._names(project)
        if names is None:
            return None
        known = self._found.get(project)
        if known is not None and known[0] is names:
            return known[1]
        found, waiting = [], False
        for number, name in enumerate(names):
            if number % FILES_A_TURN == 0:
                time.sleep(0)  # under gevent this lets the other requests go on
            try:
                found.append(self.find(project, name))
            except Refusal as refusal:  # it was logged when it was refused
                waiting = waiting or not isinstance(refusal, Unfit | TooLarge)
        if not waiting:
            self._found.put(project, (names, found))
        return found

    def _names(self, project: str) -> dict[str, Look] | None:
        now = self._monotonic()
        listing = self._listings.get(project)
        if listing is None or now - listing[0] > LISTING_SECONDS:
            names = self.folder.names(project)
            if names is None:  # asked again each time: it costs nothing, and a folder may come
                return None
            listing = self._listings.put(project, (now, names))
        return listing[1]

    def _collect(self, project: str, name: str, look: Look) -> Collected:
        key = (project, name)
        refused = self._refused.get(key)
        if refused is not None and refused.look == look and not self._may_change(refused):
            raise refused.refusal
        turn = self._turns.get(key) or self._turns.put(key, Lock())
        with turn:
            known = self._known.get(key)
            if known is not None and known[0] == look and self._holds(known[1].image):
                return known[1]
            try:
                collected = self._known_row(project, name, look) or self._kept(
                    project, name, look, self._in_thread(lambda: self._read(project, name, look))
                )
            except Refusal as refusal:
                self._note_refusal(project, name, look, refusal)
                raise
        self._known.put(key, (look, collected))
        return collected

    def _known_row(self, project: str, name: str, look: Look) -> Collected | None:
        """Another process, or this one before a restart, may have read the very same file."""
        with self._database.reading() as rows:
            file = rows.files.get(project, name)
            if file is None or file.look != look:
                return None
            image = rows.images.get(file.sha256)
        if image is None or not self._holds(image):
            return None
        return self._collected(file, image)

    def _collected(self, file: File, image: Image) -> Collected:
        # RFC 9110 §8.8.2.1: Last-Modified is never later than the answer's Date.
        modified_at = min(file.look.mtime_ns // 10**9, int(self._wall()))
        return Collected(file.name, image, modified_at, file.collected_at, file.id)

    def _kept(self, project: str, name: str, look: Look, image: Image) -> Collected:
        """The row after the bytes. Not in the thread that read them: writes have one of their own,
        and gevent's threads may not wait for each other."""

        def keep(tx: Writing) -> Collected:
            tx.images.add(image, tx.second)
            file = tx.files.put(project, name, image.sha256, look, tx.second)
            return self._collected(file, image)

        return self._database.change(keep)

    def _read(self, project: str, name: str, look: Look) -> Image:
        if look.size > self._image_bytes_max:
            raise TooLarge(f"{name} has {look.size:,} bytes, more than {self._image_bytes_max:,}")
        try:
            with self.folder.open(project, name) as source:
                image = self._copy(source, name, look, still=self._is_still(project, name, look))
        except OSError as error:
            raise NotFound(f"{name} cannot be read: {error.strerror or error}") from error
        if self.folder.look(project, name) != look:
            raise NotFound(f"{name} is still being written; try again in a moment")
        return image

    def _copy(self, source: int, name: str, look: Look, *, still: bool) -> Image:
        if look_of(os.fstat(source)) != look:
            raise NotFound(f"{name} is still being written; try again in a moment")
        head = os.read(source, HEAD_BYTES)
        if not still and not recognised(head):
            raise NotFound(f"{name} changed a moment ago; it is served once it stood still")
        with self.blobs.receiving(self._image_bytes_max) as partial:
            block = head
            while block:
                partial.write(block)
                block = os.read(source, BLOCK_BYTES)
            facts = self._facts(partial, name, still=still)
            blob = self.blobs.keep(partial)
        return Image(
            sha256=blob.sha256,
            size=blob.size,
            md5=blob.md5,
            format=facts.format,
            version=facts.version,
            project=facts.project,
            header=facts.header,
        )

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

    def _holds(self, image: Image) -> bool:
        return self.blobs.holds(image.sha256, image.size)

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

    def _may_change(self, refused: _Refused) -> bool:
        """A file refused for being young, or for what the disk said, gets another look."""
        return not isinstance(refused.refusal, Unfit | TooLarge)

    def _note_refusal(self, project: str, name: str, look: Look, refusal: Refusal) -> None:
        if isinstance(refusal, Unfit | TooLarge):  # found once for a look, so logged once
            LOG.warning("not served: %s/%s: %s", project, name, refusal.detail)
        self._refused.put((project, name), _Refused(look, refusal))
