"""Mishaps: at random moments the clock is set, a process dies, people act at the same time."""

from collections.abc import Callable

from ota_http_server.domain.edition import Expected
from ota_http_server.domain.errors import Conflict, Outdated
from ota_http_server.domain.rollout import Rollout
from ota_http_server.domain.rollout_plan import Plan
from tests.lives.faults import some_step
from tests.lives.fleet_life import PERSON, Life
from tests.lives.processes import Process

MOMENTS_MAX = 60  # statements until an armed death comes; an offer takes about twenty
STOPPED_SECONDS_MAX = 1_800
CROWD_SECONDS = 5.0
WHY = "the first plan was wrong"
Deed = Callable[[Process, Rollout], object]


def let_happen(life: Life, hours: float) -> Life:
    """All that the life's faults say, spread over so many hours."""
    faults, mishaps = life.faults, Mishaps(life)
    for name, often, mishap in (
        ("the clock steps", faults.clock_steps, mishaps.step_the_clock),
        ("death comes", faults.kills, mishaps.kill),
        ("two admins", faults.admins, mishaps.let_two_act),
        ("another plan", faults.new_plans, mishaps.begin_again),
        ("a stop", faults.stops, mishaps.stop),
    ):
        for _ in range(often):
            life.after(life.random.uniform(0.0, 3_600 * hours), name, mishap)
    return life


class Mishaps:
    """What may happen to one life."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._random = life.random

    def step_the_clock(self) -> None:
        self._life.step_the_clock(some_step(self._random))

    def kill(self) -> None:
        doomed = self._random.choice(self._life.server.processes)
        doomed.death.comes_after(self._random.randint(1, MOMENTS_MAX))

    def let_two_act(self) -> None:
        """Both have seen the same; exactly one of them has a say."""
        rollout = self._life.rollout(self._random.choice(self._life.watch.rollouts))
        possible = {
            "running": [_advance, _pause],
            "paused": [_resume],
            "halted": [_resume],
        }.get(rollout.state.value, [])
        if not possible:
            return
        with self._life.by_persons():
            done = [self._does(self._random.choice(possible), rollout) for _ in range(2)]
        assert None in done or sorted(done) == [False, True], f"both, or neither, did it: {done}"

    def _does(self, deed: Deed, seen: Rollout) -> bool | None:
        """Whether it was done; None: nobody knows, the process died."""

        def done(process: Process) -> bool:
            try:
                deed(process, seen)
            except (Conflict, Outdated):
                return False
            return True

        return self._life.somewhere(done)

    def begin_again(self) -> None:
        """Of the same release, for the same devices, whatever came of the last one."""
        life = self._life
        rollout = life.rollout(life.watch.rollouts[-1])
        calls_off = self._random.random() < 0.3
        with life.by_persons():
            life.somewhere(
                lambda one: one.roll_out.abort(PERSON, rollout.id, "again", calls_off=calls_off)
            )
        if life.state(rollout.id) == "aborted":  # else its process died before
            stages = rollout.stages if rollout.stages[0].share else ()  # no canaries are named now
            plan = Plan(stages, rollout.policy)
            life.begin(rollout.version, plan=plan, target=rollout.target, reason=WHY, override=True)

    def stop(self) -> None:
        life = self._life
        if life.watch.stopped_at is not None:
            return
        if by_file := self._random.random() < 0.3:
            (life.folder / "STOP").touch()
            done: object = True
        else:
            done = life.somewhere(lambda one: one.stop_offers.stop(PERSON, None, "smoke"))
        if done is None:
            life.after(1.0, "stop again", self.stop)  # until somebody confirms it
            return
        life.watch.stopped_at, life.watch.stops_by_file = life.now, by_file
        for board in life.boards.values():  # all of them ask in the moment that is delicate
            if not board.is_busy:
                life.asks_in(board, self._random.uniform(0.0, CROWD_SECONDS))
        if self._random.random() < 0.8:
            life.after(self._random.uniform(10.0, STOPPED_SECONDS_MAX), "lifted", self._lift)

    def _lift(self) -> None:
        self._life.watch.stopped_at = None
        if self._life.somewhere(lambda one: one.stop_offers.lift(PERSON, None, "out")) is None:
            self._life.after(10.0, "lifted again", self._lift)


def _advance(process: Process, seen: Rollout) -> None:
    process.roll_out.advance(PERSON, seen.id, seen.stage + 1, "go", override=True)


def _pause(process: Process, seen: Rollout) -> None:
    process.roll_out.pause(PERSON, seen.id, "wait", Expected(frozenset({seen.edition})))


def _resume(process: Process, seen: Rollout) -> None:
    process.roll_out.resume(PERSON, seen.id, "go on", Expected(frozenset({seen.edition})))
