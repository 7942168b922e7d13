"""A bad release hurts the canaries and nobody else, and its rollout stops by itself."""

from collections.abc import Iterator

import pytest

from ota_http_server.domain.rollout_plan import DEFAULT_SHARES, Plan, Policy, Stage
from tests.lives.boards import Board, Fate, a_fleet
from tests.lives.faults import BAD_NETWORK, NONE, Faults, Network, seeds
from tests.lives.fleet_life import Life

POLL_SECONDS = 900
QUICK = Plan(tuple(Stage(share, 900, 10) for share in DEFAULT_SHARES))
"""The default policy, and stages that last as long as a board waits between two questions."""


def ends(life: Life) -> Iterator[tuple[float, int, int]]:
    """After each end that a board told or showed: when, how many failed, how many ended."""
    good: set[str] = set()
    bad: set[str] = set()
    for at, board, word in life.words:
        if word not in ("failed", "1.1.0"):
            continue
        (bad if word == "failed" else good).add(board)
        bad -= good
        yield at, len(bad), len(bad | good)


def must_halt(failed: int, ended: int) -> bool:
    """The default policy once more: two of ten or more, and two percent."""
    return failed >= 2 and ended >= 10 and 100 * failed >= 2 * ended


@pytest.mark.parametrize("seed", seeds(2))
def test_three_percent_of_failures_halt_at_the_first_report_that_is_too_much(live, seed):
    life = live(seed, poll_seconds=POLL_SECONDS)
    life.settle(a_fleet(3_000, life.random, fate=Fate.FAILS, chance=0.03, tell=1.0))
    life.begin("1.1.0", plan=QUICK)

    life.run(24, until=lambda: life.state() != "running")

    told = list(ends(life))
    first = next(failed for _, failed, ended in told if must_halt(failed, ended))
    assert life.state() == "halted", life.story
    assert first <= told[-1][1] <= first + 1, life.story
    assert life.rollout().stage < 3, life.story


@pytest.mark.parametrize("faults", [NONE, Faults(network=BAD_NETWORK)], ids=["good", "bad network"])
@pytest.mark.parametrize("seed", seeds(1))
def test_a_release_that_bricks_silently_hurts_the_canaries_alone(live, seed, faults):
    """They report nothing and never come back: nothing but their silence speaks."""
    life = live(seed, faults=faults, poll_seconds=POLL_SECONDS)
    life.settle(a_fleet(400, life.random, fate=Fate.BRICKS, tell=0.0))
    begun = life.begin("1.1.0")

    life.run(4, until=lambda: life.state() == "halted").run(0.5)

    dead = [board.id for board in life.boards.values() if board.is_dead]
    assert life.rollout().stage == 0, life.story
    assert 0 < len(dead) <= begun.sizes[0], life.story
    assert life.state() == ("halted" if len(dead) >= 2 else "running"), life.story


@pytest.mark.parametrize("seed", seeds(1))
def test_named_canaries_that_are_bricked_halt_it_though_one_of_them_said_that_all_is_well(
    live, seed
):
    life = live(seed, poll_seconds=POLL_SECONDS)
    life.settle(a_fleet(300, life.random, fate=Fate.BRICKS, tell=0.5))
    life.begin("1.1.0", canaries=frozenset({"board-1", "board-2", "board-3"}))

    life.run(8, until=lambda: life.state() != "running")

    dead = {board.id for board in life.boards.values() if board.is_dead}
    assert (life.state(), life.rollout().stage) == ("halted", 0), life.story
    assert dead <= {"board-1", "board-2", "board-3"}, life.story


@pytest.mark.parametrize("fate", [Fate.FAILS, Fate.ROLLS_BACK, Fate.BRICKS])
def test_one_of_two_boards_does_not_halt_it(live, fate):
    life = live(1, faults=Faults(network=BAD_NETWORK))
    good, bad = a_fleet(2, life.random)
    bad.fates = {"1.1.0": fate}
    life.settle([good, bad])
    plan = Plan(policy=Policy(silent_seconds=1_200))
    life.begin("1.1.0", plan=plan, canaries=frozenset({good.id, bad.id}))

    life.run(1.2)

    assert life.state() in ("running", "finished"), life.story
    assert good.version == "1.1.0", life.story


def test_what_failed_first_counts_as_soon_as_enough_have_finished(live):
    """Two of the first nine failed: with the tenth, whichever way it ends, that is too much."""
    life = live(1)
    life.settle([*quick_failures(2), *a_fleet(10, life.random)])
    life.begin("1.1.0", canaries=frozenset(life.boards))

    life.run(1, until=lambda: life.state() != "running")

    finished = [ended for _, _, ended in ends(life)]
    assert life.state() == "halted", life.story
    assert finished[-1] <= 12 and life.now < 900, life.story


def quick_failures(many: int) -> list[Board]:
    """They ask at once and fail."""
    return [
        Board(id=f"quick-{n}", chip="esp32", version="1.0.0", fates={"1.1.0": Fate.FAILS})
        for n in range(many)
    ]


def test_the_board_that_halts_it_by_what_it_runs_is_not_offered_it_again_in_the_same_answer(live):
    life = live(1)
    life.settle(a_fleet(5, life.random, fate=Fate.ROLLS_BACK, tell=1.0))
    policy = Policy(halting_devices_min=1, retry_seconds=0)
    life.begin("1.1.0", plan=Plan(policy=policy), canaries=frozenset({"board-1"}))

    life.run(1)

    assert life.state() == "halted", life.story
    assert [e.device for e in life.ledger.entries if e.kind == "opened"] == ["board-1"], life.story


@pytest.mark.parametrize("seed", seeds(1))
def test_a_board_that_fails_again_and_again_counts_once(live, seed):
    life = live(seed, faults=Faults(network=Network(repeated=0.5, late=0.5)))
    boards = a_fleet(30, life.random, tell=1.0)
    boards[0].fates = {"1.1.0": Fate.FAILS}
    life.settle(boards)
    life.begin("1.1.0", plan=Plan((Stage(1_000, 0), Stage(10_000, 0)), Policy(retry_seconds=0)))

    life.run(1.5)

    tries = [e for e in life.ledger.entries if e.kind == "opened" and e.device == boards[0].id]
    assert life.state() == "finished", life.story
    assert 1 < len(tries) <= 3 and life.tally().failed == 1, life.story
