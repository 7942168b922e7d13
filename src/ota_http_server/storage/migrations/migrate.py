"""Brings a database to the tables of this version, with Alembic, before anything else uses it.

Two processes that start at once migrate one after the other: on SQLite because a writing
transaction begins IMMEDIATE, on PostgreSQL because of an advisory lock. All steps are one
transaction, so a crash leaves the database as it was.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.storage.engines import engine_for, parsed_url
from ota_http_server.storage.turns import Turn, take_turn

STEPS = Path(__file__).parent
TURN_SECONDS_MAX = 120  # another host may be migrating; a big table takes its time


def migrate(url: str) -> None:
    """Makes or updates the tables; does nothing, quickly, where they are current.

    Raises `Misconfigured` if the database cannot be used or was made by a newer version.
    """
    try:
        _make_private(url)
        with _transaction(url, begin="BEGIN") as connection:
            current = _current(connection)
        if not current:
            with _transaction(url, begin="BEGIN IMMEDIATE") as connection:
                _upgrade(connection)
    except OSError as error:
        raise Misconfigured(f"the database cannot be made: {error}") from error
    except DBAPIError as error:
        reason = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
        raise Misconfigured(f"the database cannot be used: {reason}") from error


@contextmanager
def _transaction(url: str, begin: str) -> Iterator[Connection]:
    engine = engine_for(url, begin=begin)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    finally:
        engine.dispose()


def _make_private(url: str) -> None:
    """Makes the file of a new SQLite database readable by its owner alone.

    SQLite gives `-wal` and `-shm` the mode of the database itself.
    """
    parsed = parsed_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        try:
            os.close(os.open(parsed.database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            pass  # its owner chose its mode


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_SECONDS_MAX}s'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    take_turn(connection, Turn.MIGRATING)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: Connection) -> bool:
    """Whether nothing is to be done; `Misconfigured` if the database is ahead of us."""
    found = MigrationContext.configure(connection).get_current_heads()
    steps = ScriptDirectory.from_config(_config())
    known = {step.revision for step in steps.walk_revisions()}
    if unknown := set(found) - known:
        raise Misconfigured(
            f"the database was made by a newer ota_http_server (tables {', '.join(unknown)}):"
            " start that version, or restore the backup made before it"
        )
    return set(found) == set(steps.get_heads())


def _config() -> Config:
    config = Config()
    # Config interpolates %, which may stand in a path.
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
