"""What a process knows of rollouts and of the room there is; and that no limit is ever passed."""

import threading
import time
from dataclasses import replace

import pytest

from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.offer import Offer, Reason
from ota_http_server.domain.project import Project
from ota_http_server.domain.reach import Load
from ota_http_server.domain.rollout import State
from ota_http_server.operations.report import Told
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.database import Database
from tests.operations.fleets import Fleet
from tests.operations.test_roll_out import ANN, BOARDS, WHY, Rolling, offered, reason
from tests.operations.test_two_processes import side_by_side
from tests.running import wait_until

LAMP = Project(name="lamp")
WAIT_SECONDS = 30.0  # for another thread; nobody waits so long unless something is wrong
OVERLAP_SECONDS = 0.3  # so long one thread keeps what the other one waits for


@pytest.fixture(name="rolling")
def a_rolling_fleet(database, clock, tmp_path):
    return Rolling(Fleet(database, clock, tmp_path))


@pytest.fixture(name="processes")
def two_processes(rolling, database_url, clock, tmp_path):
    """The second one shares rows and files with the first, and no memory."""
    databases = []

    def processes(**facts):
        other = Database(database_url, clock=clock)
        databases.append(other)
        first = rolling.fleet
        if facts:
            first = Fleet(rolling.database, clock, tmp_path, **facts)
        return first, Fleet(other, clock, tmp_path, **facts)

    yield processes
    for database in databases:
        database.close()


def visit(name) -> Visit:
    return Visit(name, "lamp", "192.0.2.7")


def asks(fleet, name):
    return fleet.comes(visit(name), version="1.0.0", chip="esp32")


def all_ask(processes, names):
    """Each in a thread of its own, half of them in each process."""
    side_by_side(
        *(
            lambda fleet=processes[number % 2], name=name: asks(fleet, name)
            for number, name in enumerate(names)
        )
    )


def open_attempts(rolling, names=BOARDS):
    return [name for name in names if any(one.is_open for one in rolling.fleet.attempts(name))]


# --- no limit is passed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [{"concurrent_max": 3}, {"offers_max": 3}, {"site_tag": "site:", "site_max": 3}],
    ids=lambda policy: next(iter(policy)),
)
def test_of_many_that_ask_at_once_as_many_begin_as_may(rolling, processes, policy):
    names = [f"here-{number:02}" for number in range(16)]
    rolling.add(*names, tags=("site:bonn",))
    rolling.to_all(**policy)

    all_ask(processes(), names)

    assert len(open_attempts(rolling, names)) == 3


@pytest.mark.parametrize("of_server", [True, False])
def test_of_many_that_ask_at_once_as_many_download_as_may(rolling, processes, of_server):
    limited = replace(LAMP, downloads_max=None if of_server else 3, edition=1)
    rolling.database.change(lambda tx: tx.projects.put(limited))
    rolling.fleet.news.refresh()

    all_ask(processes(downloads_max=3 if of_server else None), BOARDS[:16])

    assert len(open_attempts(rolling)) == 3


def test_a_device_that_asks_at_two_processes_at_once_takes_one_place(rolling, processes):
    rolling.to_all(concurrent_max=2)
    fleets = processes()

    side_by_side(*(lambda fleet=fleet: asks(fleet, "board-00") for fleet in fleets * 3))

    assert len(rolling.fleet.attempts("board-00")) == 1
    assert offered(asks(rolling.fleet, "board-01")) == "2.0.0"
    assert reason(asks(rolling.fleet, "board-02")) is Reason.BUSY


def test_a_place_that_becomes_free_is_given_to_the_next(rolling):
    rolling.to_all(concurrent_max=1)
    asks(rolling.fleet, "board-00")
    assert reason(asks(rolling.fleet, "board-01")) is Reason.BUSY

    rolling.tells("board-00", Told.FAILED)
    rolling.fleet.clock.pass_seconds(2)

    assert offered(asks(rolling.fleet, "board-01")) == "2.0.0"


def test_a_new_period_lets_new_devices_in(rolling):
    rolling.to_all(offers_max=2, period_seconds=600)
    for name in ("board-00", "board-01"):
        asks(rolling.fleet, name)
    assert reason(asks(rolling.fleet, "board-02")) is Reason.BUSY
    assert offered(asks(rolling.fleet, "board-00")) == "2.0.0"  # it was asked already

    rolling.fleet.clock.pass_seconds(600)

    assert offered(asks(rolling.fleet, "board-02")) == "2.0.0"


def test_who_never_tells_what_it_runs_keeps_nobody_waiting(rolling):
    rolling.to_all(concurrent_max=1, counts_installed=True)
    for name in ("board-00", "board-01"):
        rolling.fleet.clock.pass_seconds(2)
        assert offered(asks(rolling.fleet, name)) == "2.0.0"
        rolling.tells(name, Told.INSTALLED)


def test_each_rollout_has_its_own_places(rolling):
    rolling.to_all(concurrent_max=1)
    asks(rolling.fleet, "board-00")
    rolling.publish("3.0.0", "c")
    rolling.to_all(version="3.0.0", concurrent_max=1)

    assert offered(asks(rolling.fleet, "board-01")) == "3.0.0"
    assert reason(asks(rolling.fleet, "board-02")) is Reason.BUSY


def test_a_slot_that_nobody_uses_is_given_away(rolling, processes):
    fleet = processes(downloads_max=1)[0]
    asks(fleet, "board-00")
    assert reason(asks(fleet, "board-01")) is Reason.NO_SLOT

    fleet.clock.pass_seconds(601)

    assert offered(asks(fleet, "board-01")) == "2.0.0"


# --- what is decided under the lock is decided on the rows --------------------------------------


@pytest.mark.parametrize("state", [State.RUNNING, State.FINISHED])
@pytest.mark.parametrize("policy", [{}, {"concurrent_max": 9}], ids=["unpaced", "paced"])
def test_who_waited_for_a_halt_hears_of_it(rolling, processes, policy, state):
    rollout = replace(rolling.to_all(**policy), state=state)
    rolling.database.change(lambda tx: tx.rollouts.change(rollout))
    halting, there = processes()
    assert isinstance(asks(there, "board-19").decision, Offer)  # it remembers one that runs
    turn_taken = threading.Event()

    def halt(tx):
        tx.rollouts.take_turn()
        tx.rollouts.change(replace(rollout, state=State.HALTED, reason="it smokes", edition=2))
        turn_taken.set()
        time.sleep(OVERLAP_SECONDS)

    def ask():
        assert turn_taken.wait(WAIT_SECONDS)
        answers.append(asks(there, "board-00"))

    answers = []
    side_by_side(lambda: halting.database.change(halt), ask)

    assert not isinstance(answers[0].decision, Offer)
    assert "it smokes" in answers[0].decision.detail
    assert rolling.fleet.attempts("board-00") == []


def test_a_rollout_that_begins_elsewhere_is_heard_of_before_anything_is_offered(rolling, processes):
    here, there = processes()
    assert offered(asks(there, "board-19")) == "2.0.0"  # no rollout: it reaches all
    rolling.begin(canaries=["board-00"])

    assert reason(asks(there, "board-01")) is Reason.UP_TO_DATE
    assert offered(asks(there, "board-00")) == "2.0.0"
    assert here.attempts("board-01") == []


def test_what_another_process_offered_is_in_the_way_at_once(rolling, processes):
    rolling.to_all(concurrent_max=1)
    here, there = processes()
    assert there.reach.of(LAMP).loads == {1: Load()}
    asks(here, "board-00")

    assert reason(asks(there, "board-01")) is Reason.BUSY


# --- what is remembered -------------------------------------------------------------------------


def counted_reads(database, monkeypatch):
    reads, reading = [], database.reading

    def counts():
        reads.append(1)
        return reading()

    monkeypatch.setattr(database, "reading", counts)
    return reads


def test_what_nobody_changed_is_not_read_again(rolling, monkeypatch):
    rolling.to_all(concurrent_max=5)
    before = rolling.fleet.reach.of(LAMP)
    reads = counted_reads(rolling.database, monkeypatch)

    assert rolling.fleet.reach.of(LAMP) == before
    assert reads == []


def test_the_room_is_looked_at_once_a_second_however_many_ask(rolling, monkeypatch):
    rolling.to_all(concurrent_max=5)
    rolling.fleet.reach.of(LAMP)
    reads = counted_reads(rolling.database, monkeypatch)

    for _ in range(5):
        rolling.fleet.clock.pass_seconds(0.5)
        rolling.fleet.news.refresh()
        rolling.fleet.brake.look()
        reads.clear()
        rolling.fleet.reach.of(LAMP)

    assert len(reads) <= 1


def test_another_process_hears_of_a_change_within_two_seconds(rolling, processes):
    rollout = rolling.to_all()
    _, there = processes()
    assert there.reach.of(LAMP).rollouts[rollout.release][0].state is State.RUNNING

    rolling.fleet.roll_out.pause(ANN, rollout.id, WHY)
    rolling.fleet.clock.pass_seconds(1.9)

    assert there.reach.of(LAMP).rollouts[rollout.release][0].state is State.PAUSED


def test_each_project_has_its_own_rollouts(rolling):
    rolling.to_all(concurrent_max=1)

    other = rolling.fleet.reach.of(Project(name="fan"))

    assert (other.rollouts, other.loads) == ({}, {})


@pytest.mark.parametrize("clock_step", [-30 * 86_400, 0, 30 * 86_400])
def test_limits_hold_when_the_clock_makes_a_step(rolling, clock_step):
    rolling.to_all(concurrent_max=1)
    asks(rolling.fleet, "board-00")

    rolling.fleet.clock.pass_seconds(clock_step)

    assert reason(asks(rolling.fleet, "board-01")) is Reason.BUSY


def test_a_clock_that_was_set_back_shuts_no_device_out(rolling):
    rolling.to_all(offers_max=1, period_seconds=600)
    asks(rolling.fleet, "board-00")

    rolling.fleet.clock.pass_seconds(-30 * 86_400)

    assert offered(asks(rolling.fleet, "board-01")) == "2.0.0"


# --- while the database is away -----------------------------------------------------------------


@pytest.fixture(name="away")
def an_absent_database(monkeypatch):
    def away(database):
        def refuse(*_):
            raise Unavailable("away")

        for name in ("reading", "change"):
            monkeypatch.setattr(database, name, refuse)

    return away


def test_what_is_remembered_goes_on_while_the_database_is_away(rolling, away):
    rollout = rolling.begin(canaries=["board-00"], concurrent_max=5)
    known = rolling.fleet.reach.of(LAMP)
    away(rolling.database)
    rolling.fleet.clock.pass_seconds(60)

    assert rolling.fleet.reach.of(LAMP).rollouts == known.rollouts
    assert known.rollouts[rollout.release] == (rollout,)


def test_nobody_is_told_to_wait_for_a_place_that_cannot_be_counted(rolling, away):
    rolling.to_all(concurrent_max=1)
    asks(rolling.fleet, "board-00")
    asks(rolling.fleet, "board-01")
    away(rolling.database)
    rolling.fleet.clock.pass_seconds(60)

    with pytest.raises(Unavailable):  # nothing is opened without the rows
        asks(rolling.fleet, "board-01")


def test_a_process_that_knows_no_rollouts_yet_says_that_it_cannot(rolling, processes, away):
    _, there = processes()
    away(there.database)

    with pytest.raises(Unavailable):
        there.reach.of(LAMP)


# --- a herd -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits",
    [{"concurrent_max": 2}, {"offers_max": 2}, {"site_tag": "site:"}, {"of_server": 2}],
    ids=str,
)
def test_of_a_herd_no_more_wait_to_be_written_down_than_there_are_places(
    rolling, processes, monkeypatch, limits
):
    """The rest is answered from memory, while the first still wait for the database."""
    rolling.add(*(f"tagged-{number}" for number in range(6)), tags=("site:bonn",))
    places, of_server = (1 if "site_tag" in limits else 2), limits.get("of_server")
    rolling.to_all(**{name: most for name, most in limits.items() if name != "of_server"})
    fleet = processes(downloads_max=of_server)[0] if of_server else rolling.fleet
    fleet.news.refresh()
    herd = [f"tagged-{number}" for number in range(6)]
    for name in herd:
        fleet.registry.find(name)
    fleet.catalog.of("lamp")  # it looks into the folder now, and not while the first one asks
    fleet.reach.of(LAMP)
    change, waiting, answered = fleet.database.change, [], threading.Event()

    def waits(work):
        waiting.append(work)
        assert answered.wait(WAIT_SECONDS)
        return change(work)

    monkeypatch.setattr(fleet.database, "change", waits)
    first = [threading.Thread(target=asks, args=(fleet, name)) for name in herd[:places]]
    for number, thread in enumerate(first, 1):
        thread.start()
        wait_until(lambda so_many=number: len(waiting) == so_many)
    rest = [reason(asks(fleet, name)) for name in herd[places:]]
    answered.set()
    for thread in first:
        thread.join()

    assert len(waiting) == places
    assert set(rest) <= {Reason.BUSY, Reason.NO_SLOT}


def test_what_a_device_is_about_to_take_up_is_not_in_its_own_way(rolling, monkeypatch):
    """Its client lost patience and asks once more, while its first question is still on its way."""
    rolling.to_all(concurrent_max=1)
    fleet = rolling.fleet
    fleet.catalog.of("lamp")
    fleet.registry.find("board-00")
    change, waiting, told = fleet.database.change, [], threading.Event()

    def waits(work):
        waiting.append(work)
        assert told.wait(WAIT_SECONDS)
        return change(work)

    monkeypatch.setattr(fleet.database, "change", waits)
    answers = []
    asking = [
        threading.Thread(target=lambda: answers.append(asks(fleet, "board-00"))) for _ in "ab"
    ]
    for number, thread in enumerate(asking, 1):
        thread.start()
        wait_until(lambda so_many=number: len(waiting) == so_many)
    told.set()
    for thread in asking:
        thread.join()

    assert [offered(answer) for answer in answers] == ["2.0.0", "2.0.0"]
    assert len(fleet.attempts("board-00")) == 1


def test_a_place_that_was_not_taken_after_all_is_free_again(rolling, monkeypatch):
    rolling.to_all(concurrent_max=1)
    rolling.fleet.registry.find("board-00")

    def away(_work):
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(rolling.database, "change", away)
        with pytest.raises(Unavailable):
            asks(rolling.fleet, "board-00")

    assert offered(asks(rolling.fleet, "board-01")) == "2.0.0"
