"""Settling how a project wants its devices and releases to be treated."""

from collections.abc import Mapping
from dataclasses import replace

from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.project import Project
from ota_http_server.domain.settling import settled
from ota_http_server.operations.news import News
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


class SettleProject:
    """The operations. After they return, this process knows; the others within two seconds."""

    def __init__(self, database: Database, news: News) -> None:
        self._database = database
        self._news = news

    def settle(
        self,
        operator: Operator,
        name: str,
        wish: Mapping[str, object],
        expected: Expected = ANY_EDITION,
    ) -> Project:
        """The project with these settings. What is so already is no change and no event."""
        project_name(name)
        operator.must(Role.OPERATOR, name)

        def done(tx: Writing) -> Project:
            tx.releases.take_turn()  # what is settled here decides over releases
            before = tx.projects.get(name)
            expected.check(before.edition)
            after = settled(before, wish)
            if after == before:
                return before
            created = before.created_at or tx.second
            after = replace(after, edition=before.edition + 1, created_at=created)
            tx.projects.put(after)
            _note(tx, "settle_project", operator, name)
            return after

        project = self._database.change(done)
        self._news.refresh()
        return project

    def forget(self, operator: Operator, name: str, expected: Expected = ANY_EDITION) -> None:
        """Back to the defaults; releases and devices stay. Nothing to forget is no error."""
        operator.must(Role.OPERATOR, name)

        def done(tx: Writing) -> None:
            tx.releases.take_turn()
            before = tx.projects.get(name)
            expected.check(before.edition)
            if before.edition:
                tx.projects.remove(name)
                _note(tx, "forget_project", operator, name)

        self._database.change(done)
        self._news.refresh()


def _note(tx: Writing, action: str, operator: Operator, project: str) -> None:
    tx.events.add(action, IP=operator.address, project=project, actor=operator.name)
