"""Filling a draft: it is made, said something about, and gets its images one by one.

Bytes first, row second. What stands against an image is found when it comes.
"""

from dataclasses import replace

from ota_http_server.domain.admission import Candidate
from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import Conflict, Invalid, Unfit
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.release import (
    IMAGES_MAX,
    Origin,
    Release,
    ReleaseImage,
    State,
)
from ota_http_server.operations.admit_image import admit
from ota_http_server.operations.news import News
from ota_http_server.operations.receive_image import ReceiveImage, part_in_release
from ota_http_server.operations.release_wish import ReleaseWish, Upload, as_wished, reason
from ota_http_server.operations.write_release import found_release, next_edition, note_release
from ota_http_server.storage.database import Database
from ota_http_server.storage.images import Image
from ota_http_server.storage.transaction import Writing


class FillDraft:
    """The operations; one for each process."""

    def __init__(self, database: Database, receive: ReceiveImage, news: News) -> None:
        self._database = database
        self._receive = receive
        self._news = news

    def draft(
        self, operator: Operator, wish: ReleaseWish, expected: Expected = ANY_EDITION
    ) -> Release:
        """The draft of this version, made or changed; a published one must be as it is wished."""
        operator.must(Role.PUBLISHER, wish.project)

        def drafted(tx: Writing) -> Release:
            tx.releases.take_turn()
            known = tx.releases.get(wish.project, wish.version)
            expected.check(0 if known is None else known.edition)
            if known is None:
                return _made(tx, operator, wish)
            wished = as_wished(known, wish)
            if wished == known:
                return known
            if known.state is not State.DRAFT:
                raise Conflict(
                    f"{wish.project} {known.version} is {known.state} and stays as it is"
                )
            return next_edition(tx, wished)

        return self._done(self._database.change(drafted))

    def add_image(
        self,
        operator: Operator,
        project: str,
        version: str | None,
        upload: Upload,
        *,
        force: str | None = None,
    ) -> Release:
        """The draft with this image in it; without a version, the one that the image carries.

        `force` is the reason why what stands against it is overruled. The same bytes under the
        same name again are fine; other bytes are a `Conflict`.
        """
        operator.must(Role.PUBLISHER, project_name(project))
        overruled = None if force is None else reason(force)
        with self._receive.receiving(upload) as (image, keep):
            wanted = version or image.version
            if wanted is None:
                raise Unfit(f"{upload.name} carries no version: say which one it is")
            wish = ReleaseWish.of(project, wanted)
            part = part_in_release(upload, image.kind)
            keep()

            candidate = Candidate(
                name=upload.name,
                facts=image,
                version=wish.version,
                part=part,
                chip=upload.chip,
                version_is_declared=version is not None,
            )

            def added(tx: Writing) -> Release:
                tx.releases.take_turn()
                release = tx.releases.get(wish.project, wish.version) or _made(tx, operator, wish)
                if _has(release, upload.name, image.sha256):
                    return release
                _check_takes_images(release)
                admit(tx, candidate, wish.project, overruled)
                tx.images.add(image, tx.second)
                new = _image(upload, image, part, tx.second)
                tx.releases.add_image(release.number, new, tx.second)
                note_release(
                    tx,
                    operator,
                    "add_image",
                    release,
                    image=new.name,
                    sha256=new.sha256,
                    reason=overruled,
                )
                return next_edition(tx, replace(release, forced=overruled or release.forced))

            return self._done(self._database.change(added))

    def remove_draft(
        self, operator: Operator, project: str, version: str, expected: Expected = ANY_EDITION
    ) -> None:
        """Forgets a draft; what was ever published is a `Conflict`."""
        operator.must(Role.PUBLISHER, project_name(project))

        def removed(tx: Writing) -> None:
            tx.releases.take_turn()
            release = found_release(tx, project, version, expected)
            if release.state is not State.DRAFT:
                raise Conflict(f"{release.version} is {release.state}: withdraw it instead")
            _check_is_no_folders(release, "remove them there")
            if tx.releases.is_in_use(release.number):
                raise Conflict(f"a rollout waits for {release.version}: the draft stays")
            tx.releases.remove(release.number)
            note_release(tx, operator, "remove_draft", release)

        self._database.change(removed)
        self._news.refresh()

    def _done(self, release: Release) -> Release:
        self._news.refresh()
        return release


def _made(tx: Writing, operator: Operator, wish: ReleaseWish) -> Release:
    release = tx.releases.add(
        Release(
            number=0,
            project=wish.project,
            version=wish.version,
            state=State.DRAFT,
            origin=Origin.API,
            channel=wish.first_channel,
            notes=wish.notes or "",
            min_from=wish.min_from,
            security=bool(wish.security),
            floor=bool(wish.floor),
            created_at=tx.second,
        )
    )
    note_release(tx, operator, "create_draft", release)
    return release


def _has(release: Release, name: str, sha256: str) -> bool:
    """Whether it has these bytes; with others under this name it is a `Conflict`."""
    its = next((image for image in release.images if image.name == name), None)
    if its is not None and its.sha256 != sha256:
        raise Conflict(
            f"{release.version} has other bytes as {name}: they never change; raise the version,"
            " or remove the draft"
        )
    return its is not None


def _check_takes_images(release: Release) -> None:
    if release.state is not State.DRAFT:
        raise Conflict(f"{release.version} is {release.state} and gets no more images")
    _check_is_no_folders(release, "put the image there")
    if len(release.images) >= IMAGES_MAX:
        raise Invalid(f"a release has at most {IMAGES_MAX} images")


def _image(upload: Upload, image: Image, part: Kind, at: int) -> ReleaseImage:
    return ReleaseImage(
        name=upload.name,
        sha256=image.sha256,
        size=image.size,
        part=part,
        chip=upload.chip,
        hardware=upload.hardware,
        modified_at=at,
    )


def _check_is_no_folders(release: Release, what_to_do: str) -> None:
    """What lies in the folder decides over its drafts: another change would not last."""
    if release.origin is Origin.FOLDER:
        raise Conflict(f"{release.version} is the files in the project's folder: {what_to_do}")
