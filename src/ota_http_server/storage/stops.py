"""Rows about the stop: of everything, or of a project."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection, delete, or_, select

from ota_http_server.domain.reach import Stop
from ota_http_server.storage.counters import STOPS, Counters
from ota_http_server.storage.schema import stop_files, stops
from ota_http_server.storage.turns import Turn, take_turn
from ota_http_server.storage.upserts import insert_into, put_row

EVERYTHING = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRow:
    project: str
    """`EVERYTHING`, or the one that it is about."""
    reason: str
    downloads: bool
    at: int
    by: str


class Stops:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> list[StopRow]:
        rows = self._connection.execute(select(stops).order_by(stops.c.project))
        return [
            StopRow(
                project=row.project,
                reason=row.reason,
                downloads=row.downloads,
                at=row.at,
                by=row.by,
            )
            for row in rows
        ]

    def put(self, stop: StopRow) -> StopRow:
        """The latest reason counts; downloads that were stopped stay so. What stands then."""
        values = {"reason": stop.reason, "at": stop.at, "by": stop.by}
        new = insert_into(
            self._connection, stops, project=stop.project, downloads=stop.downloads, **values
        )
        both = or_(stops.c.downloads, new.excluded.downloads)
        self._connection.execute(
            new.on_conflict_do_update(index_elements=["project"], set_=values | {"downloads": both})
        )
        Counters(self._connection).move(STOPS)
        stands = select(stops.c.downloads).where(stops.c.project == stop.project)
        return replace(stop, downloads=bool(self._connection.scalar(stands)))

    def remove(self, project: str) -> bool:
        """Whether there was one."""
        gone = self._connection.execute(delete(stops).where(stops.c.project == project))
        Counters(self._connection).move(STOPS)
        return gone.rowcount > 0

    def take_turn(self) -> None:
        """Nobody else notes stop files until the transaction ends."""
        take_turn(self._connection, Turn.NOTING_STOP_FILES)

    def noted(self, folder: str) -> Mapping[str, Stop]:
        """What the audit was last told of the stop files in this folder."""
        rows = self._connection.execute(select(stop_files).where(stop_files.c.folder == folder))
        return {row.project: Stop(row.reason, row.downloads) for row in rows}

    def note(self, folder: str, project: str, stop: Stop) -> None:
        values = {"reason": stop.reason, "downloads": stop.downloads}
        put_row(self._connection, stop_files, values, folder=folder, project=project)

    def forget(self, folder: str, project: str) -> None:
        which = (stop_files.c.folder == folder, stop_files.c.project == project)
        self._connection.execute(delete(stop_files).where(*which))
