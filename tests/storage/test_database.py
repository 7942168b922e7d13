"""A database that is damaged, gone, replaced or silent refuses; what was promised is kept."""

import os
import shutil
import signal
import sqlite3
import threading

import pytest
from sqlalchemy.exc import OperationalError

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.storage.database import Database
from ota_http_server.storage.engines import engine_for, sqlite_url
from ota_http_server.storage.failures import in_our_words
from ota_http_server.storage.secret_tries import Record
from tests.running import wait_until
from tests.storage.databases import emptied_postgresql, migrated_sqlite

PATIENCE_SECONDS = 60
RECORD = Record(failures=1)


@pytest.fixture(name="file")
def a_database_file(tmp_path):
    path = tmp_path / "data" / "ota.sqlite"
    path.parent.mkdir()
    path.write_bytes(migrated_sqlite())
    return path


@pytest.fixture(name="rows")
def a_database_on_it(file, clock):
    database = Database(sqlite_url(file), clock=clock)
    yield database
    database.close()


def read(database):
    with database.reading() as tx:
        return tx.revocations.counter()


def write(database):
    database.change(lambda tx: tx.revocations.revoke_device("a", at=1))


def refusals(database):
    said = []
    for attempt in (read, write):
        with pytest.raises(Unavailable) as refusal:
            attempt(database)
        said.append(refusal.value.detail)
    return said


def test_a_probe_makes_no_new_file_where_the_database_is_gone(rows, file):
    read(rows)
    for gone in file.parent.iterdir():
        gone.unlink()

    with pytest.raises(Unavailable, match="gone"), rows.probing():
        pass

    assert not file.exists()


def test_a_probe_finds_damage_that_open_connections_do_not_see(rows, file):
    read(rows)
    size = file.stat().st_size
    with file.open("r+b") as pages:
        pages.write(os.urandom(size))

    with pytest.raises(Unavailable, match="damaged"), rows.probing():
        pass


@pytest.mark.parametrize("junk", [b"no database at all " * 1_000, b"SQLite format 3\0" + bytes(90)])
def test_a_damaged_file_is_a_refusal_in_words(file, clock, junk):
    file.write_bytes(junk)
    database = Database(sqlite_url(file), clock=clock)

    assert refusals(database) == ["the database is damaged"] * 2
    database.close()


def test_pages_that_are_damaged_while_it_runs_are_a_refusal_too(rows, file):
    write(rows)
    rows.close()  # what the connections had in memory would hide it
    size = file.stat().st_size
    with file.open("r+b") as pages:
        pages.write(os.urandom(size))

    assert refusals(rows) == ["the database is damaged"] * 2


def test_nothing_is_promised_into_a_file_that_was_removed(rows, file):
    write(rows)
    file.parent.rename(file.parent.with_name("away"))
    during = refusals(rows)
    made = file.parent.exists()
    file.parent.with_name("away").rename(file.parent)

    assert {said.partition(":")[0] for said in during} == {"the database file is gone"}
    assert not made
    assert read(rows) == 1


def test_an_empty_database_is_never_made_where_one_was(rows, file):
    write(rows)
    rows.close()
    file.unlink()

    refusals(rows)

    assert not file.exists()


def test_a_file_that_was_put_in_its_place_is_not_written_half_and_half(rows, file):
    write(rows)
    shutil.copy(file, file.with_name("backup"))
    file.with_name("backup").rename(file)

    assert {said.partition(":")[0] for said in refusals(rows)} == {"the database file was replaced"}


def test_a_full_disk_is_told_from_a_value_that_says_full(file):
    engine = engine_for(sqlite_url(file), begin="BEGIN IMMEDIATE")
    with pytest.raises(DiskFull), in_our_words(), engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.exec_driver_sql("CREATE TABLE big AS SELECT zeroblob(1000000) AS content")
    with pytest.raises(Unavailable), in_our_words(), engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM full_of_nothing")
    engine.dispose()


def test_to_who_only_reads_a_full_disk_is_a_database_that_is_away(rows):
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL

    with pytest.raises(Unavailable, match="is full"), rows.reading():
        raise OperationalError("SELECT 1", {}, full)


def test_two_changes_that_wait_for_each_other_both_succeed(database_url):
    databases = [Database(database_url), Database(database_url)]
    met = [threading.Event(), threading.Event()]

    def change(number):
        def crosswise(tx):
            keys = ["jti:a", "jti:b"] if number == 0 else ["jti:b", "jti:a"]
            tx.secret_tries.put(keys[0], RECORD)
            met[number].set()
            met[1 - number].wait(1)  # on SQLite the other one has not begun
            tx.secret_tries.put(keys[1], RECORD)

        databases[number].change(crosswise)
        done.append(number)

    done = []
    threads = [threading.Thread(target=change, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done) == [0, 1]
    for database in databases:
        database.close()


def test_nobody_waits_for_a_silent_server_once_a_probe_does(clock):
    url = emptied_postgresql()
    database = Database(url, clock=clock)
    with database.probing() as rows:
        pid = rows.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    probe = threading.Thread(target=_probe, args=(database,))
    os.kill(pid, signal.SIGSTOP)
    try:
        probe.start()
        wait_until(lambda: _is_refused(database))
        with pytest.raises(Unavailable, match="does not answer"):
            write(database)
    finally:
        os.kill(pid, signal.SIGCONT)
        probe.join(PATIENCE_SECONDS)
    database.close()


def test_a_statement_without_end_is_ended(clock):
    url = emptied_postgresql()
    database = Database(url, clock=clock)
    with database.reading() as rows:
        shown = rows.connection.exec_driver_sql("SHOW statement_timeout").scalar()
    database.close()

    assert shown == "10s"


def _probe(database):
    with database.probing() as rows:
        rows.revocations.counter()


def _is_refused(database):
    try:
        read(database)
    except Unavailable:
        return True
    return False
