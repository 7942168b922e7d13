"""A rollout has reached everybody, and most of a paced fleet still waits: what goes wrong for them
then blocks nobody for long, and halts it all the same."""

from itertools import pairwise

import pytest

from ota_http_server.domain.rollout_plan import Plan, Policy, Stage
from tests.lives.boards import Board, Fate, a_fleet
from tests.lives.faults import Faults, Network, seeds
from tests.lives.fleet_life import PERSON, Life

SILENT_SECONDS = 900
NOTICED_SECONDS = 300
"""Until its last late words have come, its silence is noticed, and another board has asked."""
POLL_SECONDS = 90


def a_finished_rollout(live, seed: int, size: int, **policy: object) -> Life:
    """After its first three successes; the rest of the fleet waits for its turn."""
    faults = Faults(network=Network(repeated=0.2, late=0.2, late_seconds_max=120.0))
    life = live(seed, faults=faults, poll_seconds=POLL_SECONDS)
    life.settle(a_fleet(size, life.random))
    policy = Policy(silent_seconds=SILENT_SECONDS, **policy)
    plan = Plan((Stage(10_000, 0, 3),), policy)
    life.begin("1.1.0", plan=plan, reason="they are lamps", override=True)
    life.run(2, until=lambda: life.state() == "finished")
    assert life.state() == "finished" and len(waiting(life)) > size / 2, life.story
    return life


def waiting(life: Life) -> list[Board]:
    return [board for board in life.boards.values() if board.version == "1.0.0"]


def let_the_rest(life: Life, fate: Fate) -> None:
    for board in waiting(life):
        if not board.is_busy:
            board.fates = {"1.1.0": fate}


def gone(life: Life) -> set[str]:
    return {board.id for board in life.boards.values() if board.is_dead}


@pytest.mark.parametrize("concurrent_max", [1, 2])
@pytest.mark.parametrize("seed", seeds(1))
def test_one_that_bricks_keeps_nobody_waiting_for_longer_than_its_silence(
    live, seed, concurrent_max
):
    life = a_finished_rollout(live, seed, 14, concurrent_max=concurrent_max)
    bad = life.random.choice([board for board in waiting(life) if not board.is_busy])
    bad.fates = {"1.1.0": Fate.BRICKS}

    life.run(3, until=lambda: waiting(life) == [bad] and bad.is_dead)

    assert waiting(life) == [bad] and life.state() == "finished", life.story
    opened = [entry.at for entry in life.ledger.entries if entry.kind == "opened"]
    longest = max(after - before for before, after in pairwise(opened))
    assert longest < SILENT_SECONDS + NOTICED_SECONDS, f"{longest} seconds: {life.story}"


@pytest.mark.parametrize("concurrent_max", [1, 2])
@pytest.mark.parametrize("seed", seeds(1))
def test_two_that_brick_halt_it(live, seed, concurrent_max):
    """Two of ten who were asked are the fifth that its silence may not be."""
    life = a_finished_rollout(live, seed, 14, concurrent_max=concurrent_max)
    ended = life.now
    let_the_rest(life, Fate.BRICKS)

    life.run(3, until=lambda: life.state() == "halted").run(0.3)

    assert life.state() == "halted", life.story
    # In the place of the first that is silent another one has begun.
    assert 2 <= len(gone(life)) <= concurrent_max + 1, life.story
    halted = life.steered()[-1].at
    assert halted - ended < 2 * (SILENT_SECONDS + NOTICED_SECONDS), life.story


@pytest.mark.parametrize("fate", [Fate.FAILS, Fate.ROLLS_BACK])
@pytest.mark.parametrize("seed", seeds(1))
def test_two_that_fail_halt_it(live, seed, fate):
    policy = {"concurrent_max": 2, "finished_min": 4, "retry_seconds": 36_000}
    life = a_finished_rollout(live, seed, 20, **policy)
    let_the_rest(life, fate)
    for board in waiting(life):
        board.tells = True

    life.run(3, until=lambda: life.state() == "halted")

    assert life.state() == "halted", life.story
    assert life.tally().failed + life.tally().rolled_back == 2, life.story


@pytest.mark.parametrize("seed", seeds(1))
def test_what_was_halted_after_its_end_comes_to_the_rest_when_a_person_says_so(live, seed):
    life = a_finished_rollout(live, seed, 14, concurrent_max=1)
    let_the_rest(life, Fate.BRICKS)
    life.run(3, until=lambda: life.state() == "halted")
    for board in waiting(life):
        board.fates = {}
    with life.by_persons():
        life.somewhere(lambda one: one.roll_out.resume(PERSON, 1, "two old lamps"))

    life.run(3, until=lambda: {board.id for board in waiting(life)} == gone(life))

    assert {board.id for board in waiting(life)} == gone(life), life.story
    assert life.state() == "finished" and len(gone(life)) == 2, life.story
