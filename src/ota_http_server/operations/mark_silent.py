"""Marking attempts silent: a device that was bricked reports nothing, it is only never heard again.

The moment of an attempt is a row, so a restart of the server forgets none; and a device that asks
again, whatever it says, is not silent.
"""

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.operations.move_attempt import move
from ota_http_server.operations.registry import Registry
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

EVERY_SECONDS = 30.0
MARKED_AT_ONCE_MAX = 200  # of one transaction; the rest follows in the next


class MarkSilent:
    """The chore. `silent_seconds`: so long nothing was heard."""

    def __init__(self, database: Database, registry: Registry, silent_seconds: int) -> None:
        self._database = database
        self._registry = registry
        self._silent_seconds = silent_seconds

    def __call__(self) -> int:
        """How many were marked."""
        before = int(self._database.clock().timestamp()) - self._silent_seconds
        with self._database.reading() as rows:
            if not rows.attempts.silent_since(before, 1):
                return 0
        marked = self._database.change(lambda tx: _mark(tx, before))
        for attempt in marked:
            self._registry.forget(attempt.device)
        return len(marked)


def _mark(tx: Writing, before: int) -> list[Attempt]:
    found = sorted(one.device for one in tx.attempts.silent_since(before, MARKED_AT_ONCE_MAX))
    for device in found:
        tx.devices.lock(device)
    # Once more, now that nobody changes them: one of them may have been heard of meanwhile.
    silence = "nothing was heard of the device since"
    return [
        move(tx, attempt, State.SILENT, silence)
        for attempt in tx.attempts.silent_since(before, MARKED_AT_ONCE_MAX)
        if attempt.device in found
    ]
