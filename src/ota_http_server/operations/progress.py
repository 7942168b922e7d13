"""Progress: what the server itself saw of each download becomes the attempt's.

The worker knows of every transfer how many bytes went out. They are gathered by device and image
and written in batches, so that the hundred ranges of one image cost one row now and then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.errors import Refusal
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.registry import Registry
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

WRITE_SECONDS = 1.0
EVERY_SO_MANY_TURNS = 15  # of a download of which there is nothing to tell but bytes
WRITTEN_AT_ONCE_MAX = 200  # in one transaction, some tenths of a second's work: others wait
GATHERED_MAX = 20_000  # devices that download at a time

Key = tuple[str, str]
"""Device and SHA-256 of the image."""


@dataclass(slots=True)
class _Gathered:
    sent_bytes: int = 0
    deliveries: int = 0


class Progress:
    """One for each process."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry
        self._gathered: dict[Key, _Gathered] = {}
        self._turns = 0
        self._written_in: Bounded[Key, int] = Bounded(GATHERED_MAX)
        """The turn in which each was written last."""
        self._turn = Lock()

    def sent(self, device: str, sha256: str, sent_bytes: int, *, whole: bool) -> None:
        """So many bytes more of this image went to this device; `whole`: now it has all of it."""
        with self._turn:
            self._gather((device, sha256), sent_bytes, int(whole))

    def _gather(self, key: Key, sent_bytes: int, deliveries: int) -> None:
        gathered = self._gathered.get(key)
        if gathered is None:
            if len(self._gathered) >= GATHERED_MAX:
                return
            gathered = self._gathered[key] = _Gathered()
        gathered.sent_bytes += sent_bytes
        gathered.deliveries += deliveries

    def write_due(self) -> None:
        """Called by the background every `WRITE_SECONDS`.

        That a download began and that it ended is written at once, mere bytes only now and then.
        """
        with self._turn:
            self._turns += 1
            due = {key: found for key, found in self._gathered.items() if self._is_due(key, found)}
            for key in due:
                del self._gathered[key]
        self._write(due)

    def write(self) -> None:
        """Writes everything; before the process ends."""
        with self._turn:
            due, self._gathered = self._gathered, {}
        self._write(due)

    def _is_due(self, key: Key, found: _Gathered) -> bool:
        written = self._written_in.get(key)
        waits_no_more = written is None or self._turns - written >= EVERY_SO_MANY_TURNS
        return waits_no_more or found.deliveries > 0

    def _write(self, due: dict[Key, _Gathered]) -> None:
        # In order, so that two processes never wait for each other's rows crosswise.
        keys = sorted(due)
        while keys:
            now, later = keys[:WRITTEN_AT_ONCE_MAX], keys[WRITTEN_AT_ONCE_MAX:]
            try:
                self._database.change(partial(_write, keys=now, due=due))
            except Refusal:
                with self._turn:
                    for key in keys:
                        self._gather(key, due[key].sent_bytes, due[key].deliveries)
                raise
            for key in now:
                self._written_in.put(key, self._turns)
                self._registry.forget(key[0])
            keys = later


def _write(tx: Writing, keys: Sequence[Key], due: Mapping[Key, _Gathered]) -> None:
    for device, sha256 in keys:
        tx.devices.lock(device)
        attempt = tx.attempts.latest_of(device)
        if attempt is not None and attempt.sha256 == sha256:
            tx.attempts.change(_after(attempt, due[device, sha256], tx.second))


def _after(attempt: Attempt, found: _Gathered, at: int) -> Attempt:
    state = State.DOWNLOADED if found.deliveries else State.DOWNLOADING
    after = replace(
        attempt,
        sent_bytes=attempt.sent_bytes + found.sent_bytes,
        deliveries=attempt.deliveries + found.deliveries,
        changed_at=at if attempt.is_open else attempt.changed_at,
    )
    return after.after(state, at) if attempt.is_open else after
