"""Publishing: a draft that has its images becomes a release that never changes again.

What stands against an image was found when it came, and is looked for once more: another release
may have been published in between.
"""

from dataclasses import replace

from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import Conflict, Unfit
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.release import (
    Release,
    State,
)
from ota_http_server.operations.admit_image import admit, candidate_of
from ota_http_server.operations.fill_draft import FillDraft
from ota_http_server.operations.news import News
from ota_http_server.operations.receive_image import ReceiveImage
from ota_http_server.operations.release_wish import reason
from ota_http_server.operations.write_release import found_release, next_edition, note_release
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


class PublishRelease:
    """The operations, with those that come before; one for each process."""

    def __init__(self, database: Database, receive: ReceiveImage, news: News) -> None:
        self._database = database
        self._news = news
        drafts = FillDraft(database, receive, news)
        self.draft = drafts.draft
        self.add_image = drafts.add_image
        self.remove_draft = drafts.remove_draft

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
            release = found_release(tx, project, version, expected)
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
            note_release(tx, operator, "publish_release", release, reason=release.forced)
            return next_edition(tx, release)

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
            release = found_release(tx, project, version, expected)
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
            note_release(tx, operator, "withdraw_release", release, reason=because)
            return next_edition(tx, release)

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
            release = found_release(tx, project, version, expected)
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
            note_release(tx, operator, "publish_release", release, reason=because)
            return next_edition(tx, release)

        return self._done(self._database.change(restored))

    def _done(self, release: Release) -> Release:
        self._news.refresh()
        return release


def _end_names(tx: Writing, release: Release) -> None:
    """Names that an older release's image held hold this one's now: begun downloads go on."""
    for older in tx.releases.of_project(release.project, (State.PUBLISHED,)):
        for image in older.images:
            if any(i.name == image.name and i.sha256 != image.sha256 for i in release.images):
                tx.downloads.end(release.project, image.name, image.sha256, tx.second * 1000)
