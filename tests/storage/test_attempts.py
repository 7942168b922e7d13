"""Attempts as rows: their numbers, what a device's history counts, and who fell silent."""

import threading
from dataclasses import replace

import pytest

from ota_http_server.domain.attempt import (
    FIRST_ID,
    LINE_CHARACTERS_MAX,
    LINES_MAX,
    Attempt,
    State,
    is_good_id,
)
from ota_http_server.domain.device import Device
from ota_http_server.domain.offer import History
from ota_http_server.domain.release import Release
from ota_http_server.storage.attempts import Line
from ota_http_server.storage.counters import of_device
from ota_http_server.storage.database import Database
from tests.storage.released import an_attempt

FAILED, VERIFIED, CANCELED = State.FAILED, State.VERIFIED, State.CANCELED


@pytest.fixture(name="release")
def a_release(database) -> int:
    def added(tx):
        for name in ("one", "two"):
            tx.devices.add(Device(id=name, project="lamp"))
        return tx.releases.add(Release(number=0, project="lamp", version="1.1.0")).number

    return database.change(added)


@pytest.fixture(name="opened")
def opening(database, release):
    def opened(device="one", **facts) -> Attempt:
        known = {
            "version": "1.1.0",
            "image_name": "lamp.bin",
            "size": 10,
            "from_version": "1.0.0",
        }
        new = an_attempt(release, device, **(known | facts))
        return database.change(lambda tx: tx.attempts.open(new))

    return opened


def history(database, device="one") -> History:
    with database.reading() as rows:
        return rows.attempts.history(device)


def test_an_attempt_is_read_back_as_it_was_written(database, opened):
    first = opened(from_sha256="b" * 64)
    moved = replace(
        first,
        state=State.INSTALLED,
        changed_at=200,
        downloaded_at=150,
        installed_at=200,
        sent_bytes=2**33,
        deliveries=2,
        cancel_asked=True,
        detail="text",
    )

    database.change(lambda tx: tx.attempts.change(moved))

    with database.reading() as rows:
        assert rows.attempts.get(first.id) == moved == rows.attempts.latest_of("one")
        assert rows.attempts.get(first.id + 1) is None
        assert rows.attempts.latest_of("two") is None


def test_numbers_begin_and_go_on_as_every_client_reads_them(database, opened):
    assert opened().id == FIRST_ID
    database.change(lambda tx: tx.attempts.forget_device("one"))
    last = opened(device="two").id
    assert last == FIRST_ID + 1

    numbers = [opened().id for _ in range(3)]

    assert numbers == [last + 1, last + 2, last + 3]
    assert all(map(is_good_id, numbers))


def test_attempts_that_open_at_once_have_numbers_of_their_own(opened, database_url, clock):
    pattern = opened()
    numbers, errors = [], []

    def open_some():
        database = Database(database_url, clock=clock)
        try:
            mine = [database.change(lambda tx: tx.attempts.open(pattern)) for _ in range(5)]
            numbers.extend(attempt.id for attempt in mine)
        except Exception as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=open_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert sorted(numbers) == list(range(FIRST_ID + 1, FIRST_ID + 21))


def test_a_devices_attempts_come_page_by_page_the_latest_first(database, opened):
    ids = [opened().id for _ in range(3)]
    opened(device="two")

    with database.reading() as rows:
        first = rows.attempts.of_device("one", 2)
        second = rows.attempts.of_device("one", 2, before=first[-1].id)

    assert [attempt.id for attempt in first + second] == ids[::-1]


def test_attempts_at_a_release_are_counted_by_their_state(database, opened, release):
    for state in (FAILED, FAILED, VERIFIED):
        opened(state=state)

    with database.reading() as rows:
        assert rows.attempts.of_release(release) == {FAILED: 2, VERIFIED: 1}
        assert rows.attempts.of_release(release + 1) == {}


def test_a_history_counts_failures_cancellations_and_deliveries(database, opened, release):
    opened(state=FAILED, deliveries=1)
    opened(state=State.ROLLED_BACK, deliveries=2, sha256="b" * 64)
    opened(state=CANCELED)
    opened(state=State.SILENT, deliveries=1)
    opened(device="two", state=FAILED)

    assert history(database) == History(
        failures={release: 3},
        failed_at={release: 100},
        deliveries={"a" * 64: 2, "b" * 64: 2},
    )


def test_what_an_operator_called_off_is_told_apart(database, opened, release):
    opened(state=CANCELED, cancel_asked=True)

    assert history(database) == History(canceled=frozenset({release}))


def test_a_history_begins_after_the_last_success(database, opened, release):
    opened(state=FAILED, deliveries=1)
    opened(state=VERIFIED, deliveries=1)

    assert history(database) == History()
    opened(state=FAILED)
    assert history(database).failures == {release: 1}


def test_a_wiped_slate_holds_only_what_came_later(database, opened, release):
    opened(state=FAILED, deliveries=3)
    opened(device="two", state=FAILED)

    database.change(lambda tx: tx.devices.wipe("one"))

    assert history(database) == History()
    assert history(database, "two").failures == {release: 1}
    opened(state=FAILED, offered_at=1)
    assert history(database).failures == {release: 1}


def test_a_device_without_attempts_is_wiped_too(database, opened, release):
    database.change(lambda tx: tx.devices.wipe("one"))

    opened(state=FAILED)

    assert history(database).failures == {release: 1}


def test_who_is_not_in_the_registry_has_a_history_all_the_same(database, opened, release):
    opened(device="nobody", state=FAILED)

    assert history(database, "nobody").failures == {release: 1}


def test_silent_are_open_attempts_of_devices_that_were_not_heard_of(database, opened):
    heard = [("one", 500, "x")]
    silent = [
        opened(device="two", changed_at=200, state=State.DOWNLOADING).id,
        opened(device="nobody", changed_at=150).id,
    ]
    opened(device="two", changed_at=100, state=FAILED)
    opened(device="one", changed_at=100)
    opened(device="two", changed_at=400)
    database.change(lambda tx: tx.devices.see(heard))

    with database.reading() as rows:
        assert [one.id for one in rows.attempts.silent_since(400, 1_000, 10)] == silent[::-1]
        assert [one.id for one in rows.attempts.silent_since(400, 1_000, 1)] == silent[1:]
        assert rows.attempts.silent_since(150, 1_000, 10) == []
        assert rows.attempts.silent_since(101, 1_000, 10) == []


def test_lines_are_kept_in_order_as_far_as_there_is_room(database, opened):
    attempt, other = opened(), opened(device="two")
    long = "x" * (LINE_CHARACTERS_MAX + 1)

    database.change(lambda tx: tx.attempts.add_lines(attempt.id, ["a\0b", long], 5))
    database.change(lambda tx: tx.attempts.add_lines(attempt.id, map(str, range(LINES_MAX)), 6))
    database.change(lambda tx: tx.attempts.add_lines(attempt.id, ["more"], 7))

    with database.reading() as rows:
        lines = rows.attempts.lines(attempt.id)
        assert rows.attempts.lines(other.id) == []
    assert lines[:3] == [Line(5, "ab"), Line(5, long[:-1]), Line(6, "0")]
    assert len(lines) == LINES_MAX


def test_a_removed_device_leaves_no_attempt_and_no_line(database, opened):
    attempt, other = opened(), opened(device="two")
    database.change(lambda tx: tx.attempts.add_lines(attempt.id, ["a"], 5))

    database.change(lambda tx: tx.attempts.forget_device("one"))

    with database.reading() as rows:
        assert rows.attempts.of_device("one", 9) == rows.attempts.lines(attempt.id) == []
        assert rows.attempts.latest_of("two") == other


def test_every_move_is_news_of_its_device(database, opened):
    attempt = opened()
    with database.reading() as rows:
        before = rows.counters.all()

    database.change(lambda tx: tx.attempts.change(attempt))

    with database.reading() as rows:
        moved = dict(rows.counters.all().items() - before.items())
    assert set(moved) == {of_device("one")}
