"""Fixtures for tests that need rows; a conftest imports those that it offers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ota_http_server.storage.database import Database
from ota_http_server.storage.engines import sqlite_url
from tests.storage.databases import (
    drop_postgresql,
    emptied_postgresql,
    migrated_sqlite,
    new_postgresql,
)

START = datetime(2025, 10, 9, 15, 34, 12, tzinfo=UTC)


class Clock:
    """A clock that moves when the test says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    @property
    def second(self) -> int:
        return int(self.now.timestamp())

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path: Path) -> Iterator[str]:
    """A migrated, empty database for this test alone, once of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "ota.sqlite"
        path.write_bytes(migrated_sqlite())
        yield sqlite_url(path)
        return
    yield emptied_postgresql()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "ota.sqlite")
        return
    url = new_postgresql()
    yield url
    drop_postgresql(url)


@pytest.fixture
def database(database_url: str, clock: Clock) -> Iterator[Database]:
    database = Database(database_url, clock=clock)
    yield database
    database.close()
