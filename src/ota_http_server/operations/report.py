"""Reporting: the device tells how its try goes. Late and repeated reports change nothing.

A report of success makes an attempt *installed* and no more; what the device is seen running
afterwards decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ota_http_server.domain.attempt import OPEN, Attempt, State
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.errors import NotFound
from ota_http_server.operations.move_attempt import move
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


class Told(StrEnum):
    """What a device may tell of an attempt."""

    RUNNING = "running"
    """It works on it; nothing moves on by that."""
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    INSTALLED = "installed"
    FAILED = "failed"
    CANCELED = "canceled"
    """It gave up because it was asked to."""
    NOT_CANCELED = "not-canceled"
    """It was asked to give up and goes on."""


_STATES = {
    Told.DOWNLOADING: State.DOWNLOADING,
    Told.DOWNLOADED: State.DOWNLOADED,
    Told.INSTALLED: State.INSTALLED,
    Told.FAILED: State.FAILED,
    Told.CANCELED: State.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Word:
    """One report. `lines` are for people, and are kept as far as there is room."""

    told: Told
    attempt: int | None = None
    """None: the latest one."""
    detail: str = ""
    lines: Sequence[str] = ()


class Report:
    """The operation; one for each process."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def __call__(self, visit: Visit, word: Word) -> Attempt:
        """The attempt afterwards; `NotFound` if it is no attempt of this device."""
        attempt = self._database.change(lambda tx: _reported(tx, visit, word))
        self._registry.forget(visit.device)
        self._registry.saw(visit.device, visit.address)
        return attempt


def _reported(tx: Writing, visit: Visit, word: Word) -> Attempt:
    tx.devices.lock(visit.device)
    attempts = tx.attempts
    attempt = attempts.latest_of(visit.device) if word.attempt is None else None
    if word.attempt is not None:
        attempt = attempts.get(word.attempt)
    if attempt is None or (attempt.device, attempt.project) != (visit.device, visit.project):
        raise NotFound("there is no such attempt of this device")
    if attempt.is_open and (word.lines or word.detail):
        attempts.add_lines(attempt.id, word.lines or [word.detail], tx.second)
    if attempt.cancel_asked and word.told is Told.NOT_CANCELED:
        attempt = replace(attempt, cancel_asked=False, changed_at=tx.second)
        attempts.change(attempt)
    elif (state := _STATES.get(word.told)) is not None and _is_meant(tx, attempt, state):
        attempt = _moved(tx, attempt, state, word.detail)
    elif attempt.is_open and attempt.changed_at != tx.second:
        attempt = replace(attempt, changed_at=tx.second)  # it lives
        attempts.change(attempt)
    return attempt


def _is_meant(tx: Writing, attempt: Attempt, state: State) -> bool:
    """A device that canceled what nobody asked it to cancel has simply given up; and what was
    silent does not open again beside a later try."""
    if state in OPEN and not attempt.is_open:
        latest = tx.attempts.latest_of(attempt.device)
        return latest is not None and latest.id == attempt.id
    return state is not State.CANCELED or attempt.cancel_asked or attempt.is_open


def _moved(tx: Writing, attempt: Attempt, state: State, detail: str) -> Attempt:
    after = move(tx, attempt, state, detail)
    device = tx.devices.get(after.device)
    if after is attempt or device is None:
        return after
    if state is State.INSTALLED:
        tx.devices.change(_installed(device, after, tx.second))
    elif attempt.state is State.INSTALLED and device.version_from is VersionFrom.REPORT:
        tx.devices.change(_back_again(device, after, tx.second))
    return after


def _installed(device: Device, attempt: Attempt, at: int) -> Device:
    """The device is asked what it runs; one that never says is believed."""
    device = replace(device, attributes_wanted=True, edition=device.edition + 1)
    if device.version_from in (VersionFrom.DEVICE, VersionFrom.IMAGE):
        return device
    return replace(
        device,
        version=attempt.version,
        version_from=VersionFrom.REPORT,
        image_sha256=None,
        running_since=at,
    )


def _back_again(device: Device, attempt: Attempt, at: int) -> Device:
    """It took its success back, so it runs again what it ran before."""
    return replace(
        device,
        version=attempt.from_version,
        version_from=None if attempt.from_version is None else VersionFrom.REPORT,
        image_sha256=attempt.from_sha256,
        running_since=at,
        edition=device.edition + 1,
    )
