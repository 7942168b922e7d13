"""Stopping all offers, of everything or of a project; and letting them go on.

The row is known to every instance within two seconds. While the database is away, a file in the
data folder stops the instances of this host, and the answer says so.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.reach import Stop
from ota_http_server.logs import logger
from ota_http_server.operations.brake import DOWNLOADS_WORD, Brake, stop_file, stops_by_file
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
            self._brake.refresh()
            everywhere = True
        except (Unavailable, DiskFull) as away:
            LOG.warning("the stop stands in a file alone: %s", away.detail)
            _write(self._brake.path(place), Stop(reason, downloads))
            self._brake.look()
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
        _remove(self._brake.path(place))
        self._news.refresh()
        self._brake.refresh()
        return was_there or had_file

    def standing(self, operator: Operator) -> list[Stopped]:
        """What stops of that which this operator may see; the stop of everything stands first."""
        operator.must(Role.VIEWER, operator.project)
        rows, files = self._brake.standing()
        return [
            _both(place, rows.get(place), files.get(place))
            for place in sorted({*rows, *files})
            if place == EVERYTHING or operator.may_see(place)
        ]


def stop_by_file(
    folder: Path, operator: Operator, project: str | None, reason: str, *, downloads: bool = False
) -> Stopped:
    """The instances of this data folder alone are stopped, and the database is not even opened."""
    place = _place(operator, project)
    reason = reason_of(reason, needed=True)
    _write(stop_file(folder, place), Stop(reason, downloads))
    return Stopped(project, reason, downloads, everywhere=False)


def standing_by_file(folder: Path) -> list[Stopped]:
    """What files stop on this host; `OSError` where the data folder cannot be looked at."""
    return [_both(place, None, stop) for place, stop in sorted(stops_by_file(folder).items())]


def _both(place: str, row: Stop | None, file: Stop | None) -> Stopped:
    """A stop by a row, by a file, or by both."""
    found = [stop for stop in (row, file) if stop is not None]
    return Stopped(
        project=None if place == EVERYTHING else place,
        reason=found[0].reason,
        downloads=any(stop.downloads for stop in found),
        everywhere=row is not None,
    )


def _write(path: Path, stop: Stop) -> None:
    """Whole or not at all: a torn file would stop, too, but say nothing."""
    reason = " ".join(stop.reason.split())
    if reason == DOWNLOADS_WORD:
        reason = f"({reason})"  # alone in its line it would stop them, too
    words = f"{reason}\n" + (f"{DOWNLOADS_WORD}\n" if stop.downloads else "")
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


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{path} still stops: it cannot be removed: {error.strerror}") from error


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
