"""Progress: what the server itself saw of each download becomes the attempt's.

The worker knows of every transfer how many bytes went out. They are gathered by device and image
and written in batches, so that the hundred ranges of one image cost one row now and then.
"""

from dataclasses import dataclass, replace
from threading import Lock

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.errors import Refusal
from ota_http_server.operations.registry import Registry
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

WRITE_SECONDS = 1.0
GATHERED_MAX = 20_000  # devices that download at a time


@dataclass(slots=True)
class _Gathered:
    sent_bytes: int = 0
    deliveries: int = 0


class Progress:
    """One for each process."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry
        self._gathered: dict[tuple[str, str], _Gathered] = {}
        self._turn = Lock()

    def sent(self, device: str, sha256: str, sent_bytes: int, *, whole: bool) -> None:
        """So many bytes more of this image went to this device; `whole`: now it has all of it."""
        with self._turn:
            self._gather((device, sha256), sent_bytes, int(whole))

    def _gather(self, key: tuple[str, str], sent_bytes: int, deliveries: int) -> None:
        gathered = self._gathered.get(key)
        if gathered is None:
            if len(self._gathered) >= GATHERED_MAX:
                return
            gathered = self._gathered[key] = _Gathered()
        gathered.sent_bytes += sent_bytes
        gathered.deliveries += deliveries

    def write(self) -> None:
        """Called by the background every `WRITE_SECONDS`, and before the process ends."""
        with self._turn:
            gathered, self._gathered = self._gathered, {}
        if not gathered:
            return
        try:
            self._database.change(lambda tx: _write(tx, gathered))
        except Refusal:
            with self._turn:
                for key, found in gathered.items():
                    self._gather(key, found.sent_bytes, found.deliveries)
            raise
        for device, _ in gathered:
            self._registry.forget(device)


def _write(tx: Writing, gathered: dict[tuple[str, str], _Gathered]) -> None:
    # In order, so that two processes never wait for each other's rows crosswise.
    for (device, sha256), found in sorted(gathered.items(), key=lambda item: item[0]):
        tx.devices.lock(device)
        attempt = tx.attempts.latest_of(device)
        if attempt is not None and attempt.sha256 == sha256:
            tx.attempts.change(_after(attempt, found, tx.second))


def _after(attempt: Attempt, found: _Gathered, at: int) -> Attempt:
    state = State.DOWNLOADED if found.deliveries else State.DOWNLOADING
    after = replace(
        attempt,
        sent_bytes=attempt.sent_bytes + found.sent_bytes,
        deliveries=attempt.deliveries + found.deliveries,
        changed_at=at if attempt.is_open else attempt.changed_at,
    )
    return after.after(state, at) if attempt.is_open else after
