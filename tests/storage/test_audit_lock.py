"""A process that holds the audit lock and hangs delays lines, and nothing else."""

import fcntl
import os
from contextlib import contextmanager

import pytest
from filelock import FileLock

from ota_http_server.storage.audit_head import AuditHead
from ota_http_server.storage.audit_line import audit_line
from ota_http_server.storage.audit_lock import AuditLock, Held
from ota_http_server.storage.database import Database
from ota_http_server.storage.journal import FileJournal


@contextmanager
def hung(folder):
    """As a stopped process holds it: by an open file of its own."""
    fd = os.open(folder / "audit.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


@pytest.fixture(name="journal")
def a_journal(tmp_path):
    return FileJournal(tmp_path / "ota_audit.log", AuditHead(tmp_path / "audit.head", b"key"))


@pytest.fixture(name="rows")
def a_database_with_a_journal(database_url, clock, journal):
    database = Database(database_url, clock=clock, journal=journal)
    yield database
    database.close()


def add(database, count):
    database.change(lambda tx: tx.events.add("generate_token", count=count))


def state(database, folder):
    """What stands in the log, what should, and how far the head is."""
    log = folder / "ota_audit.log"
    lines = log.read_text().splitlines() if log.exists() else []
    with database.reading() as tx:
        expected = [audit_line(event) for event in tx.events.page(0, 1_000)]
    head = AuditHead(folder / "audit.head", b"key").read()
    return lines, expected, head and head.count


def test_what_a_hung_process_delays_is_written_once_when_it_lets_go(
    rows, journal, tmp_path, caplog
):
    with hung(tmp_path):
        for count in range(100):  # one wait for all of them, or this would take a minute
            add(rows, count)
        journal.catch_up(rows)
        during = state(rows, tmp_path)
    journal.catch_up(rows)
    after = state(rows, tmp_path)

    assert (during[0], len(during[1]), during[2]) == ([], 100, None)
    assert (after[0], after[2]) == (after[1], 100)
    assert caplog.text.count("is held by another process") == 1


def test_the_next_event_brings_the_delayed_lines_along(rows, tmp_path):
    add(rows, 1)
    with hung(tmp_path):
        add(rows, 2)
    add(rows, 3)

    lines, expected, head = state(rows, tmp_path)
    assert (lines, head) == (expected, 3)


def test_delayed_lines_that_another_process_wrote_meanwhile_are_not_written_again(
    rows, journal, tmp_path, monkeypatch
):
    monkeypatch.setattr("ota_http_server.storage.audit_log.NOTES_BYTES_READ", 200)
    with hung(tmp_path):
        for count in range(9):
            add(rows, count)
    another = FileJournal(tmp_path / "ota_audit.log", AuditHead(tmp_path / "audit.head", b"key"))
    another.repair(rows)

    journal.catch_up(rows)

    lines, expected, head = state(rows, tmp_path)
    assert (lines, head) == (expected, 9)


def test_a_repair_gives_up_for_now_and_succeeds_the_next_time(rows, journal, tmp_path):
    with hung(tmp_path):
        add(rows, 1)
        journal.repair(rows)
    journal.repair(rows)

    assert state(rows, tmp_path)[0] == state(rows, tmp_path)[1]


def test_nothing_is_done_where_nothing_is_owed(journal):
    journal.catch_up(None)  # it does not even ask for the database


def test_after_a_wait_in_vain_nobody_waits_until_it_was_free_once(tmp_path, monkeypatch):
    lock = AuditLock(tmp_path / "audit.lock")
    waits = []
    real = FileLock

    def noted(*where, timeout, **how):
        waits.append(timeout)
        return real(*where, timeout=timeout, **how)

    monkeypatch.setattr("ota_http_server.storage.audit_lock.FileLock", noted)
    with hung(tmp_path):
        for _ in range(3):
            with pytest.raises(Held), lock.held():
                pass
    for _ in range(2):
        with lock.held():
            pass

    assert waits == [0.5, 0.0, 0.0, 0.0, 0.5]
