"""Judging a rollout by what its devices came to: it halts by itself, and only a person resumes."""

from ota_http_server.domain.rollout import Rollout, State
from ota_http_server.domain.rollout_health import why_halt
from ota_http_server.logs import logger
from ota_http_server.operations.write_rollout import moved, note_rollout
from ota_http_server.storage.transaction import Writing

LOG = logger("rollout")


def judge(tx: Writing, number: int) -> Rollout | None:
    """The rollout, halted if that is what its devices say. It takes the turn of rollouts."""
    tx.rollouts.take_turn()
    rollout = tx.rollouts.get(number)
    if rollout is None or not rollout.may_become(State.HALTED):
        return rollout
    why = why_halt(rollout, tx.rollouts.tally(number))
    if why is None:
        return rollout
    halted = moved(tx, rollout, State.HALTED, why)
    note_rollout(tx, None, "halt_rollout", halted, stage=halted.stage + 1, reason=why)
    LOG.warning("rollout %s of %s %s halted: %s", number, halted.project, halted.version, why)
    return halted
