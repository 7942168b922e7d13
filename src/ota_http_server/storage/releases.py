"""Rows about releases and their images."""

import json
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select, update

from ota_http_server.domain.release import (
    Origin,
    Release,
    ReleaseImage,
    State,
    identity_text,
)
from ota_http_server.domain.rollout import State as RolloutState
from ota_http_server.storage.counters import CATALOG, ROLLOUTS, Counters
from ota_http_server.storage.schema import attempts, images, release_images, releases, rollouts
from ota_http_server.storage.turns import Turn, take_turn


class Releases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_turn(self) -> None:
        """From here to the end of the transaction nobody else changes a release."""
        take_turn(self._connection, Turn.CHANGING_RELEASES)

    def get(self, project: str, version: str) -> Release | None:
        """The release of this version, however it is spelt."""
        found = self._found(
            select(releases).where(
                releases.c.project == project, releases.c.identity == identity_text(version)
            )
        )
        return found[0] if found else None

    def by_number(self, number: int) -> Release | None:
        found = self._found(select(releases).where(releases.c.id == number))
        return found[0] if found else None

    def of_project(self, project: str, states: Sequence[State] = tuple(State)) -> list[Release]:
        """The newest first."""
        query = select(releases).where(
            releases.c.project == project, releases.c.state.in_([s.value for s in states])
        )
        return sorted(self._found(query), key=lambda release: release.order, reverse=True)

    def withdrawn_floors(self, project: str) -> list[Release]:
        """Nobody goes past them all the same. What changes of a release is news of rollouts."""
        query = select(releases).where(
            releases.c.project == project,
            releases.c.state == State.WITHDRAWN.value,
            releases.c.floor.is_(True),
        )
        return self._found(query)

    def last_number(self) -> int:
        """Of the latest release that left its draft, of whatever project."""
        query = select(func.max(releases.c.id)).where(releases.c.state != State.DRAFT.value)
        return self._connection.scalar(query) or 0

    def drafts_of_doors(self, before: int) -> list[Release]:
        """Drafts that somebody began, none of whose images came since; not those of the folder."""
        query = select(releases).where(
            releases.c.state == State.DRAFT.value,
            releases.c.origin != Origin.FOLDER.value,
            releases.c.created_at < before,
        )
        drafts = self._found(query)
        return [one for one in drafts if all(i.modified_at < before for i in one.images)]

    def with_digest(self, project: str, digest_start: str, name: str) -> ReleaseImage | None:
        """The image of this name whose digest begins so, in any release that left its draft."""
        query = (
            select(release_images, images)
            .join(images, images.c.sha256 == release_images.c.sha256)
            .join(releases, releases.c.id == release_images.c.release)
            .where(
                releases.c.project == project,
                releases.c.state != State.DRAFT.value,
                release_images.c.name == name,
                release_images.c.sha256.startswith(digest_start, autoescape=True),
            )
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else _image(row)

    def versions_of(self, sha256: str) -> list[tuple[str, str]]:
        """Project and version of each release that has this image, the latest first."""
        query = (
            select(releases.c.project, releases.c.version)
            .join(release_images, release_images.c.release == releases.c.id)
            .where(release_images.c.sha256 == sha256)
            .order_by(releases.c.id.desc())
        )
        return [(row.project, row.version) for row in self._connection.execute(query)]

    def projects_of_folder(self) -> set[str]:
        """Projects that have a published release of the folder."""
        query = select(releases.c.project).where(
            releases.c.origin == Origin.FOLDER.value, releases.c.state == State.PUBLISHED.value
        )
        return set(self._connection.scalars(query.distinct()))

    def digests(self) -> set[str]:
        """Images that a release has."""
        return set(self._connection.scalars(select(release_images.c.sha256).distinct()))

    def add(self, release: Release) -> Release:
        """The release with its number; its images are added one by one."""
        number = self._connection.scalar(
            insert(releases)
            .values(
                project=release.project,
                identity=identity_text(release.version),
                version=release.version,
                created_at=release.created_at,
                origin=release.origin.value,
                **_changeable(release),
            )
            .returning(releases.c.id)
        )
        Counters(self._connection).move(CATALOG)
        found = self.by_number(number or 0)
        assert found is not None
        return found

    def change(self, release: Release) -> None:
        """Writes what may change; the version and the origin never do."""
        self._connection.execute(
            update(releases).where(releases.c.id == release.number).values(_changeable(release))
        )
        Counters(self._connection).move(CATALOG)
        Counters(self._connection).move(ROLLOUTS)

    def add_image(self, number: int, image: ReleaseImage, at: int) -> None:
        """Only what is declared of it; what its bytes say is in the image's own row."""
        query = select(release_images.c.number).where(release_images.c.release == number)
        last = max(self._connection.scalars(query), default=0)
        self._connection.execute(
            insert(release_images).values(
                release=number,
                name=image.name,
                sha256=image.sha256,
                part=image.part,
                chip=image.chip,
                hardware=json.dumps(image.hardware),
                added_at=at,
                modified_at=image.modified_at,
                number=last + 1,
            )
        )
        Counters(self._connection).move(CATALOG)

    def remove_image(self, number: int, name: str) -> None:
        self._connection.execute(
            delete(release_images).where(
                release_images.c.release == number, release_images.c.name == name
            )
        )
        Counters(self._connection).move(CATALOG)

    def remove(self, number: int) -> None:
        """A release that is not in use (`is_in_use`); of a draft with its aborted rollouts."""
        gone = self._connection.execute(delete(rollouts).where(rollouts.c.release == number))
        if gone.rowcount:
            Counters(self._connection).move(ROLLOUTS)
        self._connection.execute(delete(release_images).where(release_images.c.release == number))
        self._connection.execute(delete(releases).where(releases.c.id == number))
        Counters(self._connection).move(CATALOG)

    def is_in_use(self, number: int) -> bool:
        """Whether a device was ever offered it, or a rollout is to take it to devices.

        An aborted rollout keeps what was published from spreading: its word still counts. Of a
        draft it has nothing more to say.
        """
        offered = select(attempts.c.id).where(attempts.c.release == number).limit(1)
        counts = or_(
            rollouts.c.state != RolloutState.ABORTED.value, releases.c.state != State.DRAFT.value
        )
        rolled_out = (
            select(rollouts.c.id)
            .join(releases, releases.c.id == rollouts.c.release)
            .where(rollouts.c.release == number, counts)
            .limit(1)
        )
        found = (self._connection.execute(query).first() for query in (offered, rolled_out))
        return any(row is not None for row in found)

    def offered_images(self, number: int) -> list[tuple[str, str]]:
        """Name and SHA-256 of what devices were offered of it, whether it still has that or not."""
        query = (
            select(attempts.c.image_name, attempts.c.sha256)
            .where(attempts.c.release == number)
            .distinct()
            .order_by(attempts.c.image_name, attempts.c.sha256)
        )
        return [(row.image_name, row.sha256) for row in self._connection.execute(query)]

    def _found(self, query: Select[tuple[object, ...]]) -> list[Release]:
        rows = self._connection.execute(query.order_by(releases.c.id)).all()
        having = self._images(query.with_only_columns(releases.c.id))
        return [_release(row, having[row.id]) for row in rows]

    def _images(self, numbers: Select[tuple[int]]) -> dict[int, list[ReleaseImage]]:
        """By release. `numbers` is a query: a list of them has an end in both databases."""
        having: dict[int, list[ReleaseImage]] = defaultdict(list)
        query = (
            select(release_images, images)
            .join(images, images.c.sha256 == release_images.c.sha256)
            .where(release_images.c.release.in_(numbers))
            .order_by(release_images.c.release, release_images.c.number)
        )
        for row in self._connection.execute(query):
            having[row.release].append(_image(row))
        return having


def _changeable(release: Release) -> dict[str, object]:
    return {
        "state": release.state.value,
        "channel": release.channel,
        "notes": release.notes,
        "min_from": release.min_from,
        "security": release.security,
        "floor": release.floor,
        "forced": release.forced,
        "published_at": release.published_at,
        "withdrawn_at": release.withdrawn_at,
        "withdrawn_by": release.withdrawn_by,
        "edition": release.edition,
    }


def _release(row: Row[tuple[object, ...]], having: list[ReleaseImage]) -> Release:
    return Release(
        number=row.id,
        project=row.project,
        version=row.version,
        state=State(row.state),
        origin=Origin(row.origin),
        channel=row.channel,
        images=tuple(having),
        notes=row.notes,
        min_from=row.min_from,
        security=row.security,
        floor=row.floor,
        forced=row.forced,
        created_at=row.created_at,
        published_at=row.published_at,
        withdrawn_at=row.withdrawn_at,
        withdrawn_by=row.withdrawn_by,
        edition=row.edition,
    )


def _image(row: Row[tuple[object, ...]]) -> ReleaseImage:
    declared = own = row._mapping  # pylint: disable=protected-access  # its public name for this
    return ReleaseImage(
        name=declared[release_images.c.name],
        sha256=own[images.c.sha256],
        size=own[images.c.size],
        part=declared[release_images.c.part],
        format=own[images.c.format],
        md5=own[images.c.md5],
        sha1=own[images.c.sha1],
        chip=declared[release_images.c.chip] or own[images.c.chip],
        min_chip_revision=own[images.c.min_chip_revision],
        max_chip_revision=own[images.c.max_chip_revision],
        hardware=tuple(
            json.loads(declared[release_images.c.hardware]) or json.loads(own[images.c.hardware])
        ),
        secure_version=own[images.c.secure_version],
        header_version=own[images.c.version],
        appended_sha256=own[images.c.appended_sha256],
        elf_sha256=own[images.c.elf_sha256],
        modified_at=declared[release_images.c.modified_at],
    )
