"""The lease: one process at a time, and how long somebody has been listening without a gap."""

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unavailable
from ota_http_server.operations.lease import GAP_SECONDS_MAX, LEASE_SECONDS, Leasing
from ota_http_server.storage.database import Database
from ota_http_server.storage.engines import sqlite_url
from tests.operations.test_two_processes import side_by_side
from tests.storage.databases import migrated_sqlite
from tests.storage.fixtures import Clock

DAY = 86_400


class Time:
    """What passes, and what the clock on the wall shows: a step moves the latter alone."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.passed = 1_000.0
        self.stepped = 0

    def monotonic(self) -> float:
        return self.passed

    def passes(self, seconds) -> None:
        self.passed += seconds
        self.clock.pass_seconds(seconds)

    def steps(self, seconds) -> None:
        self.stepped += seconds
        self.clock.pass_seconds(seconds)


@pytest.fixture(name="time")
def both_clocks(clock):
    return Time(clock)


@pytest.fixture(name="process")
def processes(database, time):
    """Each call is another process, or the same one after it was killed and started again."""
    return lambda: Leasing(database, "steering", monotonic=time.monotonic)


def looks(leasing, time, seconds, every=10):
    """It looks again and again for so long; what it held last."""
    for _ in range(int(seconds // every)):
        time.passes(every)
        held = leasing.hold()
    return held


def test_who_asks_first_has_it_and_nobody_else(process):
    first, second = process(), process()

    assert first.hold() is not None
    assert second.hold() is None
    assert first.hold() is not None


def test_each_work_has_a_lease_of_its_own(database, time):
    leasings = [Leasing(database, name, monotonic=time.monotonic) for name in ("a", "b")]

    assert None not in [one.hold() for one in leasings]


def test_of_many_that_ask_at_once_one_has_it(database, database_url, clock, time):
    others = [Database(database_url, clock=clock) for _ in range(3)]
    leasings = [Leasing(one, "steering", monotonic=time.monotonic) for one in (database, *others)]
    held = []

    side_by_side(*(lambda one=one: held.append(one.hold()) for one in leasings))
    for other in others:
        other.close()

    assert len([one for one in held if one is not None]) == 1


def test_who_has_it_keeps_it_as_long_as_it_looks(process, time):
    first, second = process(), process()
    first.hold()

    for _ in range(200):
        time.passes(20)
        assert first.hold() is not None
        assert second.hold() is None


def test_it_is_written_now_and_then_and_not_at_every_look(database, process, time, monkeypatch):
    leasing, writes, change = process(), [], database.change

    def counts(work):
        writes.append(1)
        return change(work)

    monkeypatch.setattr(database, "change", counts)
    leasing.hold()
    looks(leasing, time, 100, every=2)

    assert 5 <= len(writes) <= 11


def test_another_process_goes_on_after_a_death_and_not_before(process, time):
    dead, heir = process(), process()
    dead.hold()

    time.passes(LEASE_SECONDS)
    assert heir.hold() is None
    time.passes(1)
    held = heir.hold()

    assert held is not None
    assert held.elapsed_seconds == 0.0
    assert dead.hold() is None  # it was only asleep, and learns of it


def test_who_lost_it_counts_no_time_between(process, time):
    sleeper, heir = process(), process()
    sleeper.hold()
    time.passes(LEASE_SECONDS + 1)
    heir.hold()
    time.passes(5)
    assert sleeper.hold() is None
    time.passes(LEASE_SECONDS + 1)

    assert sleeper.hold().elapsed_seconds == 0.0


def test_listening_goes_on_from_process_to_process(process, time):
    dead, heir = process(), process()
    dead.hold()
    looks(dead, time, 1_000)

    time.passes(LEASE_SECONDS + 1)

    assert heir.hold().steady_seconds == 1_000 + LEASE_SECONDS + 1


def test_a_gap_in_which_nobody_listened_begins_anew(process, time):
    dead, heir = process(), process()
    dead.hold()
    looks(dead, time, 1_000)

    time.passes(GAP_SECONDS_MAX + 1)

    assert heir.hold().steady_seconds == 0
    assert looks(heir, time, 100).steady_seconds == 100


@pytest.mark.parametrize(
    ("step", "is_noticed"),
    [
        (30 * DAY, True),
        (-30 * DAY, True),
        (3_600, True),
        (-3_600, True),
        (6, True),
        (-6, True),
        (4, False),
        (-4, False),
    ],
)
def test_a_step_of_the_clock_begins_anew(process, time, step, is_noticed):
    leasing = process()
    leasing.hold()
    looks(leasing, time, 1_000)

    time.steps(step)
    time.passes(2)
    held = leasing.hold()

    assert held is not None
    assert held.steady_seconds == (0 if is_noticed else 1_002 + step)
    assert looks(leasing, time, 100).steady_seconds == held.steady_seconds + 100


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY, 40, -40])
def test_a_step_of_the_clock_leaves_one_holder(process, time, step):
    first, second = process(), process()
    first.hold()
    time.steps(step)

    for _ in range(5):
        held = [second.hold(), first.hold()]
        assert len([one for one in held if one is not None]) == 1
        time.passes(2)


def test_a_restart_while_the_clock_steps_listens_anew(process, time):
    first = process()
    first.hold()
    looks(first, time, 1_000)

    time.steps(-30 * DAY)

    assert process().hold().steady_seconds == 0


@pytest.mark.parametrize("step", [0, 30 * DAY, -30 * DAY, 3_600])
def test_the_time_that_passed_is_not_what_the_clock_shows(process, time, step):
    leasing = process()
    assert leasing.hold().elapsed_seconds == 0.0

    time.steps(step)
    time.passes(2.5)

    assert leasing.hold().elapsed_seconds == 2.5


def test_time_in_which_the_database_was_away_does_not_count(database, process, time, monkeypatch):
    leasing = process()
    leasing.hold()
    looks(leasing, time, 1_000)

    def away():
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(database, "reading", away)
        for _ in range(100):
            time.passes(60)
            with pytest.raises(Unavailable):
                leasing.hold()
    time.passes(2)
    held = leasing.hold()

    assert (held.elapsed_seconds, held.steady_seconds) == (0.0, 0)
    time.passes(2)
    assert leasing.hold().elapsed_seconds == 2


steps = st.one_of(
    st.tuples(st.just("passes"), st.sampled_from([1, 2, 9, 29, 31, 59, 62, 4_000])),
    st.tuples(st.just("steps"), st.sampled_from([30 * DAY, -30 * DAY, 7_200, -7_200])),
    st.tuples(st.just("asks"), st.integers(0, 2)),
)


@settings(max_examples=60)
@given(st.lists(steps, max_size=40))
# A step and the same one back between two looks is none: nobody saw it, and nothing was written.
@example([("asks", 0), ("passes", 2), ("steps", 7_200), ("steps", -7_200), ("asks", 0)])
def test_there_is_never_more_than_one_nor_a_gap_that_counts(story):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ota.sqlite"
        path.write_bytes(migrated_sqlite())
        time = Time(Clock())
        database = Database(sqlite_url(path), clock=time.clock)
        processes = [Leasing(database, "steering", monotonic=time.monotonic) for _ in range(3)]
        heard_at = disturbed_at = time.passed
        stepped = 0
        for what, value in story:
            if what == "asks":
                held = processes[value].hold()
                if held is None:
                    continue
                if time.passed - heard_at > GAP_SECONDS_MAX or time.stepped != stepped:
                    disturbed_at = time.passed
                heard_at, stepped = time.passed, time.stepped
                assert held.steady_seconds <= time.passed - disturbed_at + 1
                assert held.elapsed_seconds <= GAP_SECONDS_MAX
                others = [one for one in processes if one is not processes[value]]
                assert [one.hold() for one in others] == [None, None]
            else:
                getattr(time, what)(value)
        database.close()


class Behind:
    """The clock of another host, which is so many seconds behind."""

    def __init__(self, clock, seconds) -> None:
        self.clock = clock
        self.behind = timedelta(seconds=seconds)

    def __call__(self):
        return self.clock() - self.behind


@pytest.mark.parametrize("behind", [0, 10, 45, 300])
def test_hosts_whose_clocks_differ_never_count_the_same_time_twice(
    database, database_url, time, caplog, behind
):
    other = Database(database_url, clock=Behind(time.clock, behind))
    hosts = [Leasing(one, "steering", monotonic=time.monotonic) for one in (database, other)]
    counted = 0.0

    for _ in range(60):
        time.passes(2)
        counted += sum(held.elapsed_seconds for host in hosts if (held := host.hold()))

    other.close()
    assert counted <= 120
    if behind <= 10:
        assert counted >= 110 and not caplog.records
    else:
        assert "rollouts stand still as long as the clocks of hosts differ" in caplog.text
