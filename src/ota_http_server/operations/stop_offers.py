"""Stopping all offers, of everything or of a project; and letting them go on.

The row is known to every instance within two seconds. While the database is away, a file in the
data folder stops the instances of this host, and the answer says so.
"""

import os
from dataclasses import dataclass

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.reach import Stop
from ota_http_server.logs import logger
from ota_http_server.operations.brake import DOWNLOADS_WORD, Brake
from ota_http_server.operations.news import News
from ota_http_server.operations.write_rollout import reason_of
from ota_http_server.storage.database import Database
from ota_http_server.storage.stops import EVERYTHING, StopRow
from ota_http_server.storage.transaction import Writing

LOG = logger("stop")


@dataclass(frozen=True, slots=True)
class Stopped:
    """What holds now."""

    project: str | None
    """None: everything."""
    reason: str
    downloads: bool
    everywhere: bool
    """False: only on this host, by a file, because the database is away."""


class StopOffers:
    """The operations; one for each process. After they return, this process knows."""

    def __init__(self, database: Database, news: News, brake: Brake) -> None:
        self._database = database
        self._news = news
        self._brake = brake

    def stop(
        self, operator: Operator, project: str | None, reason: str, *, downloads: bool = False
    ) -> Stopped:
        """Nothing of it is offered any more; with `downloads` nothing is sent either."""
        place = _place(operator, project)
        reason = reason_of(reason, needed=True)
        by = operator.name

        def stopped(tx: Writing) -> None:
            tx.stops.put(
                StopRow(project=place, reason=reason, downloads=downloads, at=tx.second, by=by)
            )
            _note(tx, operator, "stop_offers", project, reason, downloads=downloads)

        try:
            self._database.change(stopped)
            self._news.refresh()
            everywhere = True
        except (Unavailable, DiskFull) as away:
            LOG.warning("the stop stands in a file alone: %s", away.detail)
            self._write(place, Stop(reason, downloads))
            everywhere = False
        LOG.warning("offers of %s are stopped by %s: %s", project or "everything", by, reason)
        return Stopped(project, reason, downloads, everywhere)

    def lift(self, operator: Operator, project: str | None, reason: str) -> bool:
        """Offers go on; whether anything stopped them. Another stop that covers it stays.

        Raises `Unavailable` while the database is away: what every instance was told, every
        instance must be told otherwise.
        """
        place = _place(operator, project)
        reason = reason_of(reason, needed=True)

        def lifted(tx: Writing) -> bool:
            was_there = tx.stops.remove(place)
            if was_there or self._brake.by_file(place) is not None:
                _note(tx, operator, "lift_stop", project, reason)
            return was_there

        self._brake.look()
        was_there = self._database.change(lifted)
        had_file = self._brake.by_file(place) is not None
        self._brake.path(place).unlink(missing_ok=True)
        self._brake.look()
        self._news.refresh()
        return was_there or had_file

    def _write(self, place: str, stop: Stop) -> None:
        """Whole or not at all: a torn file would stop, too, but say nothing."""
        path = self._brake.path(place)
        words = f"{stop.reason}\n" + (f"{DOWNLOADS_WORD}\n" if stop.downloads else "")
        try:
            unfinished = path.with_name(f".{path.name}.{os.getpid()}")
            unfinished.write_text(words, encoding="utf-8")
            unfinished.replace(path)
        except OSError:
            try:  # an empty file stops as well, and needs no room
                path.touch()
            except OSError as error:
                raise Unavailable(
                    f"neither the database nor {path} can be written: {error.strerror}"
                ) from error
        self._brake.look()


def _place(operator: Operator, project: str | None) -> str:
    operator.must(Role.OPERATOR, project)
    return EVERYTHING if project is None else project_name(project)


def _note(
    tx: Writing,
    operator: Operator,
    action: str,
    project: str | None,
    reason: str,
    *,
    downloads: bool = False,
) -> None:
    tx.events.add(
        action,
        IP=operator.address,
        project=project,
        downloads="yes" if downloads else None,
        reason=reason,
        actor=operator.name,
    )
