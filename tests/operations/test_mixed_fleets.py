"""A rollout in a fleet of many kinds counts, and begins with, those that it can come to."""

import logging

import pytest

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import State
from ota_http_server.operations.steer_rollouts import CANARIES_SECONDS
from tests.operations.fleets import Fleet
from tests.operations.test_lease import Time
from tests.operations.test_roll_out import ANN, BOARDS, WHY, Rolling, halves
from tests.operations.test_steer_rollouts import LOOKED, Steering, asked
from tests.storage.released import released

OTHERS = [f"other-{number:02}" for number in range(80)]


@pytest.fixture(name="rolling")
def a_fleet_of_two_chips(database, clock, tmp_path):
    """Eighty boards are of a chip that the release has no image for; twenty are."""
    rolling = Rolling(Fleet(database, clock, tmp_path))
    rolling.add(*OTHERS, chip="esp32c3")
    return rolling


@pytest.fixture(name="steering")
def a_steered_fleet(rolling, clock):
    return Steering(rolling, Time(clock))


def begin(rolling, **said):
    return rolling.fleet.begin_rollout(ANN, rolling.wish(**said))


def stage_seconds_pass(steering, asking=()):
    steering.passes(3_700, every=LOOKED, asking=asking)


def test_boards_that_the_release_does_not_fit_are_in_no_stage_and_are_told_of(rolling):
    begun = begin(rolling)

    assert (begun.sizes[0], begun.sizes[-1]) == (1, len(BOARDS))
    assert begun.counts.left_out == {"wrong-chip": len(OTHERS)}
    wanted = tuple(stage.verified_min for stage in begun.rollout.stages)
    assert wanted == halves(begun.sizes)


def test_nor_are_those_that_run_it_or_something_newer_or_are_pinned(rolling):
    rolling.add("done", version="2.0.0")
    rolling.add("pinned", pinned="1.0.0")
    rolling.add("ahead", version="3.0.0")

    assert begin(rolling).counts.left_out == {
        "not-newer": 1,
        "pinned": 1,
        "up-to-date": 1,
        "wrong-chip": len(OTHERS),
    }


def test_boards_of_which_too_little_is_known_count_but_are_not_the_first(rolling):
    rolling.add(*(f"new-{number}" for number in range(40)), version=None, version_from=None)

    begun = begin(rolling)

    assert begun.sizes[-1] == len(BOARDS) + 40
    assert begun.rollout.first_device in BOARDS


def test_one_board_alone_comes_before_the_first_stage_however_few_could_be_offered_it(rolling):
    """Those of which little was known, or that had a step before them, may come any moment."""
    many = [f"new-{number:03}" for number in range(300)]
    rolling.add(*many, version=None, version_from=None)
    rolling.database.change(lambda tx: [tx.devices.remove(name) for name in BOARDS[1:]] and None)

    begun = begin(rolling)

    rolling.fleet.news.refresh()
    in_first = [name for name in many if begun.rollout.covers(rolling.fleet.device(name), "stable")]
    assert begun.rollout.first_device == BOARDS[0]
    assert len(in_first) == begun.sizes[0] - 1 < 10
    assert [stage.verified_min for stage in begun.rollout.stages] == list(halves(begun.sizes))


def test_named_canaries_are_alone_even_if_little_is_known_of_them(rolling, steering):
    rolling.add("desk", version=None, version_from=None, chip=None)

    rollout = begin(rolling, canaries=["desk"]).rollout
    steering.passes(CANARIES_SECONDS + 60)

    assert (rollout.first_device, rolling.now(rollout).first_device) == (None, None)
    assert rolling.now(rollout).share == 0


def test_a_rollout_of_a_draft_without_images_may_name_its_canaries(rolling):
    rolling.database.change(lambda tx: released(tx, "3.0.0", state=ReleaseState.DRAFT))

    begun = begin(rolling, version="3.0.0", canaries=["board-03"])

    assert (begun.sizes[0], begun.sizes[-1]) == (1, len(BOARDS) + len(OTHERS))
    assert begun.counts.left_out == {}


def test_it_reaches_all_that_it_can_by_itself(rolling, steering):
    rollout = begin(rolling).rollout
    for _ in rollout.stages:
        for name in BOARDS:
            if rolling.now(rollout).covers(rolling.fleet.device(name), "stable"):
                answer = rolling.asks(name)
                if getattr(answer.decision, "attempt", None) is not None:
                    rolling.asks(name, "2.0.0")
        stage_seconds_pass(steering)

    assert rolling.now(rollout).state is State.FINISHED
    assert rolling.tally(rollout).verified >= len(BOARDS) // 2


def test_one_that_begins_again_after_an_abort_finds_a_board_that_does_not_run_it_yet(rolling):
    first = begin(rolling, canaries=["board-03"]).rollout
    rolling.updates("board-03")
    rolling.fleet.roll_out.abort(ANN, first.id, WHY)

    begun = begin(rolling, canaries=["board-03"])

    assert begun.counts.left_out["up-to-date"] == 1
    new = [name for name in BOARDS if begun.rollout.covers(rolling.fleet.device(name), "stable")]
    assert len(set(new) - {"board-03"}) == 1
    assert begun.rollout.stages[0].verified_min == 1


def test_a_canary_that_was_flashed_by_cable_meanwhile_is_replaced(rolling, steering):
    rollout = begin(rolling, canaries=["board-03"]).rollout
    rolling.asks("board-03", "2.0.0")

    steering.passes(20)

    now = rolling.now(rollout)
    assert sum(now.covers(rolling.fleet.device(name), "stable") for name in BOARDS) == 2


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"chip": "esp32c3"}, "2.0.0 is not for it (wrong-chip)"),
        ({"pinned": "1.0.0"}, "2.0.0 is not for it (pinned)"),
    ],
)
def test_a_canary_that_can_never_be_offered_it_is_refused(rolling, facts, why):
    rolling.add("canary", **facts)

    with pytest.raises(Invalid, match="canary cannot be a canary") as refusal:
        begin(rolling, canaries=["canary"])

    assert refusal.value.detail.endswith(why)


# --- after the end ------------------------------------------------------------------------------


@pytest.fixture(name="finished")
def a_rollout_that_reached_all_before_most_took_it(rolling, steering):
    """One board at a time: half of them still wait when the last stage has held."""
    one_stage = [{"percent": 100, "dwell_seconds": 0, "verified_min": 10}]
    rollout = begin(
        rolling,
        stages=one_stage,
        override=True,
        reason=WHY,
        silent_seconds=200,
        concurrent_max=2,
    ).rollout
    rolling.updates(*BOARDS[:10])
    steering.passes(10)
    assert rolling.now(rollout).state is State.FINISHED
    return rollout


def test_what_goes_wrong_after_it_was_finished_halts_it_all_the_same(rolling, finished):
    rolling.fails(*BOARDS[10:12])

    assert rolling.now(finished).state is State.HALTED
    assert str(rolling.asks("board-15").decision.reason) == "up-to-date"


def test_who_bricks_after_it_was_finished_blocks_nobody_and_halts_it(
    rolling, steering, finished, caplog
):
    for name in BOARDS[10:12]:
        rolling.asks(name)
    assert str(rolling.asks("board-15").decision.reason) == "busy"

    with caplog.at_level(logging.WARNING):
        steering.passes(300, asking=["board-16"])

    tally = rolling.tally(finished)
    assert tally.silent >= 2
    assert f"rollout {finished.id}: board-10, board-11 not heard of again" in caplog.text


def test_a_halted_one_that_was_finished_goes_on_when_a_person_says_so(rolling, finished):
    rolling.fails(*BOARDS[10:12])

    after = rolling.fleet.roll_out.resume(ANN, finished.id, WHY)

    assert after.state is State.FINISHED
    assert rolling.fleet.roll_out.resume(ANN, finished.id, WHY) == after  # somebody said it already
    rolling.updates("board-15")


# --- what else holds it -------------------------------------------------------------------------


def test_a_stop_by_a_file_alone_is_no_time_in_which_a_release_is_tested(
    rolling, steering, tmp_path
):
    stages = [{"percent": 0, "dwell_seconds": 100}, {"percent": 100}]
    rollout = begin(rolling, stages=stages, canaries=["board-00"]).rollout
    rolling.updates("board-00")
    file = tmp_path / "STOP"
    file.touch()
    rolling.fleet.brake.look()

    steering.passes(500)
    assert rolling.now(rollout).stage == 0

    file.unlink()
    rolling.fleet.brake.look()
    steering.passes(120)
    assert rolling.now(rollout).stage == 1


def test_the_audit_says_that_an_abort_called_updates_off(rolling):
    rollout = asked(rolling, *BOARDS[:2])

    rolling.fleet.roll_out.abort(ANN, rollout.id, WHY, calls_off=True)

    facts = rolling.events("abort_rollout")[0].facts
    assert (facts["calls_off"], facts["reason"]) == ("yes", WHY)


def test_early_failures_of_a_finished_one_count_as_soon_as_enough_have_finished(rolling, steering):
    at_once = [{"percent": 100, "dwell_seconds": 0, "verified_min": 1}]
    plan = {"rolled_back_percent_max": 100, "silent_percent_max": 100}
    rollout = begin(rolling, stages=at_once, override=True, reason=WHY, **plan).rollout
    rolling.updates(BOARDS[0])
    steering.passes(10)
    rolling.fails(*BOARDS[1:4])
    assert rolling.now(rollout).state is State.FINISHED  # four are too few to judge by

    for name in BOARDS[4:11]:
        rolling.asks(name)
        steering.passes(10)
        rolling.asks(name, "2.0.0")
        steering.passes(10)

    assert rolling.now(rollout).state is State.HALTED
    assert rolling.now(rollout).reason.startswith("3 of 10 devices failed")
