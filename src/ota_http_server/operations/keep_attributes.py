"""Keeping what a device says of itself in words of its own. Said again, nothing is written."""

from dataclasses import replace

from ota_http_server.domain.attempt import State
from ota_http_server.domain.attributes import Mode, Said, changed
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import NotFound
from ota_http_server.operations.registry import Known, Registry, read
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


class KeepAttributes:
    """The operation; one for each process."""

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def __call__(self, visit: Visit, mode: Mode, said: Said) -> Device:
        """The device afterwards, asked no more; `NotFound` if it is none of this project's."""
        known = _of(self._registry.find(visit.device), visit)
        if not _is_news(known, mode, said):
            self._registry.saw(visit.device, visit.address)
            return known.device
        device = self._database.change(lambda tx: _kept(tx, visit, mode, said))
        self._registry.forget(visit.device)
        return device


def _kept(tx: Writing, visit: Visit, mode: Mode, said: Said) -> Device:
    tx.devices.lock(visit.device)
    known = _of(read(tx, visit.device), visit)
    device = known.device
    attributes = changed(device.attributes, mode, said)
    after = replace(
        device,
        attributes=attributes,
        attributes_wanted=False,
        edition=device.edition + (attributes != device.attributes),
    )
    tx.devices.change(after)
    if known.latest is not None and known.latest.state is State.INSTALLED:
        tx.attempts.change(replace(known.latest, changed_at=tx.second))  # it lives
    return after


def _is_news(known: Known, mode: Mode, said: Said) -> bool:
    device, attempt = known.device, known.open_attempt
    awaited = device.attributes_wanted or (attempt and attempt.state is State.INSTALLED)
    return bool(awaited) or changed(device.attributes, mode, said) != device.attributes


def _of(known: Known | None, visit: Visit) -> Known:
    if known is None or known.device.project != visit.project:
        raise NotFound("there is no such device in this project")
    return known
