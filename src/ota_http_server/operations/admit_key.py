"""Deciding over key pairs of devices: accepting those that ask, announcing those that will.

An accepted key is its device's way to credentials. A device has one: a second that is accepted
takes the first one's place.
"""

from collections.abc import Callable
from dataclasses import replace

from ota_http_server.domain.device import Device
from ota_http_server.domain.device_key import ANY_DEVICE, DeviceKey, KeyState, fingerprint_of
from ota_http_server.domain.errors import Conflict, NotFound
from ota_http_server.domain.identity import enrolled_id, project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.news import News
from ota_http_server.operations.register_device import found_or_registered, is_free
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

ANNOUNCED_MAX = 100_000  # of one project: a production run that was read in before
REJECTED_KEPT = 10_000  # of one project; a key that was forgotten may ask again


class AdmitKey:
    """The operations of people; one for each process."""

    def __init__(
        self,
        database: Database,
        news: News,
        registry: Registry,
        verifier: TokenVerifier,
        *,
        devices_max: int,
    ) -> None:
        self._database = database
        self._news = news
        self._registry = registry
        self._verifier = verifier
        self._devices_max = devices_max

    def accept(self, operator: Operator, fingerprint: str) -> DeviceKey:
        """Lets the device of a key in. Again is no error, and no event.

        Raises `Conflict` for one that has not come yet, or whose device is another project's.
        """
        fingerprint = fingerprint_of(fingerprint)
        operator.must(Role.OPERATOR, operator.project)

        def accepted(tx: Writing) -> DeviceKey:
            key = _key_for(tx, operator, fingerprint)
            if key.state is KeyState.ACCEPTED:
                return key
            if not key.public_key:
                raise Conflict("no device has come with this key yet; it is announced")
            return admitted(tx, key, operator.name, operator.address, self._devices_max)

        return self._done(accepted)

    def reject(self, operator: Operator, fingerprint: str) -> DeviceKey:
        """The key gets nothing (more), however often it asks, and what it got is revoked."""
        fingerprint = fingerprint_of(fingerprint)
        operator.must(Role.OPERATOR, operator.project)

        def rejected(tx: Writing) -> DeviceKey:
            key = _key_for(tx, operator, fingerprint)
            if key.state is KeyState.REJECTED:
                return key
            if key.state is KeyState.ACCEPTED:
                _take_back(tx, key)
            key = _decided(tx, key, KeyState.REJECTED, operator.name)
            tx.device_keys.forget_oldest(key.project, KeyState.REJECTED, REJECTED_KEPT)
            _note(tx, "reject_key", key, operator.name, operator.address)
            return key

        return self._done(rejected)

    def preauthorize(
        self, operator: Operator, project: str, fingerprint: str, device_id: str = ANY_DEVICE
    ) -> DeviceKey:
        """Expects a key: it is accepted when it comes, or at once if it waits already.

        `device_id` `ANY_DEVICE`: it is for whichever new device comes with it.
        """
        fingerprint = fingerprint_of(fingerprint)
        operator.must(Role.OPERATOR, project_name(project))
        device = enrolled_id(device_id) if device_id else ANY_DEVICE

        def announced(tx: Writing) -> DeviceKey:
            tx.device_keys.take_turn()
            key = tx.device_keys.get(fingerprint)
            if key is not None and (
                key.project != project or (device and key.device not in (device, ANY_DEVICE))
            ):
                raise Conflict("this key is known for another device already")
            if key is not None and key.state is KeyState.ACCEPTED:
                return key
            if key is not None and key.state is KeyState.PENDING:
                check_free(tx, device, key.device)
                return admitted(tx, key, operator.name, operator.address, self._devices_max)
            if tx.device_keys.count(project, KeyState.ANNOUNCED) >= ANNOUNCED_MAX:
                raise Conflict(f"{ANNOUNCED_MAX:,} keys of this project are announced already")
            key = DeviceKey(
                fingerprint=fingerprint,
                project=project,
                device=device,
                state=KeyState.ANNOUNCED,
                created_at=tx.second,
                decided_at=tx.second,
                decided_by=operator.name,
            )
            tx.device_keys.put(key)
            _note(tx, "announce_key", key, operator.name, operator.address)
            return key

        return self._done(announced)

    def _done(self, work: Callable[[Writing], DeviceKey]) -> DeviceKey:
        key = self._database.change(work)
        self._news.refresh()
        self._verifier.refresh()
        self._registry.forget(key.device)
        return key


def admitted(
    tx: Writing, key: DeviceKey, by: str, address: str | None, devices_max: int
) -> DeviceKey:
    """The key, accepted in whatever transaction; its device is in the registry afterwards.

    Whoever calls has the turn of the keys.
    """
    new = Device(id=key.device, project=key.project, created_at=tx.second, created_by=key.name)
    device, _ = found_or_registered(tx, new, devices_max)
    if device.project != key.project:
        raise Conflict(f"device {device.id} belongs to another project")
    for former in tx.device_keys.of_device(key.project, key.device, KeyState.ACCEPTED):
        _take_back(tx, former)
        _decided(tx, former, KeyState.REJECTED, by)
    key = _decided(tx, key, KeyState.ACCEPTED, by)
    _note(tx, "accept_key", key, by, address)
    return key


def check_free(tx: Writing, announced_for: str, device_id: str) -> None:
    """A key that was announced for whichever device comes makes none of those that are there."""
    known = tx.devices.get(device_id)
    if announced_for == ANY_DEVICE and known is not None and not is_free(tx, known):
        raise Conflict("this device is there already: name it, or accept its key when it comes")


def _key_for(tx: Writing, operator: Operator, fingerprint: str) -> DeviceKey:
    tx.device_keys.take_turn()
    key = tx.device_keys.get(fingerprint)
    if key is None or not operator.may_see(key.project):
        raise NotFound("there is no such key of a device")
    return key


def _take_back(tx: Writing, key: DeviceKey) -> None:
    """Revokes what came of the key: its device's tokens so far, and credentials by this key."""
    tx.devices.lock(key.device)
    tx.revocations.revoke_device(key.device, tx.second)
    for credential in tx.credentials.of_device(key.device):
        if credential.created_by == key.name and credential.revoked_at is None:
            tx.credentials.revoke(credential.digest, tx.second)


def _decided(tx: Writing, key: DeviceKey, state: KeyState, by: str) -> DeviceKey:
    key = replace(key, state=state, decided_at=tx.second, decided_by=by)
    tx.device_keys.put(key)
    return key


def _note(tx: Writing, action: str, key: DeviceKey, by: str, address: str | None) -> None:
    tx.events.add(
        action,
        IP=address,
        device=key.device or None,
        project=key.project,
        actor=by,
        fingerprint=key.fingerprint,
    )
