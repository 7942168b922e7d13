"""Steering rollouts: silence is noticed, a stage that held is left, what goes wrong is halted.

One process of all instances does it, by a lease. It acts on rows alone, and each step is one
transaction: killed between any two of them, the next holder goes on where it stopped.
"""

from dataclasses import replace

from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import Rollout, State
from ota_http_server.domain.rollout_health import Tally, has_held, what_lacks, why_halt
from ota_http_server.logs import logger
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.judge_rollout import judge
from ota_http_server.operations.lease import Held, Leasing
from ota_http_server.operations.look_at_fleet import first_device, fleet_for
from ota_http_server.operations.mark_silent import MarkSilent
from ota_http_server.operations.roll_out import further
from ota_http_server.operations.write_rollout import note_rollout, written
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading, Writing

LOG = logger("rollout")

EVERY_SECONDS = 2.0
SECONDS_UNWRITTEN_MAX = 30.0  # of a stage's time; as much is lost if this process is killed
FLEET_SECONDS = 60.0  # how often it is looked for a first device
CANARIES_SECONDS = 600.0  # and whether named canaries can still be that
HELD = "all that the stage needs was there"


class SteerRollouts:
    """The chore; one for each process."""

    def __init__(
        self, database: Database, leasing: Leasing, mark_silent: MarkSilent, brake: Brake
    ) -> None:
        self._database = database
        self._brake = brake
        self._leasing = leasing
        self._mark_silent = mark_silent
        self._unwritten: dict[tuple[int, int], float] = {}
        """Seconds that rollouts ran, by rollout and stage."""
        self._looked: dict[int, int] = {}
        self._late: dict[int, Rollout] = {}
        """Finished ones by which somebody updated at the last look."""

    def __call__(self) -> None:
        held = self._leasing.hold()
        if held is None:
            self._unwritten.clear()
            return
        self._mark_silent(held)
        with self._database.reading() as rows:
            unfinished = rows.rollouts.unfinished()
            late = {one.id: one for one in rows.rollouts.with_open_attempts() if one.is_finished}
            running = [(one.id, one.stage) for one in unfinished if self._makes_offers(rows, one)]
        self._unwritten = {
            one: self._unwritten.get(one, 0.0) + held.elapsed_seconds for one in running
        }
        for rollout in unfinished:
            self._steer(rollout, held)
        # The last attempt of one may have ended since: that end counts, too.
        for rollout in {**self._late, **late}.values():
            self._judge(rollout)
        self._late = late

    def _steer(self, rollout: Rollout, held: Held) -> None:
        here = rollout.id, rollout.stage
        seconds = int(self._unwritten.get(here, 0.0))
        seen = replace(rollout, stage_seconds=rollout.stage_seconds + seconds)
        tally = self._judge(rollout)
        if tally is None:
            pass  # it is halted
        elif here in self._unwritten and what_lacks(seen, tally) is None:
            self._database.change(lambda tx: self._advanced(tx, rollout, seconds))
        elif seconds >= SECONDS_UNWRITTEN_MAX:
            self._database.change(lambda tx: tx.rollouts.add_stage_seconds(rollout, seconds))
        else:
            if tally.devices == 0:
                self._look_for_a_first(rollout, held)
            return
        self._unwritten[here] = self._unwritten.get(here, seconds) - seconds

    def _makes_offers(self, rows: Reading, rollout: Rollout) -> bool:
        """Whether it can come to anybody now: time in which it cannot is no test of its release."""
        if rollout.state is not State.RUNNING:
            return False
        if self._brake.exactly(rows, rollout.project) is not None:
            return False
        release = rows.releases.by_number(rollout.release)
        return release is not None and release.state is ReleaseState.PUBLISHED

    def _advanced(self, tx: Writing, rollout: Rollout, seconds: int) -> None:
        """One stage further, if that is still right now that nobody else moves it."""
        now = judge(tx, rollout.id)
        if now is None or now.stage != rollout.stage or not self._makes_offers(tx, now):
            return
        now = replace(now, stage_seconds=now.stage_seconds + seconds)
        tally = tx.rollouts.tally(now.id)
        if what_lacks(now, tally) is not None:
            return
        after = further(tx, now, HELD, held=has_held(now, tally))
        note_rollout(tx, None, "advance_rollout", after, stage=after.stage + 1, reason=HELD)
        LOG.info("rollout %s of %s: %s", after.id, after.version, _where(after))

    def _judge(self, rollout: Rollout) -> Tally | None:
        """What its devices came to; None: that halted it. What had failed was too little to judge
        by, perhaps, and since then others have finished."""
        with self._database.reading() as rows:
            tally = rows.rollouts.tally(rollout.id)
        if not rollout.may_become(State.HALTED) or why_halt(rollout, tally) is None:
            return tally
        self._database.change(lambda tx: judge(tx, rollout.id))
        return None

    def _look_for_a_first(self, rollout: Rollout, held: Held) -> None:
        """The fleet may have been empty when it began, or its first device was removed."""
        if rollout.stage > 0:
            return
        every = CANARIES_SECONDS if rollout.canaries else FLEET_SECONDS
        if abs(held.at - self._looked.get(rollout.id, 0)) < every:
            return
        self._looked = {**self._looked, rollout.id: held.at}
        first = first_device(rollout, fleet_for(self._database, rollout))
        if first not in (None, rollout.first_device):
            self._database.change(lambda tx: _begins_with(tx, rollout.id, first))


def _where(rollout: Rollout) -> str:
    if rollout.state is State.FINISHED:
        return "finished"
    return f"stage {rollout.stage + 1} of {len(rollout.stages)}"


def _begins_with(tx: Writing, number: int, first: str | None) -> None:
    tx.rollouts.take_turn()
    rollout = tx.rollouts.get(number)
    if rollout is None or rollout.stage > 0 or tx.rollouts.tally(number).devices > 0:
        return  # somebody was faster
    written(tx, replace(rollout, first_device=first))
