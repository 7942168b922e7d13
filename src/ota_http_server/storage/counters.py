"""Counters: a change of one tells every worker of every instance to read something anew.

A transaction moves its counters just before its commit, in one order. Every change moves one, so
whoever moved it early would make the others wait for the rest of its work, and might wait for
them crosswise.
"""

from zlib import crc32

from sqlalchemy import Connection, select

from ota_http_server.storage.schema import counters
from ota_http_server.storage.upserts import insert_into

CATALOG = "catalog"
"""Projects and releases."""
KEYS = "keys"
"""API keys."""
ROLLOUTS = "rollouts"
"""How far releases may spread."""
STOPS = "stops"
"""Whether anything is offered at all."""
_DEVICES = tuple(f"devices-{number:02x}" for number in range(256))

_MOVED = "ota_counters_moved"


def of_device(device_id: str) -> str:
    """The counter of what is known of this device and its attempts, but not when it was last seen.

    Shared by one device in 256: a rollout does not make the whole fleet be read anew.
    """
    return _DEVICES[crc32(device_id.encode()) % len(_DEVICES)]


def gathering(connection: Connection) -> Connection:
    """The connection; counters that its transaction moves wait for `move_gathered`."""
    return connection.execution_options(**{_MOVED: set()})


def move_gathered(connection: Connection) -> None:
    for name in sorted(connection.get_execution_options()[_MOVED]):
        statement = insert_into(connection, counters, name=name, value=1)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[counters.c.name], set_={"value": counters.c.value + 1}
            )
        )


class Counters:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> dict[str, int]:
        """Every counter that ever moved."""
        return {row.name: row.value for row in self._connection.execute(select(counters))}

    def get(self, name: str) -> int:
        """Its value; what this transaction moved itself has moved."""
        query = select(counters.c.value).where(counters.c.name == name)
        moved = self._connection.get_execution_options().get(_MOVED, ())
        return (self._connection.scalar(query) or 0) + (name in moved)

    def raise_to(self, name: str, value: int) -> None:
        """It stands at this value at least, at once. Whoever calls has a turn of his own."""
        statement = insert_into(self._connection, counters, name=name, value=value)
        higher = statement.excluded.value
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[counters.c.name],
                set_={"value": higher},
                where=higher > counters.c.value,
            )
        )

    def move(self, name: str) -> None:
        """It has moved when the transaction is committed."""
        self._connection.get_execution_options()[_MOVED].add(name)
