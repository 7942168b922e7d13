"""Processes die between any two writes; whoever comes after them goes on where they stopped."""

from collections.abc import Callable, Sequence

import pytest

from ota_http_server.domain.rollout_plan import Plan, Policy, Stage
from ota_http_server.operations.report import Told, Word
from tests.lives.boards import Board, Fate, a_fleet
from tests.lives.faults import Faults, seeds
from tests.lives.fleet_life import PERSON, Life
from tests.lives.processes import Process
from tests.lives.stock import visit

PLAN = Plan((Stage(1_000, 300), Stage(5_000, 300), Stage(10_000, 300)))
AT_ONCE = Plan((Stage(10_000, 0),), Policy(finished_min=1, halting_devices_min=1))
MOMENTS_MAX = 80
"""Of one operation; an offer takes about fifty."""


def die_in_each_moment(
    life: Life, work: Callable[[Process, Board], object], boards: Sequence[Board]
) -> int:
    """A process does it for each board, and dies a moment later each time; the board then asks
    another one. In how many moments one can die."""
    for moments, board in enumerate(boards, 1):
        life.server.processes[0].death.comes_after(moments)
        done = life.somewhere(lambda process, board=board: work(process, board), 0)
        if done is not None:
            return moments - 1
        life.now += 5.0
        life.somewhere(lambda process, board=board: work(process, board), 1)
    raise AssertionError("it has more moments than that")


def asks(process: Process, board: Board) -> object:
    return process.check_in(visit(board), board.sighting())


def tells(told: Told) -> Callable[[Process, Board], object]:
    return lambda process, board: process.report(visit(board), Word(told))


def test_who_dies_while_a_device_asks_or_reports_leaves_nothing_half_done(live):
    life = live(1)
    boards = a_fleet(MOMENTS_MAX, life.random)
    life.settle(boards)
    life.begin("1.1.0", plan=AT_ONCE, reason="they are lamps", override=True)

    for step, work in enumerate((asks, tells(Told.INSTALLED), asks)):
        assert die_in_each_moment(life, work, boards) > 5
        for board in boards:
            life.somewhere(lambda process, board=board: work(process, board), 1)
        life.check(f"step {step}")
        for board in boards:
            board.version = "1.1.0" if step == 1 else board.version

    by_board = [(entry.kind, entry.after) for entry in life.ledger.entries if entry.device]
    for step in (("opened", "offered"), ("moved", "installed"), ("moved", "verified")):
        assert by_board.count(step) == len(boards), life.story
    places = {"INSERT INTO attempts", "UPDATE attempts SET", "before the commit"}
    assert places | {"after the commit"} <= set(life.server.died), life.server.died


def test_who_dies_while_a_failure_halts_a_rollout_leaves_both_or_neither(live):
    life = live(1)
    boards = a_fleet(MOMENTS_MAX, life.random, fate=Fate.FAILS)
    life.settle(boards)
    life.begin("1.1.0", plan=AT_ONCE, reason="they are lamps", override=True)
    for board in boards:
        life.somewhere(lambda process, board=board: asks(process, board), 1)

    def fails(process: Process, board: Board) -> object:
        done = tells(Told.FAILED)(process, board)
        with life.by_persons():
            process.roll_out.resume(PERSON, 1, "one more")
        return done

    assert die_in_each_moment(life, fails, boards) > 20

    moves = [(entry.kind, entry.after) for entry in life.ledger.entries]
    failed = [n for n, move in enumerate(moves) if move == ("moved", "failed")]
    assert failed and all(moves[n + 1] == ("steered", "halted") for n in failed), life.story


def test_who_dies_while_a_stage_is_left_leaves_it_once(live):
    life = live(1)
    life.settle(boards := a_fleet(3, life.random))
    stages = tuple(Stage(500 * n, 0) for n in range(1, 21))
    life.begin("1.1.0", plan=Plan(stages), canaries=frozenset({boards[0].id}))
    asks(life.server.processes[1], boards[0])
    life.check("offered")
    boards[0].version = "1.1.0"
    asks(life.server.processes[1], boards[0])

    for moments in range(1, 500):
        life.now += 40.0  # the lease of the dead one ends
        life.server.processes[0].death.comes_after(1 + moments % 40)
        life.somewhere(lambda process: process.steer(), 0)
        life.check("steered")
        if life.state() == "finished":
            break

    stages_left = [entry.stage_before for entry in life.steered()]
    assert stages_left == list(range(20)), life.story
    places = {"UPDATE rollouts SET", "INSERT INTO events", "before the commit"}
    assert places | {"after the commit"} <= set(life.server.died), life.server.died


@pytest.mark.parametrize("moments", [80, 300])
@pytest.mark.parametrize("seed", seeds(1))
def test_a_good_release_comes_to_all_though_no_process_lives_long(live, seed, moments):
    life = live(seed, faults=Faults(dies_within=moments), poll_seconds=120)
    life.settle(a_fleet(25, life.random))
    life.begin("1.1.0", plan=PLAN)

    life.run(6, until=lambda: life.state() == "finished")
    life.run(1, until=lambda: all(board.version == "1.1.0" for board in life.boards.values()))

    opened = [entry.device for entry in life.ledger.entries if entry.kind == "opened"]
    assert life.state() == "finished", life.story
    assert all(board.version == "1.1.0" for board in life.boards.values()), life.story
    assert sorted(opened) == sorted(life.boards), life.story


@pytest.mark.parametrize("seed", seeds(1))
def test_a_bad_release_is_halted_though_no_process_lives_long(live, seed):
    life = live(seed, faults=Faults(dies_within=100), poll_seconds=120)
    life.settle(a_fleet(60, life.random, fate=Fate.FAILS, tell=1.0))
    life.begin("1.1.0", plan=PLAN, canaries=frozenset(f"board-{n}" for n in range(12)))

    life.run(6, until=lambda: life.state() == "halted")

    assert life.state() == "halted", life.story
    assert life.rollout().stage == 0, life.story
