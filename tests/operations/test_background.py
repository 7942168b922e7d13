"""Chores run by themselves, whatever one of them does."""

import threading

import pytest

from ota_http_server.domain.errors import Unavailable
from ota_http_server.operations.background import Background, Chore
from ota_http_server.operations.bounded import Bounded

PATIENCE_SECONDS = 60


@pytest.fixture(name="backgrounds")
def stopped_in_the_end():
    started = []
    yield started
    for background in started:
        background.stop()


def test_a_chore_is_done_again_and_again_and_a_failing_one_disturbs_nobody(backgrounds, caplog):
    done, enough = [], threading.Event()

    def broken():
        raise ZeroDivisionError

    def away():
        raise Unavailable("the database is away")

    def work():
        done.append(1)
        if len(done) == 3:
            enough.set()

    chores = [Chore("a", 0.01, broken), Chore("b", 0.01, away), Chore("c", 0.01, work)]
    background = Background(chores)
    backgrounds.append(background)
    for _ in range(5):
        background.ensure_started()

    assert enough.wait(PATIENCE_SECONDS)
    assert "a failed" in caplog.text
    assert caplog.text.count("b waits: the database is away") == 1


def test_a_chore_that_waits_keeps_no_other_from_its_time(backgrounds):
    let_go, done = threading.Event(), threading.Semaphore(0)
    chores = [
        Chore("sweeping", 0.01, lambda: let_go.wait(PATIENCE_SECONDS)),
        Chore("refreshing revocations", 0.01, done.release),
    ]
    background = Background(chores)
    backgrounds.append(background)
    background.ensure_started()

    for _ in range(5):
        assert done.acquire(timeout=PATIENCE_SECONDS)
    let_go.set()


def test_first_requests_at_the_same_time_start_each_chore_once(backgrounds):
    begun = threading.Barrier(9)
    background = Background([Chore("only one", 0.01, lambda: None)])
    backgrounds.append(background)

    def ask():
        begun.wait(PATIENCE_SECONDS)
        background.ensure_started()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    begun.wait(PATIENCE_SECONDS)
    for thread in threads:
        thread.join()
    names = [thread.name for thread in threading.enumerate()]

    assert names.count("only one") == 1


def test_nothing_begins_after_a_stop():
    background = Background([Chore("a", 0.01, lambda: None)])
    background.stop()
    before = threading.active_count()
    background.ensure_started()

    assert threading.active_count() <= before


def test_a_bounded_dictionary_forgets_its_oldest_entries():
    bounded = Bounded(3)
    for number in range(5):
        bounded.put(number, str(number))
    bounded.put(2, "again")
    bounded.put(5, "5")

    assert len(bounded) == 3
    assert [bounded.get(number) for number in range(6)] == [None, None, "again", None, "4", "5"]
    bounded.forget(4)
    bounded.forget(4)
    bounded.clear()
    assert len(bounded) == 0
