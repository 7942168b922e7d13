"""Databases are brought to the tables of this version, or the server says why it cannot."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.storage.database import Database
from ota_http_server.storage.engines import engine_for, sqlite_url
from ota_http_server.storage.migrations.migrate import migrate
from ota_http_server.storage.schema import metadata


def execute(url: str, statement: str) -> None:
    engine = engine_for(url, begin="BEGIN IMMEDIATE")
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def differences(url: str) -> list[object]:
    engine = engine_for(url, begin="BEGIN")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata)
    engine.dispose()
    return found


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(empty_url):
    migrate(empty_url)

    assert differences(empty_url) == []


def test_a_second_migration_keeps_what_is_there(empty_url):
    migrate(empty_url)
    database = Database(empty_url)
    database.change(lambda tx: tx.events.add("server_start"))

    migrate(empty_url)

    with database.reading() as tx:
        assert tx.events.last().id == 1
    database.close()


def test_hosts_that_start_at_once_migrate_one_after_the_other(empty_url):
    failures = []

    def start() -> None:
        try:
            migrate(empty_url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert differences(empty_url) == []


def test_a_database_of_a_newer_version_is_refused_in_one_line(empty_url):
    migrate(empty_url)
    execute(empty_url, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(Misconfigured) as refusal:
        migrate(empty_url)

    assert "newer ota_http_server (tables 9999)" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_step_that_fails_leaves_nothing_behind(empty_url):
    execute(empty_url, "CREATE TABLE refusals (n INTEGER)")  # the last table of the first step

    with pytest.raises(Misconfigured):
        migrate(empty_url)

    execute(empty_url, "DROP TABLE refusals")
    migrate(empty_url)
    assert differences(empty_url) == []


def test_a_new_sqlite_database_is_its_owners_alone_with_all_its_files(tmp_path):
    folder = tmp_path / "100% of it"
    folder.mkdir()
    migrate(sqlite_url(folder / "ota.sqlite"))
    database = Database(sqlite_url(folder / "ota.sqlite"))
    database.change(lambda tx: tx.events.add("server_start"))

    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}

    assert modes == {"ota.sqlite": 0o600, "ota.sqlite-wal": 0o600, "ota.sqlite-shm": 0o600}
    database.close()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: None, "cannot be made"),
        (lambda path: path.parent.mkdir() or path.write_bytes(b"no database " * 99), "not a data"),
        (lambda path: path.mkdir(parents=True), "unable to open"),
    ],
    ids=["no folder", "another file", "a folder"],
)
def test_a_database_that_cannot_be_used_is_one_line(tmp_path, spoil, says):
    path = tmp_path / "data" / "ota.sqlite"
    spoil(path)

    with pytest.raises(Misconfigured, match=says) as refusal:
        migrate(sqlite_url(path))

    assert "\n" not in str(refusal.value)


def test_a_server_that_is_not_there_is_one_line_without_the_password(tmp_path):
    with pytest.raises(Misconfigured) as refusal:
        migrate(f"postgresql://ota:hunter2@/ota?host={tmp_path}")

    assert "hunter2" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_many_who_open_a_new_file_at_once_all_get_in(tmp_path):
    """One in some hundred was told at once that the database is locked."""
    failures = []

    def opens(url, everybody) -> None:
        everybody.wait()
        engine = engine_for(url, begin="BEGIN")
        try:
            engine.connect().close()
        except DBAPIError as error:
            failures.append(error)
        engine.dispose()

    for number in range(100):
        at_once = threading.Barrier(8)
        url = sqlite_url(tmp_path / f"{number}.sqlite")
        threads = [threading.Thread(target=opens, args=(url, at_once)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
