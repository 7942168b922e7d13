"""Rows about the stop: of everything, or of a project."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from ota_http_server.storage.counters import STOPS, Counters
from ota_http_server.storage.schema import stops
from ota_http_server.storage.upserts import put_row

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

    def put(self, stop: StopRow) -> None:
        """The latest word counts."""
        values = {
            "reason": stop.reason,
            "downloads": stop.downloads,
            "at": stop.at,
            "by": stop.by,
        }
        put_row(self._connection, stops, values, project=stop.project)
        Counters(self._connection).move(STOPS)

    def remove(self, project: str) -> bool:
        """Whether there was one."""
        gone = self._connection.execute(delete(stops).where(stops.c.project == project))
        Counters(self._connection).move(STOPS)
        return gone.rowcount > 0
