"""Steering: stages are left in their time, silence is noticed, and a kill harms nothing."""

import contextlib

import pytest

from ota_http_server.domain.attempt import State as AttemptState
from ota_http_server.domain.errors import Conflict
from ota_http_server.domain.offer import Offer
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import State
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.operations.lease import LEASE_SECONDS, Leasing
from ota_http_server.operations.mark_silent import MarkSilent
from ota_http_server.operations.report import Told
from ota_http_server.operations.steer_rollouts import (
    FLEET_SECONDS,
    SECONDS_UNWRITTEN_MAX,
    SteerRollouts,
)
from ota_http_server.storage.database import Database
from tests.operations.fleets import Fleet
from tests.operations.test_lease import Time
from tests.operations.test_roll_out import ANN, BOARDS, WHY, Rolling, advance
from tests.operations.test_two_processes import side_by_side

DAY = 86_400
SILENT = 600
LOOKED = 50  # seconds between two looks, where it takes long: a minute would be a gap
CANARY, FIRST = "board-00", "board-19"
"""The one is named by tests; the other has the lowest bucket under their salt."""
TWO_STAGES = [
    {"percent": 0, "dwell_seconds": 100, "verified_min": 1},
    {"percent": 100, "dwell_seconds": 50, "verified_min": 2},
]


class Steering:
    """A fleet whose rollouts are steered by one process, and by another once that was killed."""

    def __init__(self, rolling: Rolling, time: Time) -> None:
        self.rolling = rolling
        self.time = time
        self.process = self.another()
        self.process()

    def another(self, database=None) -> SteerRollouts:
        database = database or self.rolling.database
        leasing = Leasing(database, "steering", monotonic=self.time.monotonic)
        mark_silent = MarkSilent(database, self.rolling.fleet.registry, SILENT)
        return SteerRollouts(database, leasing, mark_silent, self.rolling.fleet.brake)

    def passes(self, seconds, every=10, asking=()) -> None:
        """At least so much time in which it is steered; these boards ask as often."""
        for _ in range(-int(-seconds // every)):
            self.time.passes(every)
            for name in asking:
                self.rolling.asks(name)
            self.rolling.fleet.registry.write()
            self.process()

    def killed(self) -> None:
        """The process, and its lease has ended."""
        self.process = self.another()
        self.time.passes(LEASE_SECONDS + 1)
        self.process()


@pytest.fixture(name="rolling")
def a_rolling_fleet(database, clock, tmp_path):
    return Rolling(Fleet(database, clock, tmp_path))


@pytest.fixture(name="steering")
def a_steered_fleet(rolling, clock):
    return Steering(rolling, Time(clock))


def canaried(rolling, **said):
    """A rollout whose named canary runs the release already."""
    rollout = rolling.begin(**({"canaries": [CANARY], "stages": TWO_STAGES} | said))
    rolling.updates(CANARY)
    return rollout


def asked(rolling, *names, **said):
    """A rollout whose named canaries were offered the release, and say nothing more."""
    rollout = rolling.begin(**({"canaries": list(names), "silent_seconds": SILENT} | said))
    for name in names:
        assert isinstance(rolling.asks(name).decision, Offer)
    return rollout


def stage(rolling, rollout):
    return rolling.now(rollout).stage


# --- a stage that held is left ------------------------------------------------------------------


def test_a_stage_that_held_is_left_when_its_time_is_over(rolling, steering):
    rollout = canaried(rolling)
    steering.passes(90)
    assert stage(rolling, rollout) == 0

    steering.passes(20)

    after = rolling.now(rollout)
    assert (after.stage, after.stage_seconds, after.is_canaried) == (1, 0, True)
    (event,) = rolling.events("advance_rollout")
    assert (event.facts["actor"], event.facts["stage"]) == ("server", 2)
    assert event.facts["reason"] == after.reason
    assert isinstance(rolling.asks("board-01").decision, Offer)


def test_a_stage_without_successes_is_not_left(rolling, steering):
    rollout = rolling.begin(canaries=[CANARY], stages=TWO_STAGES)
    rolling.asks(CANARY)
    rolling.tells(CANARY, Told.INSTALLED)

    steering.passes(500, every=LOOKED)

    assert stage(rolling, rollout) == 0


def test_a_stage_that_is_owed_word_by_too_many_is_not_left(rolling, steering):
    rollout = canaried(rolling, canaries=[CANARY, "board-01", "board-02"])
    for name in ("board-01", "board-02"):
        rolling.asks(name)
        rolling.tells(name, Told.DOWNLOADING)

    steering.passes(300, every=LOOKED, asking=("board-01", "board-02"))
    assert stage(rolling, rollout) == 0

    rolling.updates("board-01", "board-02")
    steering.passes(20)
    assert stage(rolling, rollout) == 1


@pytest.mark.parametrize("word", ["pause", "abort"])
def test_what_stands_still_is_not_steered(rolling, steering, word):
    rollout = canaried(rolling)
    getattr(rolling.fleet.roll_out, word)(ANN, rollout.id, WHY)
    still = rolling.now(rollout)

    steering.passes(500, every=LOOKED)

    assert rolling.now(rollout) == still


def test_a_healthy_release_reaches_all_by_itself(rolling, steering):
    shares = (1, 5, 25, 50, 100)
    rollout = rolling.begin(stages=[{"percent": n, "dwell_seconds": 90} for n in shares])
    running = dict.fromkeys(BOARDS, "1.0.0")
    stages = [0]

    for _ in range(40):
        for name, version in running.items():
            if isinstance(rolling.asks(name, version).decision, Offer):
                rolling.tells(name, Told.INSTALLED)
                running[name] = "2.0.0"
        steering.passes(LOOKED, every=LOOKED)
        now = rolling.now(rollout)
        stages += [now.stage] * (now.stage != stages[-1])
        if now.state is not State.RUNNING:
            break

    assert now.state is State.FINISHED
    assert stages == [0, 1, 2, 3, 4]
    assert set(running.values()) == {"2.0.0"}
    assert len(rolling.events("advance_rollout")) == 5


def test_small_steps_without_one_success_never_go_far(rolling, steering):
    small = [{"percent": n, "dwell_seconds": 0, "verified_min": 0} for n in (2, 9, 10, 100)]
    rollout = rolling.begin(stages=small)

    steering.passes(300)

    after = rolling.now(rollout)
    assert (after.stage, after.is_canaried) == (2, False)


# --- its time -----------------------------------------------------------------------------------


def test_time_in_which_it_was_paused_does_not_count(rolling, steering):
    rollout = canaried(rolling)
    steering.passes(80)
    rolling.fleet.roll_out.pause(ANN, rollout.id, WHY)
    steering.passes(500, every=LOOKED)
    rolling.fleet.roll_out.resume(ANN, rollout.id, WHY)

    assert stage(rolling, rollout) == 0
    steering.passes(10)
    assert stage(rolling, rollout) == 0
    steering.passes(50)
    assert stage(rolling, rollout) == 1


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY])
def test_a_step_of_the_clock_is_no_time(rolling, steering, step):
    rollout = canaried(rolling)
    steering.passes(50)

    steering.time.steps(step)
    steering.passes(40)
    assert stage(rolling, rollout) == 0
    steering.passes(20)

    assert stage(rolling, rollout) == 1


def test_time_in_which_nobody_looked_does_not_count(rolling, steering):
    rollout = canaried(rolling)

    steering.time.passes(10_000)
    steering.process()

    assert stage(rolling, rollout) == 0


@pytest.mark.parametrize("what", ["stop", "stop of the project", "draft", "withdrawn"])
def test_time_in_which_nothing_was_offered_does_not_count(rolling, steering, what):
    rollout = canaried(rolling)
    project = "lamp" if what == "stop of the project" else None
    if what in ("draft", "withdrawn"):
        rolling.release(state=ReleaseState(what))
    else:
        rolling.fleet.stop_offers.stop(ANN, project, WHY)

    steering.passes(500, every=LOOKED)
    assert rolling.now(rollout) == rollout

    if what in ("draft", "withdrawn"):
        rolling.release(state=ReleaseState.PUBLISHED)
    else:
        rolling.fleet.stop_offers.lift(ANN, project, WHY)
    steering.passes(90)
    assert stage(rolling, rollout) == 0
    steering.passes(20)
    assert stage(rolling, rollout) == 1


def test_the_time_of_a_stage_that_somebody_left_is_not_the_next_ones(rolling, steering):
    brief = [{"percent": 0, "dwell_seconds": 20}, {"percent": 100, "dwell_seconds": 25}]
    rollout = canaried(rolling, canaries=[CANARY], stages=brief)
    steering.passes(10)
    advance(rolling, rollout, 1, override=True)
    rolling.updates("board-01")

    steering.passes(20)
    assert rolling.now(rollout).state is State.RUNNING
    steering.passes(10)
    assert rolling.now(rollout).state is State.FINISHED


def test_a_new_process_counts_on_where_the_killed_one_was(rolling, steering):
    rollout = canaried(rolling)
    steering.passes(90)
    written = rolling.now(rollout).stage_seconds
    assert 90 - SECONDS_UNWRITTEN_MAX <= written <= 90

    steering.killed()
    steering.passes(100 - written)

    assert stage(rolling, rollout) == 1


# --- who fell silent ----------------------------------------------------------------------------


def test_a_release_that_bricks_without_a_word_is_halted_in_its_first_stage(rolling, steering):
    rollout = asked(rolling, *BOARDS[:4])
    for name in BOARDS[:4]:
        rolling.tells(name, Told.DOWNLOADED)

    steering.passes(SILENT + 100, every=LOOKED)

    halted = rolling.now(rollout)
    assert (halted.state, halted.stage) == (State.HALTED, 0)
    assert "not heard of again" in halted.reason
    assert rolling.tally(rollout) == Tally(silent=4)
    (event,) = rolling.events("halt_rollout")
    assert (event.facts["actor"], event.facts["reason"]) == ("server", halted.reason)


def test_who_asks_is_not_silent_whatever_it_says(rolling, steering):
    rollout = asked(rolling, *BOARDS[:4])

    steering.passes(SILENT + 200, every=LOOKED, asking=BOARDS[:4])

    assert rolling.tally(rollout).silent == 0


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY])
def test_a_step_of_the_clock_makes_nobody_silent_who_asks(rolling, steering, step):
    rollout = asked(rolling, *BOARDS[:4])
    steering.passes(SILENT + 100, every=LOOKED, asking=BOARDS[:3])
    assert rolling.tally(rollout).silent == 1

    steering.time.steps(step)
    steering.passes(SILENT + 200, every=LOOKED, asking=BOARDS[:3])

    assert rolling.tally(rollout).silent == 1
    assert rolling.now(rollout).state is State.RUNNING


def test_after_a_step_of_the_clock_silence_is_noticed_again(rolling, steering):
    rollout = asked(rolling, *BOARDS[:4])
    steering.time.steps(-30 * DAY)

    steering.passes(SILENT - 100, every=LOOKED)
    assert rolling.tally(rollout).silent == 0
    steering.passes(200, every=LOOKED)

    assert rolling.now(rollout).state is State.HALTED


def test_time_in_which_no_server_listened_makes_nobody_silent(rolling, steering):
    rollout = asked(rolling, *BOARDS[:4])

    steering.time.passes(10 * SILENT)
    steering.killed()

    assert rolling.tally(rollout).silent == 0


@pytest.mark.parametrize(("seconds", "silent"), [(7 * DAY, 0), (100, 2)])
def test_a_rollout_says_itself_what_silence_is(rolling, steering, seconds, silent):
    rollout = asked(rolling, *BOARDS[:2], silent_seconds=seconds)

    steering.passes(SILENT + 100 if silent == 0 else 200, every=LOOKED)

    assert rolling.tally(rollout).silent == silent


def test_who_was_slow_and_not_dead_counts_again_and_resumes_nothing(rolling, steering):
    rollout = asked(rolling, *BOARDS[:2])
    for name in BOARDS[:2]:
        rolling.tells(name, Told.INSTALLED)
    steering.passes(SILENT + 100, every=LOOKED)
    assert rolling.now(rollout).state is State.HALTED

    for name in BOARDS[:2]:
        rolling.asks(name, "2.0.0")

    assert rolling.tally(rollout) == Tally(verified=2)
    assert rolling.now(rollout).state is State.HALTED


@pytest.mark.parametrize(
    ("told", "tally"), [(Told.FAILED, Tally(failed=1)), (Told.INSTALLED, Tally(installed=1))]
)
def test_who_was_excused_for_its_silence_counts_by_what_it_tells_then(
    rolling, steering, told, tally
):
    rollout = asked(rolling, CANARY, halting_devices_min=1)
    steering.passes(SILENT + 100, every=LOOKED)
    rolling.fleet.roll_out.resume(ANN, rollout.id, WHY)
    assert rolling.tally(rollout) == Tally(excused=1)

    rolling.tells(CANARY, told)

    assert rolling.tally(rollout) == tally


def test_silence_outside_of_rollouts_is_noticed_too(rolling, steering):
    rolling.asks("board-01")

    steering.passes(SILENT + 100, every=LOOKED)

    assert rolling.fleet.attempts("board-01")[0].state is AttemptState.SILENT


# --- what goes wrong ----------------------------------------------------------------------------


def test_what_failed_before_enough_had_finished_halts_it_once_they_have(rolling, steering):
    rollout = rolling.to_all(finished_min=4, failed_percent_max=40)
    rolling.fails("board-00", "board-01")
    rolling.updates("board-02", "board-03")
    assert rolling.now(rollout).state is State.RUNNING

    steering.passes(10)

    assert rolling.now(rollout).state is State.HALTED
    assert len(rolling.events("halt_rollout")) == 1


def test_what_a_person_resumed_is_not_halted_again_for_the_same(rolling, steering):
    rollout = rolling.to_all(finished_min=2, failed_percent_max=50)
    rolling.fails("board-00", "board-01")
    rolling.fleet.roll_out.resume(ANN, rollout.id, WHY)

    steering.passes(100)

    assert rolling.now(rollout).state is State.RUNNING


# --- a first device -----------------------------------------------------------------------------


def test_a_rollout_that_began_with_nobody_gets_its_one_first_device(database, clock, tmp_path):
    rolling = Rolling(Fleet(database, clock, tmp_path), boards=())
    steering = Steering(rolling, Time(clock))
    rollout = rolling.begin()
    rolling.add(*BOARDS[10:18])

    steering.passes(FLEET_SECONDS + 10)

    assert rolling.now(rollout).first_device in BOARDS[10:18]
    rolling.fleet.news.refresh()
    offered = [isinstance(rolling.asks(name).decision, Offer) for name in BOARDS[10:18]]
    assert offered.count(True) == 1


def test_a_rollout_whose_first_device_is_removed_gets_another(rolling, steering):
    rollout = rolling.begin()
    rolling.fleet.look_after.remove(ANN, FIRST)

    steering.passes(FLEET_SECONDS + 10)

    rolling.fleet.news.refresh()
    offered = [isinstance(rolling.asks(name).decision, Offer) for name in BOARDS[:19]]
    assert offered.count(True) == 1
    assert rolling.now(rollout).stage == 0


def test_a_first_device_that_was_asked_is_not_looked_for_again(rolling, steering):
    rollout = rolling.begin()
    rolling.asks(FIRST)
    before = rolling.now(rollout).first_device
    rolling.add("newcomer-1", "newcomer-2")

    steering.passes(3 * FLEET_SECONDS)

    assert rolling.now(rollout).first_device == before


# --- several at once, and one that is killed ----------------------------------------------------


@pytest.fixture(name="other")
def another_database(rolling, database_url, clock):
    other = Database(database_url, clock=clock)
    yield other
    other.close()


def test_of_several_processes_one_steers(rolling, steering, other):
    second = steering.another(other)
    rollout = canaried(rolling)

    for _ in range(11):
        steering.time.passes(10)
        side_by_side(steering.process, second)

    assert stage(rolling, rollout) == 1
    assert len(rolling.events("advance_rollout")) == 1


def test_a_person_and_the_server_advance_at_the_same_moment_and_make_one_step(
    rolling, steering, other
):
    rollout = canaried(rolling)
    steering.passes(99, every=9)
    there = Fleet(other, rolling.fleet.clock, rolling.fleet.firmware.parent)

    def by_hand():
        with contextlib.suppress(Conflict):
            there.roll_out.advance(ANN, rollout.id, 1, WHY)

    steering.time.passes(10)
    side_by_side(steering.process, by_hand)

    assert stage(rolling, rollout) == 1
    assert len(rolling.events("advance_rollout")) == 1


def overtaken(database, patch, meanwhile):
    """Between what the steering reads and what it writes next, something happens elsewhere."""
    change = database.change

    def late(work):
        patch.undo()
        meanwhile()
        return change(work)

    patch.setattr(database, "change", late)


def test_who_was_overtaken_by_a_person_makes_no_second_step(rolling, steering, monkeypatch):
    at_once = [{"percent": n, "dwell_seconds": 0, "verified_min": 1} for n in (0, 50, 100)]
    rollout = canaried(rolling, stages=at_once)
    steering.time.passes(2)  # the lease was written just now: the next write is a step

    overtaken(rolling.database, monkeypatch, lambda: advance(rolling, rollout, 1))
    steering.process()

    assert stage(rolling, rollout) == 1
    assert len(rolling.events("advance_rollout")) == 1


def test_who_was_overtaken_by_a_report_judges_by_it(rolling, steering, monkeypatch):
    rollout = rolling.begin(
        canaries=BOARDS[:7],
        stages=[{"percent": 0, "dwell_seconds": 0}, {"percent": 100}],
        **{"finished_min": 7, "failed_percent_max": 10, "halting_devices_min": 1},
    )
    rolling.fails(BOARDS[0])
    rolling.updates(*BOARDS[1:6])
    steering.time.passes(2)

    overtaken(rolling.database, monkeypatch, lambda: rolling.updates(BOARDS[6]))
    steering.process()

    assert (rolling.now(rollout).state, stage(rolling, rollout)) == (State.HALTED, 0)


class Killed(BaseException):
    """Nothing catches it."""


def killed_at(database, patch, number, *, before):
    """The process dies at its change of this number: before it, or as soon as it is committed."""
    changes, change = [], database.change

    def dies(work):
        changes.append(1)
        if len(changes) > number:
            raise Killed
        if before and len(changes) == number:
            raise Killed
        result = change(work)
        if len(changes) == number:
            raise Killed
        return result

    patch.setattr(database, "change", dies)


@pytest.mark.parametrize("before", [True, False])
def test_a_kill_between_any_two_writes_makes_no_step_twice_and_none_less(
    rolling, steering, monkeypatch, before
):
    rollout = canaried(rolling)
    steering.passes(80)

    for number in range(1, 6):
        with monkeypatch.context() as patch:
            killed_at(rolling.database, patch, number, before=before)
            with contextlib.suppress(Killed):
                for _ in range(4):
                    steering.time.passes(20)
                    steering.process()
        steering.killed()
        now = rolling.now(rollout)
        assert now.stage == len(rolling.events("advance_rollout"))
        assert now.edition == 1 + now.stage

    rolling.updates("board-02", "board-03")
    steering.passes(200)
    assert rolling.now(rollout).state is State.FINISHED
    assert len(rolling.events("advance_rollout")) == 2


def test_a_silence_that_was_marked_and_its_halt_are_one(rolling, steering, monkeypatch):
    rollout = asked(rolling, *BOARDS[:4])
    steering.passes(SILENT - 100, every=LOOKED)

    for number in range(1, 5):
        with monkeypatch.context() as patch:
            killed_at(rolling.database, patch, number, before=False)
            with contextlib.suppress(Killed):
                for _ in range(3):
                    steering.time.passes(20)
                    steering.process()
        halted = rolling.now(rollout).state is State.HALTED
        assert halted == (rolling.tally(rollout).silent == 4)
        steering.killed()

    assert rolling.now(rollout).state is State.HALTED
    assert len(rolling.events("halt_rollout")) == 1


def test_nothing_is_written_while_nothing_happens(rolling, steering, monkeypatch):
    rolling.begin(canaries=[CANARY])
    rolling.asks(CANARY)
    steering.passes(SECONDS_UNWRITTEN_MAX)
    writes, change = [], rolling.database.change

    def counts(work):
        writes.append(1)
        return change(work)

    monkeypatch.setattr(rolling.database, "change", counts)
    for _ in range(60):
        steering.time.passes(2)
        steering.process()

    # Two minutes: the lease every ten seconds, and the time of the stage every thirty.
    assert len(writes) <= 12 + 4
