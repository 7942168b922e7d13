"""Changing what is said about a release: its channel, its notes, what it may follow.

Its version and its images never change; to whom it goes and what people read of it may.
"""

from dataclasses import replace

from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import Conflict
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.release import Release, State
from ota_http_server.operations.news import News
from ota_http_server.operations.release_wish import ReleaseWish, as_wished
from ota_http_server.operations.write_release import found_release, next_edition, note_release
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


class ChangeRelease:
    """The operation; one for each process."""

    def __init__(self, database: Database, news: News) -> None:
        self._database = database
        self._news = news

    def __call__(
        self, operator: Operator, wish: ReleaseWish, expected: Expected = ANY_EDITION
    ) -> Release:
        """The draft or the published release as it is wished.

        A `Conflict` for a withdrawn one, of which nothing changes but that it is no floor any more.
        """
        operator.must(Role.PUBLISHER, wish.project)

        def changed(tx: Writing) -> Release:
            tx.releases.take_turn()
            release = found_release(tx, wish.project, wish.version, expected)
            wished = as_wished(release, wish)
            if wished == release:
                return release
            # A withdrawn floor still closes the way: that alone can be taken from it.
            if release.state is State.WITHDRAWN and wished != replace(release, floor=False):
                raise Conflict(f"{release.version} is withdrawn: restore it first")
            after = next_edition(tx, wished)
            channel = after.channel if after.channel != release.channel else None
            note_release(tx, operator, "change_release", after, channel=channel)
            return after

        release = self._database.change(changed)
        self._news.refresh()
        return release
