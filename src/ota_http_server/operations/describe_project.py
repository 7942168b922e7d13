"""Describing a project: which versions it has, and what its newest image is.

Files of the folder and images of releases count alike: of releases, those of the default channel.
A file whose release is a draft, was withdrawn, or follows another channel, is not for everybody;
nor is one whose rollout has not come to the caller.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.listing import Listed, Seen, latest, listed, versions
from ota_http_server.domain.release import DEFAULT_CHANNEL, FLASHED_WHOLE, Origin, ReleaseImage
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.catalog import Catalog, Shelf
from ota_http_server.operations.collect import Collected, Collection
from ota_http_server.operations.download import NO_SUCH_PROJECT
from ota_http_server.operations.unreached import Unreached
from ota_http_server.storage.database import Database
from ota_http_server.storage.images import Image

LATER = 10**12  # a release came later than every file of the folder, where versions do not order


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest image of a project, with its version and where that was found."""

    image: Image
    listed: Listed


@dataclass(frozen=True, slots=True)
class _Described:
    """What follows from a listing and a shelf, remembered by their identity."""

    collected: list[Collected]
    shelf: Shelf
    unreached: frozenset[int]
    versions: list[str]
    newest: Newest | None


class DescribeProject:
    """The operation; it reads folder and releases as the process knows them."""

    def __init__(
        self,
        collection: Collection,
        catalog: Catalog,
        database: Database,
        unreached: Unreached,
    ) -> None:
        self._unreached = unreached
        self._collection = collection
        self._catalog = catalog
        self._database = database
        self._known: Bounded[tuple[str, frozenset[int]], _Described] = Bounded(1_000)

    def versions(self, caller: Identity, project: str) -> list[str]:
        """Distinct versions, ascending; files without one are served but not listed."""
        return self._described(caller, project).versions

    def newest(self, caller: Identity, project: str) -> Newest:
        """The newest image; `NotFound` if nothing of the project has a version."""
        described = self._described(caller, project)
        if described.newest is None:
            raise NotFound(f"{project} has no image with a version")
        return described.newest

    def _described(self, caller: Identity, project: str) -> _Described:
        if not caller.may_see(project):
            raise NotFound(NO_SUCH_PROJECT)
        collected = self._collection.all_of(project)
        shelf = self._catalog.of(project)
        if collected is None and shelf.is_empty:
            raise NotFound(NO_SUCH_PROJECT)
        unreached = self._unreached(caller, shelf)
        key = project, unreached
        known = self._known.get(key)
        if known is None or known.collected is not collected or known.shelf is not shelf:
            known = self._known.put(key, self._describe(collected or [], shelf, unreached))
        return known

    def _describe(
        self, collected: list[Collected], shelf: Shelf, unreached: frozenset[int]
    ) -> _Described:
        lying = {(one.name, one.sha256): one for one in listed(_of_folder(collected))}
        files = _for_all(lying, shelf, unreached) + _of_releases(shelf, unreached)
        found = latest(files)
        newest = None
        if found is not None and (image := self._image(found, collected)) is not None:
            newest = Newest(image, lying.get((found.name, found.sha256), found))
        return _Described(collected, shelf, unreached, versions(files), newest)

    def _image(self, found: Listed, collected: list[Collected]) -> Image | None:
        for one in collected:
            if (one.name, one.image.sha256) == (found.name, found.sha256):
                return one.image
        with self._database.reading() as rows:
            return rows.images.get(found.sha256)


def _of_folder(collected: list[Collected]) -> list[Seen]:
    return [Seen(one.name, one.image.sha256, one.seen, one.image.version) for one in collected]


def _for_all(
    lying: Mapping[tuple[str, str], Listed], shelf: Shelf, unreached: frozenset[int]
) -> list[Seen]:
    """Those of the folder, by the versions that they have beside all the others."""
    withheld = shelf.withheld | _images_of(shelf, unreached)
    return [
        Seen(one.name, one.sha256, one.first_seen_index, None, one.version)
        for key, one in lying.items()
        if one.version is not None and key not in withheld
    ]


def _images_of(shelf: Shelf, unreached: frozenset[int]) -> set[tuple[str, str]]:
    """Name and SHA-256 of images in these releases, and in none that has come to the caller."""
    images = {True: set[tuple[str, str]](), False: set[tuple[str, str]]()}
    for release in shelf.releases:
        for image in release.images:
            images[release.number in unreached].add((image.name, image.sha256))
    return images[True] - images[False]


def _of_releases(shelf: Shelf, unreached: frozenset[int]) -> list[Seen]:
    """Of those that did not come by the folder."""
    return [
        Seen(
            image.name, image.sha256, LATER + release.number, image.header_version, release.version
        )
        for release in reversed(shelf.releases)
        if release.origin is not Origin.FOLDER
        and release.channel == DEFAULT_CHANNEL
        and release.number not in unreached
        for image in sorted(release.images, key=_is_flashed_whole)
    ]


def _is_flashed_whole(image: ReleaseImage) -> bool:
    """The application comes last: of one version the last is the latest."""
    return image.part in FLASHED_WHOLE
