"""A good release comes to everybody who can be reached, whatever the network does."""

import pytest

from ota_http_server.domain.rollout_plan import DEFAULT_SHARES, Plan, Policy, Stage
from tests.lives.boards import Board, Fate, a_fleet
from tests.lives.faults import BAD_NETWORK, Faults, Network, seeds
from tests.lives.fleet_life import Life

QUICK = Plan(tuple(Stage(share, 600) for share in DEFAULT_SHARES))


def is_done(life: Life, version: str = "1.1.0") -> bool:
    return life.state() == "finished" and all(
        board.version == version for board in life.boards.values() if board.chip == "esp32"
    )


def test_twelve_hundred_boards_run_it_at_the_end_and_each_was_asked_once(live):
    life = live(1, poll_seconds=1_800)
    life.settle(a_fleet(1_200, life.random, tell=0.1, is_seen=False))
    life.begin("1.1.0", plan=Plan(tuple(Stage(share, 900, 10) for share in DEFAULT_SHARES)))

    life.run(4, until=lambda: is_done(life))

    opened = [entry.device for entry in life.ledger.entries if entry.kind == "opened"]
    assert is_done(life), life.story
    assert sorted(opened) == sorted(life.boards)
    assert [entry.stage for entry in life.steered()] == [1, 2, 3, 4, 4]


@pytest.mark.parametrize("seed", seeds(1))
def test_words_about_a_first_try_that_come_hours_late_do_not_open_it_beside_the_second(live, seed):
    """Each board loses power when it has the image, counts as silent, and comes back."""
    network = Network(repeated=0.7, late=0.5, late_seconds_max=10_000.0)
    life = live(seed, faults=Faults(network=network))
    life.settle(a_fleet(20, life.random, fate=Fate.LOSES_POWER, tell=1.0))
    policy = Policy(silent_seconds=600, silent_share_max=10_000, concurrent_max=15)
    plan = Plan((Stage(10_000, 36_000),), policy)
    life.begin("1.1.0", plan=plan, canaries=frozenset(life.boards), reason="lamps", override=True)

    life.run(5, until=lambda: all(board.version == "1.1.0" for board in life.boards.values()))

    silent = [entry for entry in life.ledger.entries if entry.after == "silent"]
    assert all(board.version == "1.1.0" for board in life.boards.values()), life.story
    assert silent, life.story


@pytest.mark.parametrize("seed", seeds(2))
def test_lost_repeated_and_late_words_keep_it_from_nobody(live, seed):
    life = live(seed, processes=3, faults=Faults(network=BAD_NETWORK))
    strangers = [Board(id=f"other-{n}", chip=None, version="1.0.0") for n in range(3)]
    life.settle([*a_fleet(60, life.random), *strangers])
    life.begin("1.1.0", plan=QUICK)

    life.run(6, until=lambda: is_done(life))

    assert is_done(life), life.story
    assert not any(board.version == "1.1.0" for board in strangers)
