"""Marking attempts silent: a device that was bricked reports nothing, it is only never heard again.

The moment of an attempt is a row, so a restart of the server forgets none; and a device that asks
again, whatever it says, is not silent. Time in which no server listened, or in which the clock made
a step, counts for nobody.
"""

from collections.abc import Sequence

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.logs import logger
from ota_http_server.operations.lease import Held
from ota_http_server.operations.move_attempt import move
from ota_http_server.operations.registry import Registry
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

LOG = logger("rollout")

NAMED_MAX = 5  # in the log, so many of them
MARKED_AT_ONCE_MAX = 200  # of one transaction; the rest follows in the next


class MarkSilent:
    """Part of the steering. `silent_seconds`: so long nothing was heard, outside of rollouts."""

    def __init__(self, database: Database, registry: Registry, silent_seconds: int) -> None:
        self._database = database
        self._registry = registry
        self._silent_seconds = silent_seconds

    def __call__(self, held: Held) -> int:
        """How many were marked."""
        with self._database.reading() as rows:
            waits: dict[int | None, int] = {
                one.id: one.policy.silent_seconds for one in rows.rollouts.with_open_attempts()
            }
        waits[None] = self._silent_seconds
        return sum(
            self._mark(held.at - seconds, rollout)
            for rollout, seconds in waits.items()
            if held.steady_seconds >= seconds
        )

    def _mark(self, before: int, rollout: int | None) -> int:
        with self._database.reading() as rows:
            if not rows.attempts.silent_since(before, rows.second, 1, rollout):
                return 0
        marked = self._database.change(lambda tx: _mark(tx, before, rollout))
        for attempt in marked:
            self._registry.forget(attempt.device)
        if marked and rollout is not None:
            LOG.warning("rollout %d: %s not heard of again", rollout, _named(marked))
        return len(marked)


def _named(marked: Sequence[Attempt]) -> str:
    """Few of them by name: a person looks for these boards."""
    more = len(marked) - NAMED_MAX
    names = ", ".join(attempt.device for attempt in marked[:NAMED_MAX])
    return f"{names} and {more:,} more" if more > 0 else names


def _mark(tx: Writing, before: int, rollout: int | None) -> list[Attempt]:
    most = MARKED_AT_ONCE_MAX
    found = tx.attempts.silent_since(before, tx.second, most, rollout)
    devices = sorted(one.device for one in found)
    for device in devices:
        tx.devices.lock(device)
    # Once more, now that nobody changes them: one of them may have been heard of meanwhile.
    silence = "nothing was heard of the device since"
    return [
        move(tx, attempt, State.SILENT, silence)
        for attempt in tx.attempts.silent_since(before, tx.second, most, rollout)
        if attempt.device in devices
    ]
