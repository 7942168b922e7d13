"""The catalog: each project's settings and published releases, in memory.

What was dropped into a project's folder is a release as soon as it is looked at; what others
publish or withdraw is known within a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ota_http_server.domain.project import Project
from ota_http_server.domain.release import Release, ReleaseImage, State
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.news import News
from ota_http_server.operations.release_folder import ReleaseFolder
from ota_http_server.security.credentials import DIGEST_CHARACTERS
from ota_http_server.storage.counters import CATALOG
from ota_http_server.storage.database import Database

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
    by_digest: Mapping[tuple[str, str], ReleaseImage]
    """By the beginning of the digest and the file name."""

    @property
    def is_empty(self) -> bool:
        return not self.releases and self.project.edition == 0


class Catalog:
    """One for each process."""

    def __init__(self, database: Database, news: News, folder: ReleaseFolder) -> None:
        self._database = database
        self._news = news
        self._folder = folder
        self._shelves: Bounded[str, tuple[int, Shelf]] = Bounded(SHELVES_MAX)
        self._others: Bounded[tuple[str, str, str], ReleaseImage] = Bounded(OTHERS_MAX)

    def of(self, project: str) -> Shelf:
        """The project's shelf, empty for one that nobody knows. On the hot path.

        Raises `Unavailable` where neither memory nor the database knows it.
        """
        if self._folder.follow(project):
            self._news.refresh()
        count = self._news.of(CATALOG)
        known = self._shelves.get(project)
        if known is not None and known[0] == count:
            return known[1]
        shelf = self._loaded(project)
        self._shelves.put(project, (count, shelf))
        return shelf

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

    def _loaded(self, project: str) -> Shelf:
        with self._database.reading() as rows:
            settings = rows.projects.get(project)
            releases = rows.releases.of_project(project, (State.PUBLISHED,))
        oldest_first = [(r, image) for r in reversed(releases) for image in r.images]
        by_name = {image.name: (release, image) for release, image in oldest_first}
        by_digest = {
            (image.sha256[:DIGEST_CHARACTERS], image.name): image for _, image in oldest_first
        }
        return Shelf(settings, tuple(releases), by_name, by_digest)
