"""Two processes of a server write at the same moment. PostgreSQL lets them; SQLite one by one."""

import contextlib
import threading
from collections.abc import Callable

import pytest

from ota_http_server.operations.check_in import Visit
from ota_http_server.storage.database import Database
from tests.operations.fleets import Fleet, lamp

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
