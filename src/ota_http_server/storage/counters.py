"""Counters: a change of one tells every worker of every instance to read something anew."""

from sqlalchemy import Connection, select

from ota_http_server.storage.schema import counters
from ota_http_server.storage.upserts import insert_into

CATALOG = "catalog"
"""Projects and releases."""
DEVICES = "devices"
"""What is known of devices, but not when they were last seen."""
KEYS = "keys"
"""API keys."""


class Counters:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> dict[str, int]:
        """Every counter that ever moved."""
        return {row.name: row.value for row in self._connection.execute(select(counters))}

    def get(self, name: str) -> int:
        query = select(counters.c.value).where(counters.c.name == name)
        return self._connection.scalar(query) or 0

    def move(self, name: str) -> None:
        statement = insert_into(self._connection, counters, name=name, value=1)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[counters.c.name], set_={"value": counters.c.value + 1}
            )
        )
