"""Collecting: what lies in the firmware folder is read whole, checked, copied and known.

A name leads to bytes through its look: as long as inode, size and times are what they were when
the file was read, the image is the one that was read. Of several processes that find a new file
one reads it, and the others find what it wrote down.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ota_http_server.domain.errors import (
    DiskFull,
    NotFound,
    Refusal,
    TooLarge,
    Unavailable,
    Unfit,
)
from ota_http_server.logs import logger
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.read_file import REMEMBERED_MAX, FileReader
from ota_http_server.operations.reading_turns import ReadingTurns
from ota_http_server.storage.blobs import Blobs
from ota_http_server.storage.database import Database
from ota_http_server.storage.files import File, Look
from ota_http_server.storage.folder import Folder, counts
from ota_http_server.storage.images import Image
from ota_http_server.storage.transaction import Writing

LOG = logger("collect")

LISTING_SECONDS = 0.5  # how long a listing of a folder is believed
FILES_A_TURN = 100  # files looked at without a pause, half a millisecond's work
ROOM_SECONDS = 5.0  # how long a disk without room is believed to have none
BEING_READ_SECONDS = 1.0  # how long those who come after one that waited are not let wait again

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
    until: float
    """By the monotonic clock; infinite for what only another file can mend."""


class _BeingRead(Unavailable):
    """Another process has the turn."""


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
        self._reader = FileReader(
            folder, blobs, image_bytes_max=image_bytes_max, monotonic=monotonic, wall=wall
        )
        self._reading = ReadingTurns(blobs, monotonic=monotonic)
        self._in_thread = in_thread
        self._monotonic = monotonic
        self._wall = wall
        self._known: Bounded[tuple[str, str], tuple[Look, Collected]] = Bounded(REMEMBERED_MAX)
        self._refused: Bounded[tuple[str, str], _Refused] = Bounded(REMEMBERED_MAX)
        self._listings: Bounded[str, tuple[float, dict[str, Look]]] = Bounded(1_000)
        self._found: Bounded[str, tuple[dict[str, Look], list[Collected]]] = Bounded(1_000)
        self._turns: Bounded[tuple[str, str], Lock] = Bounded(REMEMBERED_MAX)

    def find(self, project: str, name: str) -> Collected:
        """What the name holds now, read and checked if it is new or changed. On the hot path.

        Raises `NotFound` if there is nothing (or nothing whole), `Unfit` for a damaged image, and
        `Unavailable` while the firmware folder is away or another process reads the file.
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
        self._refuse_again(key, look)
        turn = self._turns.get(key) or self._turns.put(key, Lock())
        with turn:
            self._refuse_again(key, look)
            known = self._known.get(key)
            if known is not None and known[0] == look and self._holds(known[1].image):
                return known[1]
            try:
                collected = self._known_row(project, name, look) or self._read(project, name, look)
            except Refusal as refusal:
                self._note_refusal(project, name, look, refusal)
                raise
        self._known.put(key, (look, collected))
        return collected

    def _read(self, project: str, name: str, look: Look) -> Collected:
        """Reads the file, or takes what another process found in it meanwhile."""
        with self._reading.turn(f"{project}/{name}", look) as is_ours:
            if collected := self._known_row(project, name, look):
                return collected
            if not is_ours:
                raise _BeingRead(f"{name} is being read; try again in a moment")
            image = self._in_thread(lambda: self._reader.read(project, name, look))
            return self._kept(project, name, look, image)

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
            before = tx.files.get(project, name)
            if before is not None and before.sha256 != image.sha256:
                tx.downloads.end(project, name, before.sha256, tx.second * 1000)
            file = tx.files.put(project, name, image.sha256, look, tx.second)
            return self._collected(file, image)

        return self._database.change(keep)

    def _holds(self, image: Image) -> bool:
        return self.blobs.holds(image.sha256, image.size)

    def _refuse_again(self, key: tuple[str, str], look: Look) -> None:
        """Raises what was found out about this very file, as long as that counts."""
        refused = self._refused.get(key)
        if refused is not None and refused.look == look and self._monotonic() < refused.until:
            raise refused.refusal

    def _note_refusal(self, project: str, name: str, look: Look, refusal: Refusal) -> None:
        seconds = _seconds_that_it_counts(refusal)
        if not seconds:  # a young file, or a database that is away: looked at again each time
            return
        before = self._refused.get((project, name))
        is_new = before is None or before.look != look or type(before.refusal) is not type(refusal)
        if is_new and not isinstance(refusal, _BeingRead):
            LOG.warning("not served: %s/%s: %s", project, name, refusal.detail)
        until = self._monotonic() + seconds
        self._refused.put((project, name), _Refused(look, refusal, until))


def _seconds_that_it_counts(refusal: Refusal) -> float:
    if isinstance(refusal, Unfit | TooLarge):
        return math.inf
    if isinstance(refusal, DiskFull):
        return ROOM_SECONDS
    return BEING_READ_SECONDS if isinstance(refusal, _BeingRead) else 0.0
