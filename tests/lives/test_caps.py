"""Caps are exact, however many boards ask in the same second and whichever process they reach."""

import pytest

from ota_http_server.domain.rollout_plan import Plan, Policy, Stage
from tests.lives.boards import Fate, a_fleet
from tests.lives.faults import seeds
from tests.lives.fleet_life import Life

CROWD_SECONDS = 0.9
"""Within it no process looks again how much room there is."""


def crowd(life: Life) -> None:
    """All of them ask at once, and again a minute later: the power comes back, say."""
    for board in life.boards.values():
        if not board.is_busy:
            life.asks_in(board, life.random.uniform(0.0, CROWD_SECONDS))
    life.after(60.0, "a crowd", crowd, life)


@pytest.mark.parametrize(
    "policy",
    [
        Policy(concurrent_max=1),
        Policy(concurrent_max=3),
        Policy(offers_max=2, period_seconds=150),
        Policy(site_tag="site:", site_max=1),
        Policy(concurrent_max=4, offers_max=5, period_seconds=100, site_tag="site:", site_max=2),
    ],
    ids=["one", "three", "a period", "a site", "all of them"],
)
@pytest.mark.parametrize("seed", seeds(1))
def test_no_cap_is_exceeded_and_none_keeps_a_board_from_its_update(live, seed, policy):
    """`Caps` asserts the first at each offer."""
    life = live(seed, processes=3, poll_seconds=3_600)
    boards = a_fleet(16, life.random)
    for board in boards:
        board.site = life.random.choice((None, "site:north", "site:south"))
    life.settle(boards)
    life.begin("1.1.0", plan=Plan((Stage(10_000, 0),), policy), reason="lamps", override=True)
    crowd(life)

    life.run(2, until=lambda: all(board.version == "1.1.0" for board in boards))

    assert all(board.version == "1.1.0" for board in boards), life.story


@pytest.mark.parametrize("seed", seeds(2))
def test_the_place_of_a_board_that_died_is_free_once_it_counts_as_silent(live, seed):
    life = live(seed, processes=3)
    dying, *others = a_fleet(8, life.random)
    dying.fates = {"1.1.0": Fate.BRICKS}
    life.settle([dying, *others])
    plan = Plan((Stage(10_000, 36_000),), Policy(concurrent_max=1, silent_seconds=600))
    life.begin("1.1.0", plan=plan, reason="they are lamps", override=True)

    life.run(3, until=lambda: all(board.version == "1.1.0" for board in others))

    assert all(board.version == "1.1.0" for board in others), life.story
