"""The catalog: each project's settings and published releases, in memory.

What was dropped into a project's folder is a release as soon as it is looked at; what others
publish or withdraw is known within a second.
"""

import time
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from ota_http_server.domain.errors import Refusal, Unavailable
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import DEFAULT_CHANNEL, Release, ReleaseImage, State
from ota_http_server.logs import logger
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.news import News
from ota_http_server.operations.release_folder import ReleaseFolder
from ota_http_server.security.credentials import DIGEST_CHARACTERS
from ota_http_server.storage.counters import CATALOG
from ota_http_server.storage.database import Database

LOG = logger("release")

FOLLOW_SECONDS = 0.2  # how often the folders of projects that were asked for are looked at
MEET_SECONDS_MAX = 1.0  # of the first request for a project in this process
LOOK_SECONDS = 0.02
SHELVES_MAX = 1_000  # projects in memory
OTHERS_MAX = 4_096  # images of releases that are published no more, of which downloads may go on


@dataclass(frozen=True, slots=True)
class Shelf:
    """A project as it is now."""

    project: Project
    releases: tuple[Release, ...]
    """The published ones, the newest first."""
    by_name: Mapping[str, tuple[Release, ReleaseImage]]
    """Of each file name the newest release's image, whichever channel."""
    since: Mapping[str, int]
    """When each name may have come to hold that image, in unix seconds."""
    by_digest: Mapping[tuple[str, str], ReleaseImage]
    """By the beginning of the digest and the file name."""
    withheld: Set[tuple[str, str]]
    """Name and SHA-256 of images that are in releases, and in none that everybody may have."""
    count: int
    """Of the catalog's changes: it holds all of them."""

    @property
    def is_empty(self) -> bool:
        return not self.releases and self.project.edition == 0


class Catalog:
    """One for each process."""

    def __init__(self, database: Database, news: News, folder: ReleaseFolder) -> None:
        self._database = database
        self._news = news
        self._folder = folder
        self._shelves: Bounded[str, Shelf] = Bounded(SHELVES_MAX)
        self.follows_at_once = True
        """Where no chore does it: a change of the folder is then taken up by whoever asks."""
        self._noted: set[str] = set()
        self._met: Bounded[str, bool] = Bounded(SHELVES_MAX)
        self._waits: Bounded[str, str] = Bounded(SHELVES_MAX)
        self._others: Bounded[tuple[str, str, str], ReleaseImage] = Bounded(OTHERS_MAX)

    def of(self, project: str) -> Shelf:
        """The project's shelf, empty for one that nobody knows. On the hot path.

        Raises `Unavailable` where neither memory nor the database knows it.
        """
        if not self.follows_at_once:
            self._note(project)
            if self._met.get(project) is None:
                self._meet(project)
        elif self._follow(project):
            self._news.refresh()
        count = self._news.of(CATALOG)
        known = self._shelves.get(project)
        if known is not None and known.count == count:
            return known
        try:
            shelf = self._loaded(project, count)
        except Unavailable:
            if known is None:
                raise
            return known
        return self._shelves.put(project, shelf)

    def follow_noted(self) -> None:
        """The chore: takes up what changed in the folders of the projects that were asked for."""
        noted, self._noted = self._noted, set()
        changed = [self._follow(project) for project in sorted(noted)]
        if any(changed):
            self._news.refresh()
        for project in noted:
            self._met.put(project, True)

    def _meet(self, project: str) -> None:
        """Gives the chore a moment: who asks first shall not hear that there is nothing."""
        for _ in range(round(MEET_SECONDS_MAX / LOOK_SECONDS)):
            if self._met.get(project):
                return
            time.sleep(LOOK_SECONDS)
        self._met.put(project, True)

    def image(self, project: str, digest_start: str, name: str) -> ReleaseImage | None:
        """The image that an immutable URL names, of a withdrawn release too."""
        found = self.of(project).by_digest.get((digest_start, name))
        if found is not None:
            return found
        key = (project, digest_start, name)
        found = self._others.get(key)
        if found is None:
            with self._database.reading() as rows:
                found = rows.releases.with_digest(project, digest_start, name)
            if found is not None:
                self._others.put(key, found)
        return found

    def _note(self, project: str) -> None:
        if len(self._noted) < SHELVES_MAX:
            self._noted.add(project)

    def _follow(self, project: str) -> bool:
        """Whether anything changed. What cannot be written now is released later."""
        try:
            changed = self._folder.follow(project)
        except Refusal as refusal:
            if self._waits.get(project) != refusal.detail:
                self._waits.put(project, refusal.detail)
                LOG.warning("releases of %s wait: %s", project, refusal.detail)
            return False
        self._waits.forget(project)
        return changed

    def _loaded(self, project: str, count: int) -> Shelf:
        with self._database.reading() as rows:
            settings = rows.projects.get(project)
            all_of_them = rows.releases.of_project(project)
        releases = [one for one in all_of_them if one.state is State.PUBLISHED]
        for_all = _images(one for one in releases if one.channel == DEFAULT_CHANNEL)
        oldest_first = [(r, image) for r in reversed(releases) for image in r.images]
        by_name = {image.name: (release, image) for release, image in oldest_first}
        by_digest = {
            (image.sha256[:DIGEST_CHARACTERS], image.name): image for _, image in oldest_first
        }
        withheld = _images(all_of_them) - for_all
        since = _since(all_of_them)
        return Shelf(settings, tuple(releases), by_name, since, by_digest, withheld, count)


def _since(releases: Iterable[Release]) -> dict[str, int]:
    """A name holds another image when a release of it is published, and when one is withdrawn."""
    since: dict[str, int] = {}
    for release in releases:
        moved_at = max(release.published_at or 0, release.withdrawn_at or 0)
        for image in release.images:
            since[image.name] = max(since.get(image.name, 0), moved_at)
    return since


def _images(releases: Iterable[Release]) -> frozenset[tuple[str, str]]:
    return frozenset((image.name, image.sha256) for one in releases for image in one.images)
