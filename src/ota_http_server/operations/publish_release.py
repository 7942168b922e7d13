"""Publishing: a draft is made, gets its images, and becomes a release that never changes again.

Bytes first, row second. What stands against an image is found when it comes, and once more when
the release is published, because another one may have been published in between.
"""

from dataclasses import replace

from ota_http_server.domain.admission import Candidate
from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import Conflict, Invalid, NotFound, Unfit
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.release import (
    IMAGES_MAX,
    Origin,
    Release,
    ReleaseImage,
    State,
    release_version,
)
from ota_http_server.operations.admit_image import admit, candidate_of
from ota_http_server.operations.news import News
from ota_http_server.operations.receive_image import ReceiveImage, part_in_release
from ota_http_server.operations.release_wish import ReleaseWish, Upload, as_wished, reason
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


class PublishRelease:
    """The operation; one for each process."""

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
            return _changed(tx, wished)

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

            def added(tx: Writing) -> Release:
                tx.releases.take_turn()
                release = tx.releases.get(wish.project, wish.version) or _made(tx, operator, wish)
                its = next((i for i in release.images if i.name == upload.name), None)
                if its is not None:
                    if its.sha256 == image.sha256:
                        return release
                    raise Conflict(
                        f"{release.version} has other bytes as {upload.name}: they never change;"
                        " raise the version, or remove the draft"
                    )
                if release.state is not State.DRAFT:
                    raise Conflict(f"{release.version} is {release.state} and gets no more images")
                _check_is_no_folders(release, "put the image there")
                if len(release.images) >= IMAGES_MAX:
                    raise Invalid(f"a release has at most {IMAGES_MAX} images")
                candidate = Candidate(
                    name=upload.name,
                    facts=image,
                    version=release.version,
                    part=part,
                    chip=upload.chip,
                    version_is_declared=version is not None,
                )
                admit(tx, candidate, wish.project, overruled)
                tx.images.add(image, tx.second)
                new = ReleaseImage(
                    name=upload.name,
                    sha256=image.sha256,
                    size=image.size,
                    part=part,
                    chip=upload.chip,
                    hardware=upload.hardware,
                    modified_at=tx.second,
                )
                tx.releases.add_image(release.number, new, tx.second)
                _note(tx, operator, "add_image", release, overruled, new)
                return _changed(tx, replace(release, forced=overruled or release.forced))

            return self._done(self._database.change(added))

    def publish(
        self,
        operator: Operator,
        project: str,
        version: str,
        *,
        force: str | None = None,
        expected: Expected = ANY_EDITION,
    ) -> Release:
        """The release, published; one that is already stays as it is."""
        operator.must(Role.PUBLISHER, project_name(project))
        overruled = None if force is None else reason(force)

        def published(tx: Writing) -> Release:
            tx.releases.take_turn()
            release = _found(tx, project, version, expected)
            if release.state is State.PUBLISHED:
                return release
            if release.state is State.WITHDRAWN:
                raise Conflict(f"{release.version} was withdrawn: restore it if it is good")
            if not release.images:
                raise Unfit(f"{release.version} has no image yet")
            for image in release.images:
                admit(tx, candidate_of(tx, release, image), project, overruled or release.forced)
            _end_names(tx, release)
            release = replace(
                release,
                state=State.PUBLISHED,
                published_at=tx.second,
                forced=overruled or release.forced,
            )
            _note(tx, operator, "publish_release", release, release.forced)
            return _changed(tx, release)

        return self._done(self._database.change(published))

    def withdraw(
        self,
        operator: Operator,
        project: str,
        version: str,
        why: str,
        expected: Expected = ANY_EDITION,
    ) -> Release:
        """The release, offered no more; whoever has begun to fetch it may finish."""
        operator.must(Role.OPERATOR, project_name(project))
        because = reason(why)

        def withdrawn(tx: Writing) -> Release:
            tx.releases.take_turn()
            release = _found(tx, project, version, expected)
            if release.state is State.WITHDRAWN:
                return release
            if release.state is State.DRAFT:
                raise Conflict(f"{release.version} is a draft: remove it, nobody was offered it")
            release = replace(
                release,
                state=State.WITHDRAWN,
                withdrawn_at=tx.second,
                withdrawn_by=operator.name,
            )
            for image in release.images:
                tx.downloads.end(project, image.name, image.sha256, tx.second * 1000)
            _note(tx, operator, "withdraw_release", release, because)
            return _changed(tx, release)

        return self._done(self._database.change(withdrawn))

    def restore(
        self,
        operator: Operator,
        project: str,
        version: str,
        why: str,
        expected: Expected = ANY_EDITION,
    ) -> Release:
        """A withdrawn release, published again as it was."""
        operator.must(Role.OPERATOR, project_name(project))
        because = reason(why)

        def restored(tx: Writing) -> Release:
            tx.releases.take_turn()
            release = _found(tx, project, version, expected)
            if release.state is State.PUBLISHED:
                return release
            if release.state is State.DRAFT:
                raise Conflict(f"{release.version} is a draft: publish it")
            _end_names(tx, release)
            release = replace(
                release,
                state=State.PUBLISHED,
                published_at=tx.second,
                withdrawn_at=None,
                withdrawn_by=None,
            )
            _note(tx, operator, "publish_release", release, because)
            return _changed(tx, release)

        return self._done(self._database.change(restored))

    def remove_draft(
        self, operator: Operator, project: str, version: str, expected: Expected = ANY_EDITION
    ) -> None:
        """Forgets a draft; what was ever published is a `Conflict`."""
        operator.must(Role.PUBLISHER, project_name(project))

        def removed(tx: Writing) -> None:
            tx.releases.take_turn()
            release = _found(tx, project, version, expected)
            if release.state is not State.DRAFT:
                raise Conflict(f"{release.version} is {release.state}: withdraw it instead")
            _check_is_no_folders(release, "remove them there")
            tx.releases.remove(release.number)
            _note(tx, operator, "remove_draft", release)

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
            created_at=tx.second,
        )
    )
    _note(tx, operator, "create_draft", release)
    return release


def _changed(tx: Writing, release: Release) -> Release:
    tx.releases.change(replace(release, edition=release.edition + 1))
    after = tx.releases.by_number(release.number)
    assert after is not None
    return after


def _found(tx: Writing, project: str, version: str, expected: Expected) -> Release:
    release = tx.releases.get(project, release_version(version))
    if release is None:
        raise NotFound(f"{project} has no release {version}")
    expected.check(release.edition)
    return release


def _check_is_no_folders(release: Release, what_to_do: str) -> None:
    """What lies in the folder decides over its drafts: another change would not last."""
    if release.origin is Origin.FOLDER:
        raise Conflict(f"{release.version} is the files in the project's folder: {what_to_do}")


def _end_names(tx: Writing, release: Release) -> None:
    """Names that an older release's image held hold this one's now: begun downloads go on."""
    for older in tx.releases.of_project(release.project, (State.PUBLISHED,)):
        for image in older.images:
            if any(i.name == image.name and i.sha256 != image.sha256 for i in release.images):
                tx.downloads.end(release.project, image.name, image.sha256, tx.second * 1000)


def _note(
    tx: Writing,
    operator: Operator,
    word: str,
    release: Release,
    because: str | None = None,
    image: ReleaseImage | None = None,
) -> None:
    tx.events.add(
        word,
        IP=operator.address,
        project=release.project,
        release=release.version,
        image=None if image is None else image.name,
        sha256=None if image is None else image.sha256,
        reason=because,
        actor=operator.name,
    )
