"""Leases: work that one process does for all of them, and how long the clock has been steady.

Who holds a lease writes down when it looked. A gap between two looks, or a step of the clock, says
that nobody could have heard of a device meanwhile: silence is counted from there anew.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from ota_http_server.storage.schema import leases
from ota_http_server.storage.turns import Turn, take_turn
from ota_http_server.storage.upserts import put_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Times are unix seconds."""

    name: str
    holder: str
    until: int
    looked_at: int
    steady_since: int


class Leases:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str, *, locks: bool = False) -> Lease | None:
        """`locks`: nobody else takes it until the transaction ends."""
        if locks:  # a turn: of a lease that nobody has yet there is no row to be locked
            take_turn(self._connection, Turn.TAKING_LEASES)
        row = self._connection.execute(select(leases).where(leases.c.name == name)).first()
        if row is None:
            return None
        return Lease(
            name=row.name,
            holder=row.holder,
            until=row.until,
            looked_at=row.looked_at,
            steady_since=row.steady_since,
        )

    def put(self, lease: Lease) -> None:
        values = {
            "holder": lease.holder,
            "until": lease.until,
            "looked_at": lease.looked_at,
            "steady_since": lease.steady_since,
        }
        put_row(self._connection, leases, values, name=lease.name)
