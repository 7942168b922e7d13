"""Somebody sets the clock a month on or back while a release spreads; time goes on all the same."""

import pytest

from ota_http_server.domain.rollout_plan import DEFAULT_SHARES, Plan, Policy, Stage
from tests.lives.boards import Fate, a_fleet
from tests.lives.faults import STEP_SECONDS, Faults, seeds
from tests.lives.fleet_life import Life

ON, BACK = STEP_SECONDS, -STEP_SECONDS
STEPS = pytest.mark.parametrize(
    "steps", [[ON], [BACK], [ON, BACK], [BACK, BACK, ON]], ids=lambda steps: f"{len(steps)} steps"
)
HALF_AN_HOUR = Policy(silent_seconds=1_800)


def steps_come(life: Life, steps: list[int], within_seconds: float) -> None:
    for step in steps:
        moment = life.random.uniform(0.0, within_seconds)
        life.after(moment, "the clock steps", life.step_the_clock, step)


@STEPS
@pytest.mark.parametrize("seed", seeds(1))
def test_a_good_release_is_neither_halted_nor_any_board_silent_that_asks(live, seed, steps):
    life = live(seed)
    life.settle(a_fleet(60, life.random))
    stages = tuple(Stage(share, 300) for share in DEFAULT_SHARES)
    life.begin("1.1.0", plan=Plan(stages, HALF_AN_HOUR))
    steps_come(life, steps, 2_400.0)

    life.run(4, until=lambda: life.state() != "running")

    came_to = {entry.after for entry in life.ledger.entries if entry.kind == "moved"}
    assert life.state() == "finished", life.story
    assert not came_to & {"silent", "failed", "rolled-back"}, life.story


@pytest.mark.parametrize("seed", seeds(2))
def test_no_step_between_report_and_restart_makes_a_roll_back_of_it(live, seed):
    """`Invariants` asserts it at each verdict. All tell, and ask once more with their old words."""
    life = live(seed, processes=3, faults=Faults(steps_at_restarts=0.7))
    life.settle(a_fleet(15, life.random, tell=1.0, early=1.0))
    life.begin("1.1.0", plan=Plan((Stage(1_000, 0), Stage(10_000, 0)), HALF_AN_HOUR))

    life.run(4, until=lambda: life.state() != "running")
    life.run(2, until=lambda: all(board.version == "1.1.0" for board in life.boards.values()))

    assert life.state() == "finished", life.story
    assert all(board.version == "1.1.0" for board in life.boards.values()), life.story
    assert life.stepped != 0.0, life.story


@pytest.mark.parametrize("seed", seeds(2))
def test_who_did_go_back_is_seen_to_have_gone_back_though_the_clock_is_set_meanwhile(live, seed):
    life = live(seed, processes=3, faults=Faults(steps_at_restarts=0.7))
    life.settle(a_fleet(8, life.random, fate=Fate.ROLLS_BACK, tell=1.0, early=1.0))
    life.begin("1.1.0", canaries=frozenset(life.boards))

    life.run(3, until=lambda: life.state() != "running")

    assert (life.state(), life.rollout().stage) == ("halted", 0), life.story
    assert life.tally().rolled_back == 2 and life.tally().failed == 0, life.story


@STEPS
def test_a_release_that_bricks_silently_is_halted_all_the_same(live, steps):
    """Silence is counted anew from a step on: nobody can say how long it was before."""
    life = live(1)
    life.settle(a_fleet(100, life.random, fate=Fate.BRICKS, tell=0.0))
    stages = tuple(Stage(share, 300) for share in DEFAULT_SHARES)
    canaries = frozenset(f"board-{n}" for n in range(4))
    life.begin("1.1.0", plan=Plan(stages, HALF_AN_HOUR), canaries=canaries)
    steps_come(life, steps, 2_000.0)

    life.run(2, until=lambda: life.state() != "running")

    dead = {board.id for board in life.boards.values() if board.is_dead}
    assert (life.state(), life.rollout().stage) == ("halted", 0), life.story
    assert dead >= canaries and len(dead) <= len(canaries) + 2, life.story


@pytest.mark.parametrize("step", [ON, BACK])
def test_a_stage_lasts_as_long_as_it_says_whatever_the_clock_shows(live, step):
    life = live(1)
    life.settle(a_fleet(10, life.random))
    life.begin("1.1.0", plan=Plan((Stage(1_000, 1_800), Stage(10_000, 1_800))))
    life.after(600.0, "the clock steps", life.step_the_clock, step)

    life.run(3, until=lambda: life.state() != "running")

    first, second = (entry.at for entry in life.steered())
    assert 1_800 <= first < 1_900 and 1_800 <= second - first < 1_900, life.story
