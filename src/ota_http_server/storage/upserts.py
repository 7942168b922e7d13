"""Insert or update in one statement, in the dialect of whichever database it is."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table, **values: Any) -> Insert:
    """An INSERT that offers `on_conflict_do_update` and `excluded`, alike in both dialects."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).values(**values)
    return sqlite.insert(table).values(**values)
