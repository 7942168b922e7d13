"""Small fleets in which everything goes wrong at once: the invariants hold all the same.

What a life looks like follows from its seed: its boards, its policy, its mishaps.
"""

from random import Random

import pytest

from ota_http_server.domain.rollout import Target
from ota_http_server.domain.rollout_plan import Plan, Policy, Stage
from ota_http_server.domain.selection import Selection
from tests.lives.boards import Board, Fate
from tests.lives.faults import Faults, Network, seeds
from tests.lives.fleet_life import Life
from tests.lives.mishaps import let_happen

HOURS = 1.0


def some_faults(shape: Random) -> Faults:
    return Faults(
        network=Network(
            lost=shape.choice((0.0, 0.1, 0.4)),
            repeated=shape.choice((0.0, 0.3)),
            late=shape.choice((0.0, 0.3)),
            late_seconds_max=shape.choice((60.0, 3_600.0)),
        ),
        clock_steps=shape.randint(0, 2),
        kills=shape.randint(0, 12),
        steps_at_restarts=shape.choice((0.0, 0.0, 0.3)),
        admins=shape.randint(0, 8),
        new_plans=shape.choice((0, 0, 1, 2)),
        stops=shape.randint(0, 2),
    )


def some_boards(shape: Random) -> list[Board]:
    bad = shape.choice((0.0, 0.1, 0.5))
    fate = shape.choice(tuple(Fate))
    return [
        Board(
            id=f"board-{n}",
            chip=shape.choice(("esp32",) * 6 + ("esp32s3", "esp32c3", None)),
            version=shape.choice(("1.0.0",) * 7 + ("0.9.0", "1.1.0", "1.2.0")),
            tells=shape.random() < 0.7,
            site=shape.choice((None, "site:north", "site:south")),
            asks_early=shape.random() < 0.2,
            is_new=shape.random() < 0.1,
            fates={"1.1.0": fate} if shape.random() < bad else {},
        )
        for n in range(shape.randint(1, 30))
    ]


def some_plan(shape: Random) -> Plan:
    shares = sorted(shape.sample(range(100, 10_000, 100), shape.randint(0, 3)))
    first = min(1_000, *shares, 1_000)  # more needs an override
    dwell = shape.choice((0, 60, 300))
    stages = (first, *(share for share in shares if share > first), 10_000)
    policy = Policy(
        silent_seconds=shape.choice((600, 1_800)),
        concurrent_max=shape.choice((None, 1, 3)),
        finished_min=shape.choice((1, 5, 10)),
        halting_devices_min=shape.choice((1, 2)),
        offers_max=shape.choice((None, 2, 5)),
        period_seconds=shape.choice((60, 600)),
        site_tag=shape.choice((None, "site:")),
        site_max=shape.randint(1, 2),
        retry_seconds=shape.choice((0, 120)),
    )
    return Plan(tuple(Stage(share, dwell) for share in stages), policy)


@pytest.mark.parametrize("seed", seeds(5))
def test_whatever_goes_wrong_no_rule_is_broken(live, seed):
    shape = Random(f"the shape of {seed}")
    chips = shape.choice((("esp32",), ("esp32", "esp32s3")))
    life = live(
        seed,
        chips=chips,
        processes=shape.randint(1, 3),
        faults=some_faults(shape),
        poll_seconds=120,
    )
    life.settle(some_boards(shape))
    fitting = [b.id for b in life.boards.values() if b.is_new or b.chip in {None, *chips}]
    named = [name for name in fitting if shape.random() < 0.1]
    life.begin(
        "1.1.0",
        plan=some_plan(shape) if shape.random() < 0.7 else Plan(),
        target=Target(Selection.parse("chip==esp32") if shape.random() < 0.5 else None),
        canaries=frozenset(named if shape.random() < 0.5 else ()),
    )
    if shape.random() < 0.5:
        moment = shape.uniform(0.0, 3_600 * HOURS)
        life.after(moment, "a newer one", begin_another, life, some_plan(shape))

    let_happen(life, HOURS).run(HOURS)

    assert life.watch.answers >= len(life.boards) / 2, life.story


def begin_another(life: Life, plan: Plan) -> None:
    """As somebody does who has mended what was wrong with the first."""
    life.publish("1.2.0")
    life.begin("1.2.0", plan=plan)
