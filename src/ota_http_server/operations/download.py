"""Downloading: may this caller have this file, and which image is it for them?

A board that fetches an image in ranges must never be given pieces of two. So a credential that
began an image goes on with that one for an hour, even if the file was replaced meanwhile; from
byte 0 everybody gets what the folder holds now. Beginnings are gathered in memory and written
in batches, so that the other instances know them and no download waits for the disk.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from ota_http_server.domain.errors import NotFound, TooLarge, Unavailable, Unfit
from ota_http_server.domain.identity import Identity
from ota_http_server.logs import logger
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.collect import Collected, Collection
from ota_http_server.storage.database import Database
from ota_http_server.storage.downloads import Beginning
from ota_http_server.storage.images import Image

LOG = logger("download")

RESUME_SECONDS_MAX = 3_600  # how long a begun image stays this credential's
REWRITE_MS = 300_000  # a beginning younger than this is known well enough
REMEMBERED_MAX = 20_000  # beginnings in memory, some 300 bytes each
PENDING_MAX = 5_000  # beginnings not yet written; beyond this the oldest stay in memory only

# The same words for a project that is not there and for one that is another's: a good token must
# not tell which projects exist.
NO_SUCH_PROJECT = "there is no such project, or it is not this token's"


@dataclass(frozen=True, slots=True)
class Found:
    """The image for this caller, and the time that its answer carries as Last-Modified."""

    image: Image
    modified_at: int


class Download:
    """The operation; one for each process."""

    def __init__(
        self,
        database: Database,
        collection: Collection,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._collection = collection
        self._wall = wall
        self._begun: Bounded[tuple[bytes, str, str], Beginning] = Bounded(REMEMBERED_MAX)
        self._pending: dict[tuple[bytes, str, str], Beginning] = {}
        self._turn = Lock()

    def __call__(
        self, caller: Identity, project: str, name: str, *, from_zero: Callable[[int], bool]
    ) -> Found:
        """The image under this name. `from_zero(size)` says whether its first byte is asked for.

        Raises `NotFound`, with the reason where the file is there but is not served.
        """
        current = self.find(caller, project, name)
        if from_zero(current.image.size):
            self._begin(caller, project, current)
        elif begun := self._begun_before(caller, project, current):
            return begun
        return Found(current.image, current.modified_at)

    def find(self, caller: Identity, project: str, name: str) -> Collected:
        """What the name holds now, if this caller may see it."""
        if not caller.may_see(project) or not self._collection.has(project):
            raise NotFound(NO_SUCH_PROJECT)
        try:
            return self._collection.find(project, name)
        except (Unfit, TooLarge) as refusal:
            # To a device a damaged image is not there; who drops images reads why.
            raise NotFound(f"{name} is not served: {refusal.detail}") from refusal

    def immutable(self, caller: Identity, project: str, name: str, digest_start: str) -> Found:
        """The image of this digest under this name: the one there now, or the one begun."""
        current = self.find(caller, project, name)
        if current.image.sha256.startswith(digest_start):
            return Found(current.image, current.modified_at)
        begun = self._begun_before(caller, project, current)
        if begun is None or not begun.image.sha256.startswith(digest_start):
            raise NotFound(f"{name} does not hold sha256-{digest_start} (any more)")
        return begun

    def _begin(self, caller: Identity, project: str, current: Collected) -> None:
        now_ms = int(self._wall() * 1000)
        key = (caller.credential, project, current.name)
        known = self._begun.get(key)
        if (
            known is not None
            and known.sha256 == current.image.sha256
            and 0 <= now_ms - known.at_ms < REWRITE_MS
            and now_ms // 1000 - current.collected_at > RESUME_SECONDS_MAX
        ):
            return
        beginning = Beginning(*key, current.image.sha256, current.modified_at, now_ms)
        self._begun.put(key, beginning)
        with self._turn:
            if len(self._pending) < PENDING_MAX:
                self._pending[key] = beginning

    def write_beginnings(self) -> None:
        """Writes what was gathered; called by the background every fraction of a second."""
        if not self._pending:
            return
        with self._turn:
            pending, self._pending = self._pending, {}
        try:
            self._database.change(lambda tx: tx.downloads.begin(pending.values()))
        except Unavailable as refusal:
            LOG.warning("begun downloads are known to this process only: %s", refusal.detail)

    def _begun_before(self, caller: Identity, project: str, current: Collected) -> Found | None:
        """The image that this credential began, if that is another one than the file holds now."""
        now = self._wall()
        if now - current.collected_at > RESUME_SECONDS_MAX:
            return None  # the file is older than any download that still counts
        key = (caller.credential, project, current.name)
        with self._database.reading() as rows:
            row = rows.downloads.begun(*key)
            begun = _later(row, self._begun.get(key))
            if begun is None or now - begun.at_ms / 1000 > RESUME_SECONDS_MAX:
                return None
            image = rows.images.get(begun.sha256)
        if image is None or not self._collection.blobs.holds(image.sha256, image.size):
            return None
        return Found(image, begun.modified_at)


def _later(row: Beginning | None, memory: Beginning | None) -> Beginning | None:
    """Another process may know of a later beginning than this one, or not yet of ours."""
    if row is None or memory is None:
        return row or memory
    return row if row.at_ms >= memory.at_ms else memory
