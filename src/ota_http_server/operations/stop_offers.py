"""Stopping all offers, of everything or of a project; and letting them go on.

The row is known to every instance within two seconds. While the database is away, a file in the
data folder stops the instances of this host, and the answer says so. Whoever stops again stops no
less: to let downloads go on while offers stay stopped, lift first.
"""

from dataclasses import dataclass
from pathlib import Path

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.reach import Stop
from ota_http_server.logs import logger
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.news import News
from ota_http_server.operations.note_stop_files import folder_id, note_stop_files
from ota_http_server.operations.stop_files import (
    place_of,
    remove_stop_files,
    stop_file,
    stops_by_file,
    write_stop_file,
)
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
        """Nothing of it is offered any more; with `downloads` nothing is sent either.

        Where a stop stands that ends downloads, they stay ended; the answer says so.
        """
        place = _place(operator, project)
        reason = reason_of(reason, needed=True)
        by = operator.name

        def stopped(tx: Writing) -> StopRow:
            row = tx.stops.put(
                StopRow(project=place, reason=reason, downloads=downloads, at=tx.second, by=by)
            )
            _note(tx, operator, "stop_offers", project, reason, downloads=row.downloads)
            return row

        try:
            row = self._database.change(stopped)
            self._news.refresh()
            self._brake.refresh()
            found = _both(place, Stop(reason, row.downloads), self._brake.by_files.get(place))
        except (Unavailable, DiskFull) as away:
            LOG.warning("the stop stands in a file alone: %s", away.detail)
            known = self._brake.standing()[0].get(place)
            more = downloads or (known is not None and known.downloads)
            found = _by_file(self._brake.folder, place, Stop(reason, more))
            self._brake.look()
        LOG.warning("offers of %s are stopped by %s: %s", found.project or "everything", by, reason)
        return found

    def lift(self, operator: Operator, project: str | None, reason: str) -> bool:
        """Offers go on; whether anything stopped them. Another stop that covers it stays.

        Raises `Unavailable` while the database is away: what every instance was told, every
        instance must be told otherwise. And where a file cannot be removed: that goes on to stop.
        """
        place = _place(operator, project)
        reason = reason_of(reason, needed=True)
        folder = self._brake.folder
        self._brake.look()
        had_file = place in self._brake.by_files

        def lifted(tx: Writing) -> bool:
            files = note_stop_files(tx, folder)
            was_there = tx.stops.remove(place) or had_file or place in files
            if was_there:
                _note(tx, operator, "lift_stop", project, reason)
            return was_there

        def cleared(tx: Writing) -> None:
            tx.stops.take_turn()  # nobody notes the files meanwhile
            remove_stop_files(folder, place)
            tx.stops.forget(folder_id(folder), place)

        was_there = self._database.change(lifted)
        try:
            # Not before: what is taken back brings no file back, and offers would go on unlifted.
            self._database.change(cleared)
        finally:
            self._news.refresh()
            self._brake.refresh()
        return was_there

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
    return _by_file(folder, place, Stop(reason, downloads))


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


def _by_file(folder: Path, place: str, stop: Stop) -> Stopped:
    """Written, and what it stops: the file of a few odd names stops more than was asked for."""
    stands = write_stop_file(folder, place, stop)
    return _both(place_of(stop_file(folder, place).name), None, stands)


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
