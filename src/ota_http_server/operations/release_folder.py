"""Releasing what lies in the firmware folder: files of one version are one release.

A dropped file is published at once (or is a draft, if the project wants that). What was removed
is gone, but for one thing: a version that a device was offered stays taken. Its files may come
back as they were; other bytes under it are not released, and the log says so.

What stands against an image (a foreign project's name, a lower counter, a file that is no
firmware here) keeps it out of the releases. Under its own name it can be downloaded nevertheless:
that is somebody's explicit wish, not an offer.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ota_http_server.domain.admission import Candidate, Published, Stated, objections
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.listing import Listed, Seen, listed
from ota_http_server.domain.project import FolderMode, Project
from ota_http_server.domain.release import (
    Origin,
    Release,
    ReleaseImage,
    State,
    identity_text,
    part_of,
    release_version,
)
from ota_http_server.logs import logger
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.collect import Collected, Collection
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

LOG = logger("release")

FOLDER = "folder"  # who publishes and withdraws here, in the audit and in `withdrawn_by`
FOLLOWED_MAX = 1_000  # projects

Signature = tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class _Dropped:
    """A file that has a version."""

    collected: Collected
    version: str


class _NewestFirst:
    """The key by which releases are sorted, the newest first."""

    __slots__ = ("order",)

    def __init__(self, entry: tuple[Release, Stated]) -> None:
        self.order = entry[0].order

    def __lt__(self, other: "_NewestFirst") -> bool:
        return other.order < self.order


class ReleaseFolder:
    """One for each process; what one finds to do the others find done."""

    def __init__(self, database: Database, collection: Collection) -> None:
        self._database = database
        self._collection = collection
        self._followed: Bounded[str, tuple[object, Signature]] = Bounded(FOLLOWED_MAX)
        self._kept_out: Bounded[str, dict[str, str]] = Bounded(FOLLOWED_MAX)

    def follow(self, project: str) -> bool:
        """Makes the project's releases those of its folder; whether anything changed.

        Costs next to nothing while the folder stays as it is. On the hot path.
        """
        found = self._collection.all_of(project)
        if found is None:
            return False
        known = self._followed.get(project)
        if known is not None and known[0] is found:
            return False
        signature = tuple((one.name, one.image.sha256, one.seen) for one in found)
        if known is not None and known[1] == signature:
            self._followed.put(project, (found, signature))
            return False
        present = frozenset(self._collection.names(project) or ())
        kept_out: dict[str, str] = {}
        changed = self._database.change(
            lambda tx: self._follow(tx, project, found, present, kept_out)
        )
        self._tell(project, kept_out)
        self._followed.put(project, (found, signature))
        return changed

    def kept_out(self, project: str) -> dict[str, str]:
        """The files that are not released, and why, as of the last `follow`."""
        return dict(self._kept_out.get(project) or {})

    def forget(self, project: str) -> None:
        """The project's whole folder is gone; called by the sweep, which knows that for sure."""
        self._database.change(lambda tx: self._follow(tx, project, (), frozenset(), {}))
        self._followed.forget(project)

    def _follow(
        self,
        tx: Writing,
        project: str,
        found: Sequence[Collected],
        present: frozenset[str],
        kept_out: dict[str, str],
    ) -> bool:
        kept_out.clear()  # a transaction may run twice
        tx.releases.take_turn()
        releases = tx.releases.of_project(project)
        settings = tx.projects.get(project)
        by_version = _by_version(found)
        changed = False
        for release in releases:
            if release.origin is Origin.FOLDER:
                here = by_version.get(identity_text(release.version), [])
                changed |= self._remove_gone(tx, release, here, present)
        published = _published(tx, project)
        for dropped in by_version.values():
            its = tx.releases.get(project, dropped[0].version)
            changed |= self._add(tx, settings, its, dropped, published, kept_out)
        return changed

    def _remove_gone(
        self, tx: Writing, release: Release, here: list[_Dropped], present: frozenset[str]
    ) -> bool:
        """Drops what lies there no more. A file that is being copied keeps its place."""
        held = {one.collected.name: one.collected.image.sha256 for one in here}
        gone = [
            image
            for image in release.images
            if held.get(image.name) != image.sha256
            and (image.name in held or image.name not in present)
        ]
        if not gone:
            return False
        if tx.releases.was_offered(release.number):
            if release.state is not State.PUBLISHED or any(
                held.get(image.name) == image.sha256 for image in release.images
            ):
                return False
            _withdraw(tx, release)
            return True
        for image in gone:
            tx.releases.remove_image(release.number, image.name)
        if len(gone) == len(release.images):
            tx.releases.remove(release.number)
            tx.events.add(
                "withdraw_release", project=release.project, release=release.version, actor=FOLDER
            )
        return True

    def _add(
        self,
        tx: Writing,
        project: Project,
        release: Release | None,
        dropped: list[_Dropped],
        published: list[tuple[Release, Stated]],
        kept_out: dict[str, str],
    ) -> bool:
        changed = False
        for one in dropped:
            known = _image(release, one.collected.name)
            if release is not None and known is not None:
                if known.sha256 != one.collected.image.sha256:
                    kept_out[known.name] = f"{release.version} was published with other bytes"
                elif release.state is State.WITHDRAWN and release.withdrawn_by == FOLDER:
                    release = _published_again(tx, release)
                    changed = True
                continue
            if why := self._objection(one, project, release, published):
                kept_out[one.collected.name] = why
                continue
            if release is None:
                release = _added(tx, project, one.version)
            tx.releases.add_image(release.number, _release_image(one.collected), tx.second)
            release = tx.releases.by_number(release.number)
            changed = True
            if release is not None and release.state is State.PUBLISHED:
                # The next one must go with this one, too.
                insort(published, (release, one.collected.image), key=_NewestFirst)
        return changed

    def _objection(
        self, one: _Dropped, project: Project, release: Release | None, published: Published
    ) -> str:
        """Why the file is not released; "" if nothing stands against it."""
        if release is not None and release.origin is not Origin.FOLDER:
            same = any(i.sha256 == one.collected.image.sha256 for i in release.images)
            return "" if same else f"{release.version} was published through another door"
        image = one.collected.image
        candidate = Candidate(
            name=one.collected.name,
            facts=image,
            version=one.version,
            part=part_of(image.kind, one.collected.name),
            version_is_declared=False,
        )
        found = objections(candidate, project, published)
        return found[0].detail if found else ""

    def _tell(self, project: str, kept_out: dict[str, str]) -> None:
        """Logs what was not said of these files before."""
        before = self._kept_out.get(project) or {}
        for name, why in kept_out.items():
            if before.get(name) != why:
                LOG.warning("not released: %s/%s: %s", project, name, why)
        self._kept_out.put(project, kept_out)


def _by_version(found: Sequence[Collected]) -> dict[str, list[_Dropped]]:
    """Files by version; what has a known format comes first, then as they were seen."""
    versions: dict[str, Listed] = {
        one.name: one
        for one in listed(Seen(c.name, c.image.sha256, c.seen, c.image.version) for c in found)
    }
    grouped: dict[str, list[_Dropped]] = {}
    for collected in sorted(found, key=lambda c: (c.image.format == "opaque", c.seen)):
        if (version := _version(versions[collected.name])) is not None:
            dropped = _Dropped(collected, version)
            grouped.setdefault(identity_text(version), []).append(dropped)
    return grouped


def _version(one: Listed) -> str | None:
    """A header may say things that no URL or column of ours can."""
    if one.version is None:
        return None
    try:
        return release_version(one.version)
    except Invalid:
        return None


def _published(tx: Writing, project: str) -> list[tuple[Release, Stated]]:
    return [
        (release, row)
        for release in tx.releases.of_project(project, (State.PUBLISHED,))
        for image in release.images
        if (row := tx.images.get(image.sha256)) is not None
    ]


def _image(release: Release | None, name: str) -> ReleaseImage | None:
    images = release.images if release is not None else ()
    return next((image for image in images if image.name == name), None)


def _added(tx: Writing, project: Project, version: str) -> Release:
    draft = project.folder is FolderMode.DRAFT
    release = tx.releases.add(
        Release(
            number=0,
            project=project.name,
            version=version,
            state=State.DRAFT if draft else State.PUBLISHED,
            origin=Origin.FOLDER,
            created_at=tx.second,
            published_at=None if draft else tx.second,
        )
    )
    if not draft:
        tx.events.add("publish_release", project=project.name, release=version, actor=FOLDER)
    return release


def _withdraw(tx: Writing, release: Release) -> None:
    tx.releases.change(
        replace(
            release,
            state=State.WITHDRAWN,
            withdrawn_at=tx.second,
            withdrawn_by=FOLDER,
            edition=release.edition + 1,
        )
    )
    tx.events.add(
        "withdraw_release", project=release.project, release=release.version, actor=FOLDER
    )


def _published_again(tx: Writing, release: Release) -> Release:
    again = replace(
        release,
        state=State.PUBLISHED,
        withdrawn_at=None,
        withdrawn_by=None,
        edition=release.edition + 1,
    )
    tx.releases.change(again)
    tx.events.add("publish_release", project=release.project, release=release.version, actor=FOLDER)
    return again


def _release_image(collected: Collected) -> ReleaseImage:
    image = collected.image
    return ReleaseImage(
        name=collected.name,
        sha256=image.sha256,
        size=image.size,
        part=part_of(image.kind, collected.name),
        modified_at=collected.modified_at,
    )
