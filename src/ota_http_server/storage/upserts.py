"""Insert or update in one statement, in the dialect of whichever database it is."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table, **values: Any) -> Insert:
    """An INSERT that offers `on_conflict_do_update` and `excluded`, alike in both dialects."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).values(**values)
    return sqlite.insert(table).values(**values)


def put_row(connection: Connection, table: Table, values: Mapping[str, Any], **key: Any) -> None:
    """The row of this key has these values from now on, whether it was there or not."""
    new = insert_into(connection, table, **key, **values)
    connection.execute(new.on_conflict_do_update(index_elements=list(key), set_=values))
