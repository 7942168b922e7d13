"""Two processes of a server write at the same moment. PostgreSQL lets them; SQLite one by one."""

import contextlib
import threading
from collections.abc import Callable

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.operations.report import Report, Told, Word
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.attempts import Attempts
from ota_http_server.storage.database import Database
from ota_http_server.storage.devices import Devices
from tests.operations.fleets import SILENT_SECONDS, Fleet, lamp

WAIT_SECONDS = 0.3
"""So long one waits for the other where only one may write: on SQLite it never comes."""


@pytest.fixture(name="other")
def another_process(database_url, clock):
    other = Database(database_url, clock=clock)
    yield other
    other.close()


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    """Two boards with an offer each."""
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    for name in ("one", "two"):
        fleet.comes(Visit(name, "lamp", "192.0.2.1"), version="1.0.0", chip="esp32")
    return fleet


def side_by_side(*works: Callable[[], object]) -> None:
    errors = []

    def run(work):
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def meet(barrier: threading.Barrier) -> None:
    with contextlib.suppress(threading.BrokenBarrierError):
        barrier.wait(WAIT_SECONDS)


def test_changes_of_two_devices_never_wait_for_each_other_crosswise(fleet, database, other):
    one, two = (fleet.attempts(name)[0] for name in ("one", "two"))
    both, runs = threading.Barrier(2), []

    def many(tx):
        runs.append("many")
        tx.devices.lock("one")
        tx.attempts.change(one)
        meet(both)
        tx.devices.lock("two")
        tx.attempts.change(two)

    def single(tx):
        runs.append("single")
        tx.devices.lock("two")
        meet(both)
        tx.attempts.change(two)

    side_by_side(lambda: database.change(many), lambda: other.change(single))

    assert sorted(runs) == ["many", "single"]  # none was taken back and run once more


def test_a_report_in_the_same_moment_is_not_overwritten_by_silence(
    fleet, database, other, monkeypatch
):
    fleet.clock.pass_seconds(2 * SILENT_SECONDS)
    attempt = fleet.attempts("one")[0]
    found, reported = threading.Event(), threading.Event()
    finds = Attempts.silent_since

    def finds_and_is_overtaken(self, before, now, limit, rollout=None):
        silent = finds(self, before, now, limit, rollout)
        if limit > 1 and not found.is_set():
            found.set()
            reported.wait(WAIT_SECONDS)
        return silent

    def report():
        found.wait(WAIT_SECONDS)
        report_there = Report(other, fleet.registry)
        report_there(Visit("one", "lamp", "192.0.2.1"), Word(Told.INSTALLED, attempt.id))
        reported.set()

    monkeypatch.setattr(Attempts, "silent_since", finds_and_is_overtaken)
    side_by_side(fleet.mark_silent, report)

    assert fleet.attempts("one")[0].state is State.INSTALLED
    assert fleet.attempts("two")[0].state is State.SILENT


def test_a_release_that_goes_while_it_is_being_offered_is_no_error(
    fleet, database_url, other, clock, tmp_path, monkeypatch
):
    fleet.drop("lamp-1.2.0.bin", lamp("1.2.0"))
    fleet.catalog.of("lamp")
    opens, removed = Attempts.open, threading.Event()

    def opens_late(self, attempt):
        if not removed.is_set():
            remove = threading.Thread(target=lambda: other.change(remove_newest))
            remove.start()
            removed.wait(WAIT_SECONDS)
        return opens(self, attempt)

    def remove_newest(tx):
        release = tx.releases.get("lamp", "1.2.0")
        if not tx.releases.is_in_use(release.number):
            tx.releases.remove(release.number)
        removed.set()

    monkeypatch.setattr(Attempts, "open", opens_late)
    answer = fleet.comes(Visit("three", "lamp", "192.0.2.1"), version="1.0.0", chip="esp32")

    assert answer.attempt is not None


def test_two_that_meet_a_new_device_open_one_attempt(fleet, database, other, tmp_path, monkeypatch):
    there = Fleet(other, fleet.clock, tmp_path)
    there.catalog.of("lamp")
    both, adds = threading.Barrier(2), Devices.add

    def adds_at_once(self, device):
        meet(both)
        adds(self, device)

    monkeypatch.setattr(Devices, "add", adds_at_once)
    three = Visit("three", "lamp", "192.0.2.1")
    side_by_side(
        *(lambda f=f: f.comes(three, version="1.0.0", chip="esp32") for f in (fleet, there))
    )

    assert len(fleet.attempts("three")) == 1
