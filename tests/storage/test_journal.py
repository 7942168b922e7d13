"""Each committed event has its line exactly once, and the head follows."""

import os
import stat
import threading
from pathlib import Path

import pytest

from ota_http_server.storage.audit_head import AuditHead, Head
from ota_http_server.storage.audit_line import audit_line
from ota_http_server.storage.database import Database
from ota_http_server.storage.journal import FileJournal

KEY = b"key"


class Instance:
    """One process's view of a log, a head and the rows."""

    def __init__(self, url: str, folder: Path, clock, log_name: str = "ota_audit.log") -> None:
        self.log_path = folder / log_name
        self.head = AuditHead(folder / "audit.head", KEY)
        self.journal = FileJournal(self.log_path, self.head)
        self.database = Database(url, clock=clock, journal=self.journal)

    def add(self, action: str = "generate_token", **facts: str | int) -> None:
        self.database.change(lambda tx: tx.events.add(action, **facts))

    def commit_without_line(self, action: str = "generate_token", **facts: str | int) -> list:
        """What a process leaves that dies between commit and line."""
        mute = _Mute(self.journal.name)
        database = Database(str(self.url), clock=self.database.clock, journal=mute)
        database.change(lambda tx: tx.events.add(action, **facts))
        database.close()
        return mute.unwritten

    def lines(self) -> list[str]:
        return self.log_path.read_text().splitlines() if self.log_path.exists() else []

    def owed(self) -> list[int]:
        with self.database.reading() as tx:
            return [event.id for event in tx.events.unwritten(self.journal.name)]

    def expected(self) -> list[str]:
        with self.database.reading() as tx:
            return [audit_line(event) for event in tx.events.page(0, 1_000)]


class _Mute:
    """A journal whose process is gone before it writes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.unwritten: list = []

    def before_first(self, events) -> None:
        pass

    def committed(self, events) -> None:
        self.unwritten += events


@pytest.fixture
def start(database_url, tmp_path, clock):
    """Starts instances that share the database, the log and the data folder."""
    started = []

    def start_one(**options) -> Instance:
        instance = Instance(database_url, tmp_path, clock, **options)
        instance.url = database_url
        started.append(instance)
        return instance

    yield start_one
    for instance in started:
        instance.database.close()


def test_a_committed_event_is_a_line_in_a_private_file(start):
    instance = start()

    instance.add(IP="203.0.113.7")

    assert instance.lines() == [
        "[2025-10-09T15:34:12Z] [AUDIT] Action=generate_token IP=203.0.113.7"
    ]
    assert stat.S_IMODE(instance.log_path.stat().st_mode) == 0o600


def test_a_change_that_fails_leaves_no_line(start):
    instance = start()

    def fails(tx):
        tx.events.add("generate_token")
        raise LookupError

    with pytest.raises(LookupError):
        instance.database.change(fails)

    assert instance.lines() == []


def test_the_head_follows_every_commit(start):
    instance = start()

    instance.add()
    instance.add()

    with instance.database.reading() as tx:
        assert instance.head.read() == Head(2, tx.events.last().hash)


def test_the_next_event_marks_the_earlier_ones_as_written(start):
    instance = start()

    for _ in range(3):
        instance.add()

    assert instance.owed() == [3]


def test_repair_marks_what_is_there_and_writes_nothing_twice(start):
    instance = start()
    instance.add()
    instance.add()

    instance.journal.repair(instance.database)
    start().journal.repair(instance.database)

    assert instance.owed() == []
    assert instance.lines() == instance.expected()


def test_a_line_that_a_dead_process_owes_is_written_at_the_next_start(start):
    instance = start()
    instance.add(count=1)
    instance.commit_without_line(count=2)
    instance.add(count=3)

    start().journal.repair(instance.database)

    assert sorted(instance.lines()) == sorted(instance.expected())
    assert instance.owed() == []


def test_of_two_events_with_the_same_line_only_the_missing_one_is_written(start):
    instance = start()
    instance.add(device="same")
    instance.commit_without_line(device="same")

    start().journal.repair(instance.database)
    start().journal.repair(instance.database)

    assert instance.lines() == instance.expected()
    assert len(instance.lines()) == 2


def test_an_event_repaired_while_its_process_paused_is_not_written_again(start):
    instance = start()
    unwritten = instance.commit_without_line(device="slow")
    start().journal.repair(instance.database)

    instance.journal.committed(unwritten)  # the process goes on

    assert len(instance.lines()) == 1


def test_a_process_that_dies_between_note_and_line_leaves_the_line_to_the_next(start):
    instance = start()
    instance.add(count=1)
    instance.add(count=2)
    size = len((instance.lines()[0] + "\n").encode())
    os.truncate(instance.log_path, size)  # the note of the second is there, its line is not

    start().journal.repair(instance.database)

    assert instance.lines() == instance.expected()


def test_a_line_that_never_came_is_missed_even_if_others_wrote_since(start):
    instance = start()
    instance.add(count=1)
    size = instance.log_path.stat().st_size
    instance.add(count=2)
    os.truncate(instance.log_path, size)  # died between note and line

    start().add(count=3)
    start().journal.repair(instance.database)

    first, second, third = instance.expected()
    assert instance.lines() == [first, third, second]


def test_half_a_line_of_somebody_else_does_not_swallow_ours(start):
    instance = start()
    instance.log_path.write_text("[2025-10-09T15:3")

    instance.add()
    start().journal.repair(instance.database)

    assert instance.lines() == ["[2025-10-09T15:3", *instance.expected()]


def test_after_a_rotation_lines_go_to_the_new_file(start):
    instance = start()
    instance.add(count=1)
    rotated = instance.log_path.rename(instance.log_path.with_name("ota_audit.log.1"))

    instance.add(count=2)
    start().journal.repair(instance.database)

    assert [rotated.read_text().strip(), *instance.lines()] == instance.expected()


def test_a_rotation_that_empties_the_file_brings_no_line_back(start):
    instance = start()
    instance.add(count=1)
    instance.add(count=2)
    os.truncate(instance.log_path, 0)

    start().journal.repair(instance.database)

    assert instance.lines() == []


def test_lines_packed_away_are_not_written_again(start):
    instance = start()
    instance.add()
    instance.log_path.unlink()

    start().journal.repair(instance.database)

    assert instance.lines() == []


def test_a_log_that_takes_no_lines_undoes_nothing_and_gets_them_later(start, caplog):
    instance = start()
    instance.log_path.mkdir()

    instance.add(count=1)
    instance.add(count=2)
    owed = instance.owed()
    instance.log_path.rmdir()
    instance.add(count=3)
    start().journal.repair(instance.database)

    assert owed == [1, 2]
    assert "takes no lines (2 wait)" in caplog.text
    assert instance.lines() == instance.expected()


def test_repair_leaves_what_the_log_does_not_take_for_later(start, caplog):
    instance = start()
    instance.commit_without_line()
    instance.log_path.mkdir()

    instance.journal.repair(instance.database)

    assert instance.owed() == [1]
    assert "takes no lines" in caplog.text


def test_a_line_that_fits_half_is_taken_back(start, monkeypatch):
    instance = start()
    instance.add(count=1)
    write = os.write
    full = {"disk": True}

    def write_on_a_full_disk(fd: int, content: bytes) -> int:
        if full["disk"] and b"[AUDIT]" in content:
            content = content[:20]
        return write(fd, content)

    monkeypatch.setattr(os, "write", write_on_a_full_disk)
    instance.add(count=2)
    during = instance.lines()
    full["disk"] = False
    start().journal.repair(instance.database)
    instance.add(count=3)

    assert during == instance.expected()[:1]
    assert instance.lines() == instance.expected()


def test_a_stream_is_a_log_too(start, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    instance = start(log_name="pipe")

    instance.add()
    start(log_name="pipe").journal.repair(instance.database)

    assert os.read(reader, 10_000).decode().splitlines() == instance.expected()
    os.close(reader)


def test_logs_of_other_hosts_are_left_alone(start, tmp_path):
    instance, other = start(), start(log_name="other.log")
    instance.commit_without_line()

    other.journal.repair(instance.database)

    assert not other.log_path.exists()
    assert instance.owed() == [1]


def test_instances_that_add_at_once_write_each_line_once(start):
    instances = [start() for _ in range(3)]

    def add_many(number: int) -> None:
        for count in range(12):
            instances[number].add(actor=f"i{number}", count=count)
            if count % 5 == 0:
                instances[number].journal.repair(instances[number].database)

    threads = [threading.Thread(target=add_many, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(instances[0].lines()) == sorted(instances[0].expected())
    assert instances[0].head.read().count == 36


def test_notes_do_not_grow_forever(start, monkeypatch):
    monkeypatch.setattr("ota_http_server.storage.audit_log.NOTES_BYTES_MAX", 1_000)
    monkeypatch.setattr("ota_http_server.storage.audit_log.NOTES_BYTES_READ", 300)
    instance = start()
    for count in range(30):
        instance.add(count=count)

    instance.journal.repair(instance.database)
    (notes,) = instance.log_path.parent.glob("audit.*.notes")
    size = notes.stat().st_size
    instance.add()
    instance.journal.repair(instance.database)

    assert size == 300
    assert instance.lines() == instance.expected()


def test_a_head_ahead_of_the_rows_is_kept_as_evidence(start, caplog):
    instance = start()
    instance.add()
    instance.head.advance(Head(2, "an event that was cut off"))

    for _ in range(3):
        instance.add()

    assert instance.head.read() == Head(2, "an event that was cut off")
    assert caplog.text.count("the audit chain does not hold") == 1
    assert len(instance.lines()) == 4


def test_a_missing_head_is_begun_anew_with_a_warning(start, caplog):
    instance = start()
    instance.add()
    instance.head.path.unlink()

    instance.add()

    assert instance.head.read().count == 2
    assert "is missing, though there are events" in caplog.text
