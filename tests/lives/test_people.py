"""What people do to a rollout: two at the same time, a stop, and a word after it was halted."""

import pytest

from ota_http_server.domain.rollout_plan import Plan, Stage
from tests.lives.boards import Fate, a_fleet
from tests.lives.faults import Faults, seeds
from tests.lives.fleet_life import PERSON, Life
from tests.lives.mishaps import let_happen

AT_ONCE = Plan((Stage(10_000, 7_200),))
TENTHS = Plan(tuple(Stage(1_000 * n, 7_200) for n in range(1, 11)))


@pytest.mark.parametrize("seed", seeds(3))
def test_of_two_admins_who_saw_the_same_exactly_one_has_a_say(live, seed):
    """`Mishaps` asserts it each time; no stage is left by itself meanwhile."""
    life = live(seed, faults=Faults(admins=40))
    life.settle(a_fleet(10, life.random))
    life.begin("1.1.0", plan=TENTHS)

    let_happen(life, 1.0).run(1.0)

    stages = [entry.stage for entry in life.steered() if entry.stage != entry.stage_before]
    assert stages == list(range(1, len(stages) + 1)) and stages, life.story
    assert {entry.by for entry in life.steered()} == {"people"}, life.story


@pytest.mark.parametrize("seed", seeds(2))
def test_after_a_stop_nobody_is_offered_anything_until_it_is_lifted(live, seed):
    life = live(seed, processes=3, poll_seconds=60)
    life.settle(a_fleet(40, life.random))
    life.begin("1.1.0", plan=AT_ONCE, reason="it is urgent", override=True)
    life.run(0.003)
    life.somewhere(lambda process: process.stop_offers.stop(PERSON, None, "smoke"))
    life.watch.stopped_at = life.now
    before, opened = life.watch.answers, len(life.ledger.entries)

    life.run(0.2)

    later = [e for e in life.ledger.entries[opened:] if e.kind == "opened"]
    assert life.watch.answers > before + 300 and not later, life.story
    life.watch.stopped_at = None
    life.somewhere(lambda process: process.stop_offers.lift(PERSON, None, "nothing burns"))
    life.run(0.1)
    assert [e for e in life.ledger.entries[opened:] if e.kind == "opened"], life.story


@pytest.mark.parametrize("by_file", [True, False])
def test_a_stage_is_not_over_before_it_has_stood_for_as_long_without_a_stop(live, by_file):
    life = live(1, poll_seconds=60)
    life.settle(a_fleet(10, life.random))
    life.begin("1.1.0", plan=Plan((Stage(1_000, 1_200), Stage(10_000, 1_200))))
    life.run(0.2)

    stop(life, by_file=by_file)
    life.run(1)
    lift(life)
    life.run(1, until=lambda: life.state() != "running")

    first = life.steered()[0].at
    assert 1_200 <= first - 3_600 < 1_300, life.story


def stop(life: Life, *, by_file: bool) -> None:
    if by_file:
        (life.folder / "STOP").touch()
    else:
        life.somewhere(lambda one: one.stop_offers.stop(PERSON, None, "smoke"))
    life.watch.stopped_at, life.watch.stops_by_file = life.now, by_file


def lift(life: Life) -> None:
    life.watch.stopped_at = None
    life.somewhere(lambda one: one.stop_offers.lift(PERSON, None, "nothing burns"))


def test_what_was_halted_waits_for_a_person_whatever_succeeds_later(live):
    life = live(1, poll_seconds=60)
    life.settle(a_fleet(40, life.random, fate=Fate.FAILS, chance=0.5, tell=1.0))
    life.begin("1.1.0", canaries=frozenset(f"board-{n}" for n in range(20)))
    life.run(2, until=lambda: life.state() == "halted")
    halted = len(life.ledger.entries)

    life.run(1)

    later = [(entry.kind, entry.after) for entry in life.ledger.entries[halted:]]
    assert life.state() == "halted" and ("moved", "verified") in later, life.story
    assert "steered" not in {kind for kind, _ in later}, life.story


def test_what_was_halted_and_resumed_is_halted_again_by_what_fails_from_then_on(live):
    life = live(1)
    life.settle(a_fleet(60, life.random, fate=Fate.FAILS, chance=0.5, tell=1.0))
    life.begin("1.1.0", canaries=frozenset(f"board-{n}" for n in range(40)))
    life.run(2, until=lambda: life.state() == "halted")
    with life.by_persons():
        life.somewhere(lambda process: process.roll_out.resume(PERSON, 1, "only two lamps"))
    assert life.state() == "running"

    life.run(6, until=lambda: life.state() == "halted")

    assert life.state() == "halted", life.story
