"""Comparing a project's folder with its releases, in one transaction.

A dropped file is published at once (or is a draft, if the project wants that). What was removed
is gone, but for one thing: a version that a device was offered, or that somebody withdrew, stays
taken. Its files may come back as they were; other bytes under it are not released.

What stands against an image (a foreign project's name, a lower counter, a file that is no
firmware here) keeps it out of the releases. Under its own name it can be downloaded nevertheless:
that is somebody's explicit wish, not an offer.
"""

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ota_http_server.domain.admission import Candidate, Stated, objections
from ota_http_server.domain.project import FolderMode, Project
from ota_http_server.domain.release import (
    Origin,
    Release,
    ReleaseImage,
    State,
    identity_text,
    part_of,
)
from ota_http_server.operations.collect import Collected
from ota_http_server.operations.group_files import Dropped, grouped
from ota_http_server.storage.transaction import Writing

MADE_AT_ONCE_MAX = 100  # releases of one transaction, a fifth of a second's work: others wait
FOLDER = "folder"  # who publishes and withdraws here, in the audit and in `withdrawn_by`


@dataclass(slots=True)
class Followed:
    """What came of it."""

    changed: bool = False
    kept_out: dict[str, str] = field(default_factory=dict)
    """The files that are not released, and why."""
    is_outdated: bool = False
    """Another process has read newer files since; those were left alone."""
    has_more: bool = False
    """There is more to do, in a transaction of its own."""


class _NewestFirst:
    """The key by which releases are sorted, the newest first."""

    __slots__ = ("order",)

    def __init__(self, entry: tuple[Release, Stated]) -> None:
        self.order = entry[0].order

    def __lt__(self, other: "_NewestFirst") -> bool:
        return other.order < self.order


def follow_folder(
    tx: Writing, project: str, found: Sequence[Collected], lies_there: Callable[[str], bool]
) -> Followed:
    """Makes the project's releases those of its folder.

    `found` are its whole files. `lies_there` tells of a name at this moment: what was not found
    and lies there is being copied, or came since, and another process found it.
    """
    tx.releases.take_turn()
    latest = tx.files.digests(project)
    current = [one for one in found if latest.get(one.name, one.image.sha256) == one.image.sha256]
    return _Following(tx, project, current, lies_there).follow(
        is_outdated=len(current) < len(found)
    )


class _Following:
    def __init__(
        self,
        tx: Writing,
        project: str,
        found: Sequence[Collected],
        lies_there: Callable[[str], bool],
    ) -> None:
        self._tx = tx
        self._project: Project = tx.projects.get(project)
        self._names = {one.name for one in found}
        self._lies_there = lies_there
        self._groups = grouped(found)
        self._replaced: dict[str, Release] = {}
        self._published: list[tuple[Release, Stated]] = []
        self._made_so_far = 0
        self._outcome = Followed()

    def follow(self, *, is_outdated: bool) -> Followed:
        for release in self._releases():
            if release.origin is Origin.FOLDER and release.state is not State.WITHDRAWN:
                self._remove_gone(release, self._groups.get(identity_text(release.version), []))
        remaining = self._releases()
        known = self._tx.images.of_releases(self._project.name)
        self._published = [
            (release, known[image.sha256])
            for release in remaining
            if release.state is State.PUBLISHED
            for image in release.images
        ]
        by_identity = {identity_text(release.version): release for release in remaining}
        # What was said of a replaced one is known in this transaction only.
        groups = sorted(self._groups.items(), key=lambda group: group[0] not in self._replaced)
        for identity, dropped in groups:
            if self._made_so_far >= MADE_AT_ONCE_MAX and identity not in self._replaced:
                self._outcome.has_more = True
                break
            self._add(by_identity.get(identity), dropped)
        self._outcome.is_outdated = is_outdated
        return self._outcome

    def _releases(self) -> list[Release]:
        """The newest first."""
        return self._tx.releases.of_project(self._project.name)

    def _remove_gone(self, release: Release, here: list[Dropped]) -> None:
        """Drops what lies there no more. A file that is being copied keeps its place."""
        gone = self._gone(release, here)
        if not gone:
            return
        if len(gone) < len(release.images):
            for image in gone:
                self._tx.releases.remove_image(release.number, image.name)
            self._write(release)
            return
        if self._tx.releases.is_in_use(release.number):
            self._withdraw(release)
            return
        self._outcome.changed = True
        self._tx.releases.remove(release.number)
        self._replaced[identity_text(release.version)] = release
        _note(self._tx, "remove_draft" if _is_draft(release) else "withdraw_release", release)

    def _gone(self, release: Release, here: list[Dropped]) -> list[ReleaseImage]:
        held = {one.name: one.sha256 for one in here}
        return [
            image
            for image in release.images
            if held.get(image.name) != image.sha256
            and (image.name in self._names or not self._lies_there(image.name))
        ]

    def _add(self, release: Release | None, dropped: list[Dropped]) -> None:
        """Releases the files of one version."""
        for one in _known_first(dropped, release):
            if release is not None and self._has(release, one):
                release = self._published_again(release)
            elif why := self._against(one, release):
                self._outcome.kept_out[one.name] = why
            else:
                release = self._with(release or self._made(one.version), one)

    def _has(self, release: Release, one: Dropped) -> bool:
        """What came through another door stays as it is; its bytes may lie here as well."""
        if release.origin is Origin.FOLDER:
            return one.is_in(release)
        return one.is_in_under_any_name(release)

    def _against(self, one: Dropped, release: Release | None) -> str:
        """Why the file is not released; "" if nothing stands against it."""
        taken = "" if release is None else self._taken(one, release)
        if taken:
            return f"{taken}; raise the version"
        image = one.collected.image
        candidate = Candidate(
            name=one.name,
            facts=image,
            version=one.version,
            part=part_of(image.kind, one.name),
            version_is_declared=False,
        )
        found = objections(candidate, self._project, self._published)
        return found[0].detail if found else ""

    def _taken(self, one: Dropped, release: Release) -> str:
        version, state = release.version, release.state
        if release.origin is not Origin.FOLDER:
            return f"{version} is {state} with other bytes, through another door"
        if any(image.name == one.name for image in release.images):
            return f"{version} is {state} with other bytes"
        if state is State.WITHDRAWN:
            return f"{version} is withdrawn"
        for name, sha256 in self._tx.releases.offered_images(release.number):
            image = self._tx.images.get(sha256)
            if image is not None and one.rivals(name, image):
                return f"{version} was offered with other bytes, those of {name}"
        return ""

    def _made(self, version: str) -> Release:
        """What was said about a release stays when its file is replaced."""
        self._made_so_far += 1
        draft = self._project.folder is FolderMode.DRAFT
        new = Release(number=0, project=self._project.name, version=version)
        before = self._replaced.get(identity_text(version), new)
        release = self._tx.releases.add(
            replace(
                new,
                state=State.DRAFT if draft else State.PUBLISHED,
                origin=Origin.FOLDER,
                channel=before.channel,
                notes=before.notes,
                min_from=before.min_from,
                security=before.security,
                floor=before.floor,
                created_at=self._tx.second,
                published_at=None if draft else self._tx.second,
            )
        )
        _note(self._tx, "create_draft" if draft else "publish_release", release)
        return release

    def _with(self, release: Release, one: Dropped) -> Release:
        self._tx.releases.add_image(release.number, one.as_image(), self._tx.second)
        if release.images:
            release = self._write(release)
        self._outcome.changed = True
        after = self._tx.releases.by_number(release.number)
        assert after is not None
        if after.state is State.PUBLISHED:
            # The next one must go with this one, too.
            insort(self._published, (after, one.collected.image), key=_NewestFirst)
        return after

    def _withdraw(self, release: Release) -> None:
        self._write(
            replace(
                release,
                state=State.WITHDRAWN,
                withdrawn_at=self._tx.second,
                withdrawn_by=FOLDER,
            )
        )
        _note(self._tx, "withdraw_release", release)

    def _published_again(self, release: Release) -> Release:
        """What the folder withdrew; what somebody withdrew stays so."""
        if release.state is not State.WITHDRAWN or release.withdrawn_by != FOLDER:
            return release
        # A draft is in use if a rollout waits for it: nobody has published it meanwhile.
        was_draft = release.published_at is None
        _note(self._tx, "create_draft" if was_draft else "publish_release", release)
        again = self._write(
            replace(
                release,
                state=State.DRAFT if was_draft else State.PUBLISHED,
                withdrawn_at=None,
                withdrawn_by=None,
            )
        )
        self._remove_gone(again, self._groups[identity_text(release.version)])
        return self._tx.releases.by_number(release.number) or again

    def _write(self, release: Release) -> Release:
        """The release as its next edition."""
        after = replace(release, edition=release.edition + 1)
        self._tx.releases.change(after)
        self._outcome.changed = True
        return after


def _known_first(dropped: list[Dropped], release: Release | None) -> list[Dropped]:
    """What a release has already may bring it back, if it was withdrawn; then others may follow."""
    if release is None:
        return dropped
    return sorted(dropped, key=lambda one: not one.is_in(release))


def _is_draft(release: Release) -> bool:
    return release.state is State.DRAFT


def _note(tx: Writing, word: str, release: Release) -> None:
    tx.events.add(word, project=release.project, release=release.version, actor=FOLDER)
