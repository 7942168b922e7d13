"""Downloading: may this caller have this file, and which image is it for them?

A board that fetches an image in ranges must never be given pieces of two. So a credential that
began an image goes on with that one for an hour, even if the file was replaced meanwhile; from
byte 0 everybody gets what the folder holds now.
"""

from dataclasses import dataclass
from typing import Protocol

from ota_http_server.domain.errors import (
    BeginAnew,
    DiskFull,
    NotFound,
    TooLarge,
    Unavailable,
    Unfit,
)
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.release import ReleaseImage
from ota_http_server.operations.begun_downloads import BegunDownloads
from ota_http_server.operations.catalog import Catalog
from ota_http_server.operations.collect import Collected, Collection
from ota_http_server.security.credentials import DIGEST_CHARACTERS
from ota_http_server.storage.database import Database
from ota_http_server.storage.downloads import Beginning
from ota_http_server.storage.images import Image

# The same words for a project that is not there and for one that is another's: a good token must
# not tell which projects exist.
NO_SUCH_PROJECT = "there is no such project, or it is not this token's"

# The file is being copied, or it is one that cannot be taken in; who began another goes on.
NOT_NOW = (NotFound, DiskFull, Unavailable)


class Bytes(Protocol):
    """What must be known of an image to send it."""

    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def md5(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The image for this caller, and the time that its answer carries as Last-Modified."""

    image: Bytes
    modified_at: int
    begins_since: int | None = None
    """If its sending begins a download: when the image came under this name (unix seconds)."""


class Asked(Protocol):
    """What the request says about where in the image it begins."""

    def begins_at_zero(self, size: int, /) -> bool:
        """Its bytes begin with the first one of an image of this size."""

    @property
    def is_conditional(self) -> bool:
        """It goes on only with an image that it names; else it takes another one whole."""

    def names(self, found: Found, /) -> bool:
        """This is the image that it names."""


class Download:
    """The operation; one for each process."""

    def __init__(
        self,
        database: Database,
        collection: Collection,
        begun: BegunDownloads,
        catalog: Catalog,
    ) -> None:
        self._database = database
        self._collection = collection
        self._begun = begun
        self._catalog = catalog

    def __call__(self, caller: Identity, project: str, name: str, asked: Asked) -> Found:
        """The image under this name for this caller and this request.

        Raises `NotFound`, with the reason where the file is there but is not served, and
        `BeginAnew` where what this caller began is not there any more.
        """
        try:
            current = self.find(caller, project, name)
        except NOT_NOW:
            begun = self._begun_meanwhile(caller, project, name)
            if begun is None or not _goes_on(asked, begun):
                raise
            return begun
        now = Found(current.image, current.modified_at, current.collected_at)
        if asked.begins_at_zero(current.image.size) or (asked.is_conditional and asked.names(now)):
            return now
        try:
            begun = self._begun_before(caller, project, current)
        except BeginAnew:
            if not asked.is_conditional:
                raise
            begun = None
        if begun is not None and _goes_on(asked, begun):
            return begun
        if asked.is_conditional:  # it names neither, and so gets the whole of this one
            return now
        return Found(current.image, current.modified_at)

    def begin(self, caller: Identity, project: str, name: str, found: Found) -> None:
        """Notes that the bytes of this image are sent to this caller, if they begin a download.

        Apart from finding it, because who only asks whether there is something new, or how long
        it is, begins nothing and goes on with what he has.
        """
        if found.begins_since is not None:
            key = (caller.credential, project, name)
            self._begun.begin(key, found.image.sha256, found.modified_at, found.begins_since)

    def find(self, caller: Identity, project: str, name: str) -> Collected:
        """What the name holds now, if this caller may see it."""
        if not caller.may_see(project):
            raise NotFound(NO_SUCH_PROJECT)
        if not self._collection.has(project):
            return self._released(project, name, has_folder=False)
        try:
            return self._collection.find(project, name)
        except NotFound:
            if self._collection.lies_there(project, name):
                raise  # it is there, and is being copied
            return self._released(project, name, has_folder=True)
        except (Unfit, TooLarge) as refusal:
            # To a device a damaged image is not there; who drops images reads why.
            raise NotFound(f"{name} is not served: {refusal.detail}") from refusal

    def _released(self, project: str, name: str, *, has_folder: bool) -> Collected:
        """The newest release's image of this name: it need not have come by the folder."""
        shelf = self._catalog.of(project)
        found = shelf.by_name.get(name)
        if found is None:
            if not has_folder and shelf.is_empty:
                raise NotFound(NO_SUCH_PROJECT)
            raise NotFound(f"{project} has no file {name}")
        release, image = found
        return _collected(image, shelf.since[name], release.number)

    def immutable(
        self, caller: Identity, project: str, name: str, digest_start: str, asked: Asked
    ) -> Found:
        """The image of this digest under this name: the one there now, or the one begun."""
        try:
            current = self.find(caller, project, name)
        except NOT_NOW:
            if not caller.may_see(project):
                raise
            begun = self._begun_meanwhile(caller, project, name)
            if begun is not None and begun.image.sha256.startswith(digest_start):
                return begun
            return self._immutable_release(project, name, digest_start)
        if current.image.sha256.startswith(digest_start):
            begins = asked.begins_at_zero(current.image.size)
            since = current.collected_at if begins else None
            return Found(current.image, current.modified_at, since)
        try:
            begun = self._begun_before(caller, project, current)
        except BeginAnew:  # not here: this URL has nothing to begin with any more
            begun = None
        if begun is not None and begun.image.sha256.startswith(digest_start):
            return begun
        return self._immutable_release(project, name, digest_start)

    def _immutable_release(self, project: str, name: str, digest_start: str) -> Found:
        """The image of a release, withdrawn or not: whoever was offered it may fetch it whole."""
        image = self._catalog.image(project, digest_start, name)
        if image is None or not self._collection.blobs.holds(image.sha256, image.size):
            raise NotFound(f"{name} does not hold sha256-{digest_start} (any more)")
        return Found(image, image.modified_at)

    def _begun_before(self, caller: Identity, project: str, current: Collected) -> Found | None:
        """The image that this credential began; None says that it may have begun this one."""
        key = (caller.credential, project, current.name)
        sha256 = current.image.sha256
        begun = self._begun.begun(key, sha256, current.collected_at)
        if begun is None:
            return None
        if begun.sha256 == sha256:
            return Found(current.image, begun.modified_at)
        found = self._found(begun)
        if found is None:  # a range of the present one would give the board pieces of two
            raise BeginAnew(f"the image of {current.name} that was begun is gone; begin anew")
        return found

    def _begun_meanwhile(self, caller: Identity, project: str, name: str) -> Found | None:
        """The same while the file that replaces it is copied, read, or finds no room; and where
        the name holds nothing any more because a release was withdrawn."""
        if not caller.may_see(project):
            return None
        begun = self._begun.begun_lately((caller.credential, project, name))
        if begun is None or not (
            self._collection.lies_there(project, name)
            or self._catalog.image(project, begun.sha256[:DIGEST_CHARACTERS], name)
        ):
            return None
        return self._found(begun)

    def _found(self, begun: Beginning | None) -> Found | None:
        if begun is None:
            return None
        with self._database.reading() as rows:
            image = rows.images.get(begun.sha256)
        if image is None or not self._collection.blobs.holds(image.sha256, image.size):
            return None
        return Found(image, begun.modified_at)


def _collected(image: ReleaseImage, published_at: int, number: int) -> Collected:
    """A release's image like one of the folder: the newest release may take its name's place."""
    row = Image(image.sha256, image.size, image.md5, image.format, image.header_version, None, {})
    return Collected(image.name, row, image.modified_at or published_at, published_at, number)


def _goes_on(asked: Asked, begun: Found) -> bool:
    if asked.begins_at_zero(begun.image.size):
        return False
    return not asked.is_conditional or asked.names(begun)
