"""Rolling a release out: what people do with a rollout on its way.

After these operations return, this process knows; the others within two seconds.
"""

from collections.abc import Callable
from dataclasses import replace

from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import Conflict
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.rollout import UNCANARIED_SHARE_MAX, Rollout, State
from ota_http_server.domain.rollout_health import goes_far, has_held, what_lacks
from ota_http_server.operations.look_after_device import called_off
from ota_http_server.operations.news import News
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.write_rollout import (
    moved,
    note_move,
    reason_of,
    rollout_for,
    written,
)
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


class RollOut:
    """The operations; one for each process."""

    def __init__(
        self,
        database: Database,
        news: News,
        registry: Registry,
    ) -> None:
        self._database = database
        self._news = news
        self._registry = registry

    def pause(
        self, operator: Operator, number: int, reason: str, expected: Expected = ANY_EDITION
    ) -> Rollout:
        return self._move(operator, number, State.PAUSED, "pause_rollout", reason, expected)

    def resume(
        self, operator: Operator, number: int, reason: str, expected: Expected = ANY_EDITION
    ) -> Rollout:
        """Running again, or finished again. What halted it counts no more; what fails from now on
        does."""
        return self._move(operator, number, State.RUNNING, "resume_rollout", reason, expected)

    def abort(
        self,
        operator: Operator,
        number: int,
        reason: str,
        expected: Expected = ANY_EDITION,
        *,
        calls_off: bool = False,
    ) -> Rollout:
        """Ended for good: the release reaches nobody by it any more.

        Updates that have begun finish, unless `calls_off` says otherwise.
        """
        aborted = self._move(
            operator,
            number,
            State.ABORTED,
            "abort_rollout",
            reason,
            expected,
            calls_off="yes" if calls_off else None,
        )
        if calls_off:
            self._call_off(number)
        return aborted

    def advance(
        self,
        operator: Operator,
        number: int,
        stage: int,
        reason: str,
        expected: Expected = ANY_EDITION,
        *,
        override: bool = False,
    ) -> Rollout:
        """One stage further, or finished; `stage` is the one that was seen, counted from 1.

        Raises `Conflict` where somebody was faster, and for what no canary was seen running.
        """
        reason = reason_of(reason, needed=True)

        def advanced(tx: Writing) -> Rollout:
            tx.rollouts.take_turn()
            rollout = rollout_for(tx, operator, number, expected)
            _check_stage(rollout, stage)
            tally = tx.rollouts.tally(number)
            lacks = what_lacks(rollout, tally)
            if lacks and goes_far(rollout) and not (rollout.is_canaried or override):
                raise Conflict(
                    f"{rollout.version} was not canaried: stage {stage} waits for {lacks};"
                    " more than 10 % needs an override"
                )
            after = further(tx, rollout, reason, held=has_held(rollout, tally))
            note_move(tx, operator, "advance_rollout", after, reason, override=override)
            return after

        return self._changed(advanced)

    def _move(
        self,
        operator: Operator,
        number: int,
        state: State,
        action: str,
        reason: str,
        expected: Expected,
        calls_off: str | None = None,
    ) -> Rollout:
        reason = reason_of(reason, needed=True)

        def done(tx: Writing) -> Rollout:
            tx.rollouts.take_turn()
            rollout = rollout_for(tx, operator, number, expected)
            goes_on = state is State.RUNNING
            to = State.FINISHED if goes_on and rollout.reached_all else state
            if rollout.state is to:
                return rollout  # somebody said it already
            if goes_on and rollout.state is State.HALTED:
                tx.rollouts.excuse(number)
            after = moved(tx, rollout, to, reason)
            note_move(tx, operator, action, after, reason, calls_off=calls_off)
            return after

        return self._changed(done)

    def _call_off(self, number: int) -> None:
        with self._database.reading() as rows:
            devices = rows.rollouts.open_devices(number)
        for device in devices:

            def call_off(tx: Writing, device: str = device) -> None:
                tx.devices.lock(device)
                attempt = tx.attempts.latest_of(device)
                if attempt is None or attempt.rollout != number or attempt.cancel_asked:
                    return
                if attempt.is_open and attempt.may_become(attempt.state.CANCELED):
                    called_off(tx, attempt, with_rollout=True)

            self._database.change(call_off)
            self._registry.forget(device)
        self._news.refresh()

    def _changed(self, work: Callable[[Writing], Rollout]) -> Rollout:
        rollout = self._database.change(work)
        self._news.refresh()
        return rollout


def further(tx: Writing, rollout: Rollout, reason: str, *, held: bool) -> Rollout:
    """The rollout one stage further, or finished behind the last one; written.

    `held`: the stage that it leaves was a test that it passed.
    """
    # Of a handful of devices one is more than 10 %: what counts is what was asked for.
    is_small = rollout.stages[rollout.stage].share <= UNCANARIED_SHARE_MAX
    canaried = rollout.is_canaried or (held and is_small)
    if rollout.next_share is None:
        ended = replace(rollout, is_canaried=canaried, reached_all=True)
        return moved(tx, ended, State.FINISHED, reason)
    return written(
        tx,
        replace(
            rollout,
            stage=rollout.stage + 1,
            stage_seconds=0,
            is_canaried=canaried,
            reason=reason,
        ),
    )


def _check_stage(rollout: Rollout, stage: int) -> None:
    if rollout.state is not State.RUNNING:
        raise Conflict(f"rollout {rollout.id} is {rollout.state}; only a running one advances")
    if stage != rollout.stage + 1:
        raise Conflict(f"rollout {rollout.id} is in stage {rollout.stage + 1}, not {stage}")
