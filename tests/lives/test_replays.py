"""A life follows from its seed alone: whoever has the seed sees what happened."""

from tests.lives.boards import Fate, a_fleet
from tests.lives.faults import Faults, Network
from tests.lives.mishaps import let_happen

EVERYTHING = Faults(
    network=Network(lost=0.1, repeated=0.3, late=0.3),
    clock_steps=1,
    kills=5,
    admins=5,
    stops=1,
)


def lived(live, seed):
    life = live(seed, processes=3, faults=EVERYTHING, poll_seconds=120)
    life.settle(a_fleet(15, life.random, fate=Fate.ROLLS_BACK, chance=0.2))
    life.begin("1.1.0")
    return let_happen(life, 0.4).run(0.4)


def test_the_same_seed_gives_the_same_life_and_another_one_another(live):
    first, again, other = lived(live, 7), lived(live, 7), lived(live, 8)

    assert first.ledger.entries == again.ledger.entries
    assert (first.words, first.server.died) == (again.words, again.server.died)
    assert first.ledger.entries != other.ledger.entries


def test_whoever_breaks_a_rule_is_told_the_seed_and_what_happened_last(live):
    life = live(11)
    life.settle(a_fleet(3, life.random))
    life.begin("1.1.0")
    life.watch.stopped_at = -10.0  # nobody told the server

    try:
        life.run(1.0)
    except AssertionError as broken:
        assert "OTA_LIVES_SEED=11" in str(broken) and "begun 1" in str(broken)
    else:
        raise AssertionError("offers after a stop were not noticed")
