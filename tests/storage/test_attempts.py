"""Rows about attempts, on both databases."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from ota_http_server.domain.attempt import (
    FIRST_ID,
    LINE_CHARACTERS_MAX,
    LINES_MAX,
    OPEN,
    Attempt,
    State,
    is_good_id,
)
from ota_http_server.domain.offer import NO_HISTORY, History
from ota_http_server.storage.database import Database
from tests.storage.released import a_device, an_attempt, released


@pytest.fixture(name="release")
def a_release(database):
    database.change(lambda tx: tx.devices.add(a_device()))
    return database.change(lambda tx: released(tx, "1.0.0", "a"))


def opened(database, release, device="board", **facts):
    return database.change(lambda tx: tx.attempts.open(an_attempt(release, device, **facts)))


def history(database, device="board"):
    with database.reading() as rows:
        return rows.attempts.history(device)


def test_an_attempt_is_read_as_it_was_opened(database, release):
    wish = Attempt(
        id=0,
        device="board",
        project="lamp",
        release=release,
        version="1.0.0",
        image_name="a.bin",
        sha256="a" * 64,
        size=2**40,
        state=State.DOWNLOADED,
        from_version="0.9",
        from_sha256="b" * 64,
        offered_at=1,
        changed_at=2,
        downloaded_at=3,
        installed_at=4,
        finished_at=5,
        sent_bytes=2**41,
        deliveries=2,
        cancel_asked=True,
        detail="so far",
    )

    attempt = database.change(lambda tx: tx.attempts.open(wish))

    assert attempt == replace(wish, id=FIRST_ID)
    with database.reading() as rows:
        assert rows.attempts.get(FIRST_ID) == rows.attempts.latest_of("board") == attempt


@pytest.mark.parametrize("number", [0, -1, FIRST_ID + 1, 2**63, 2**80])
def test_a_number_that_is_nobodys_finds_nothing(database, release, number):
    opened(database, release)

    with database.reading() as rows:
        assert rows.attempts.get(number) is None


def test_all_that_may_change_does(database, release):
    attempt = opened(database, release)
    changed = replace(
        attempt,
        state=State.FAILED,
        changed_at=9,
        downloaded_at=7,
        installed_at=8,
        finished_at=9,
        sent_bytes=5,
        deliveries=1,
        cancel_asked=True,
        detail="no space",
    )

    database.change(lambda tx: tx.attempts.change(replace(changed, version="2.0", device="x")))

    with database.reading() as rows:
        assert rows.attempts.get(attempt.id) == changed


def test_the_latest_stand_first_and_in_pages(database, release):
    numbers = [opened(database, release).id for _ in range(5)]
    opened(database, release, "another")

    with database.reading() as rows:
        first = [one.id for one in rows.attempts.of_device("board", 3)]
        rest = [one.id for one in rows.attempts.of_device("board", 3, before=first[-1])]

    assert first + rest == numbers[::-1]


def test_attempts_of_a_release_are_counted_by_state(database, release):
    for state in (State.OFFERED, State.OFFERED, State.FAILED):
        opened(database, release, state=state)
    other = database.change(lambda tx: released(tx, "2.0.0", "b"))

    with database.reading() as rows:
        assert rows.attempts.of_release(release) == {State.OFFERED: 2, State.FAILED: 1}
        assert rows.attempts.of_release(other) == {}


def test_there_is_no_attempt_at_a_release_that_is_not_there(database, release):
    with pytest.raises(IntegrityError):
        opened(database, release + 1)


def test_numbers_are_never_given_twice_though_a_device_was_removed(database, release):
    opened(database, release)
    last = opened(database, release, "another").id
    database.change(lambda tx: tx.attempts.forget_device("another"))
    database.change(lambda tx: tx.attempts.forget_device("ghost"))

    assert opened(database, release).id > last


def test_with_a_device_go_its_attempts_and_all_that_it_said(database, release):
    gone = opened(database, release)
    stays = opened(database, release, "another")
    for attempt in (gone, stays):
        database.change(lambda tx, n=attempt.id: tx.attempts.add_lines(n, ["hello"], 1))

    database.change(lambda tx: tx.attempts.forget_device("board"))

    with database.reading() as rows:
        assert rows.attempts.get(gone.id) is None
        assert rows.attempts.lines(gone.id) == []
        assert [line.text for line in rows.attempts.lines(stays.id)] == ["hello"]


def test_of_many_that_open_at_once_each_has_a_number_of_its_own(
    database, database_url, clock, release
):
    others = [Database(database_url, clock=clock) for _ in range(6)]
    numbers, errors = [], []

    def run(one, device):
        try:
            numbers.extend(opened(one, release, device).id for _ in range(5))
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=run, args=(one, f"board-{n}")) for n, one in enumerate(others)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in others:
        one.close()

    assert errors == []
    assert sorted(numbers) == list(range(FIRST_ID, FIRST_ID + 30))
    assert all(map(is_good_id, numbers))


def test_a_device_without_tries_has_no_history(database):
    assert history(database, "ghost") == NO_HISTORY


def test_history_counts_what_failed_what_was_called_off_and_what_went_out(database, release):
    other = database.change(lambda tx: released(tx, "2.0.0", "b"))
    for state in (State.FAILED, State.ROLLED_BACK, State.SILENT):
        opened(database, release, state=state, deliveries=1)
    opened(database, release, state=State.CANCELED)  # the device gave up by itself
    opened(database, other, sha256="b" * 64, state=State.CANCELED, cancel_asked=True)
    opened(database, release, "another", state=State.FAILED)

    assert history(database) == History(
        failures={release: 3}, canceled=frozenset({other}), deliveries={"a" * 64: 3}
    )


def test_a_success_ends_what_counts(database, release):
    opened(database, release, state=State.FAILED, deliveries=2)
    opened(database, release, state=State.VERIFIED, deliveries=1)
    opened(database, release, state=State.DOWNLOADED, deliveries=1)

    assert history(database) == History(deliveries={"a" * 64: 1})


def seen_at(database, device, second):
    database.change(lambda tx: tx.devices.add(a_device(device)))
    database.change(lambda tx: tx.devices.see([(device, second, "192.0.2.1")]))


def test_silent_is_whose_attempt_stood_still_and_who_was_not_here(database, release):
    seen_at(database, "stood-still", 50)
    seen_at(database, "asks-on", 150)
    seen_at(database, "moves-on", 50)
    silent = opened(database, release, "stood-still", changed_at=60).id
    opened(database, release, "asks-on", changed_at=60)
    opened(database, release, "moves-on", changed_at=150)
    unknown = opened(database, release, "in-no-registry", changed_at=50).id

    with database.reading() as rows:
        found = [one.id for one in rows.attempts.silent_since(100, 10)]
        first = [one.id for one in rows.attempts.silent_since(100, 1)]

    assert found == [unknown, silent]
    assert first == [unknown]


@pytest.mark.parametrize("state", list(State))
def test_only_an_open_attempt_can_become_silent(database, release, state):
    opened(database, release, state=state, changed_at=1)

    with database.reading() as rows:
        assert bool(rows.attempts.silent_since(100, 10)) is (state in OPEN)


def test_what_a_device_says_is_kept_in_order_and_has_an_end(database, release):
    number = opened(database, release).id
    long = "x" * (LINE_CHARACTERS_MAX + 1)
    database.change(lambda tx: tx.attempts.add_lines(number, ["one", long, "a\0b\ud800c"], 1))
    database.change(lambda tx: tx.attempts.add_lines(number, ["more"] * LINES_MAX, 2))
    database.change(lambda tx: tx.attempts.add_lines(number, ["too much"], 3))

    with database.reading() as rows:
        lines = rows.attempts.lines(number)
    assert [line.text for line in lines[:3]] == ["one", "x" * LINE_CHARACTERS_MAX, "ab?c"]
    assert [line.at for line in lines] == [1] * 3 + [2] * (LINES_MAX - 3)
