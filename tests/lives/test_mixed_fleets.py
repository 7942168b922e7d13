"""Fleets of many kinds: a good release comes to all boards that it fits, with the default plan and
without anybody's help; a rollout that was aborted and begun again does, too."""

from random import Random

import pytest

from tests.lives.boards import Board
from tests.lives.faults import BAD_NETWORK, Faults, seeds
from tests.lives.fleet_life import PERSON, Life

FITTING = ("esp32", "esp32s3")
OTHERS = ("esp32c3", "esp32c6", "esp8266")
HOURS = 9
"""Five stages last an hour each."""


def a_mixed_fleet(random: Random) -> list[Board]:
    """Some of its boards run the release already, or a newer one; some are of other chips."""
    fit, done = random.choice((0.05, 0.3, 0.9)), random.choice((0.0, 0.3, 0.8))
    fleet = [a_board(f"board-{n}", random, fit, done) for n in range(random.randint(1, 40))]
    return [*fleet, Board(id="board-that-waits", chip="esp32", version="1.0.0")]


def a_board(name: str, random: Random, fit: float, done: float) -> Board:
    """It fits, and runs the release or a newer one already, with these chances."""
    fits, is_done = random.random() < fit, random.random() < done
    return Board(
        id=name,
        chip=random.choice(FITTING if fits else OTHERS),
        version=random.choice(("1.1.0", "1.2.0") if is_done else ("1.0.0", "0.9.0")),
        tells=random.random() < 0.7,
        asks_early=random.random() < 0.2,
        is_new=fits and not is_done and random.random() < 0.2,
    )


def lacking(life: Life) -> list[str]:
    """Who does not run the release, although it fits."""
    return [
        board.id
        for board in life.boards.values()
        if board.chip in FITTING and board.version in ("0.9.0", "1.0.0")
    ]


def is_done(life: Life) -> bool:
    return life.state(life.watch.rollouts[-1]) == "finished" and not lacking(life)


def a_life(live, seed: int, faults: Faults) -> Life:
    return live(
        seed, chips=FITTING, processes=1, faults=faults, poll_seconds=900, tick_seconds=25.0
    )


@pytest.mark.parametrize("seed", seeds(2))
def test_it_comes_to_all_that_it_fits_by_itself(live, seed):
    """`Invariants` asserts that it is never offered to others, and that stages can be left."""
    shape = Random(f"the shape of {seed}")
    faults = Faults(network=BAD_NETWORK) if shape.random() < 0.5 else Faults()
    life = a_life(live, seed, faults)
    life.settle(a_mixed_fleet(shape))
    life.begin("1.1.0")

    life.run(HOURS, until=lambda: is_done(life))

    assert is_done(life), f"{lacking(life)}: {life.story}"
    assert {entry.after for entry in life.steered()} == {"running", "finished"}, life.story


@pytest.mark.parametrize("seed", seeds(2))
def test_one_that_was_aborted_and_is_begun_again_comes_to_the_rest(live, seed):
    shape = Random(f"the shape of {seed}")
    life = a_life(live, seed, Faults(network=BAD_NETWORK))
    life.settle(a_mixed_fleet(shape))
    for _ in range(shape.randint(1, 2)):
        life.begin("1.1.0")
        life.run(shape.uniform(0.01, 4.5))
        abort(life)
        life.run(shape.choice((0.0, 1.0)))
    rest = lacking(life)
    life.begin("1.1.0")

    life.run(HOURS if rest else 1.0, until=lambda: is_done(life))

    assert not lacking(life), f"{lacking(life)}: {life.story}"
    # Where nobody was left it waits for boards that come later.
    assert is_done(life) or not rest, life.story


def abort(life: Life) -> None:
    number = life.watch.rollouts[-1]
    with life.by_persons():
        life.somewhere(lambda one: one.roll_out.abort(PERSON, number, "another plan"))
