"""Putting a device into the registry, in whatever transaction, and whether one is still free."""

from ota_http_server.domain.device import Device
from ota_http_server.domain.device_key import KeyState
from ota_http_server.domain.errors import Unavailable
from ota_http_server.storage.devices import Wanted
from ota_http_server.storage.transaction import Reading, Writing

NEWS_SECONDS = 5  # until every instance has heard of a revocation, a device may still be seen


def found_or_registered(tx: Writing, new: Device, devices_max: int) -> tuple[Device, bool]:
    """The device with this id, locked, and whether it is the new one.

    Raises `Unavailable` where the registry is full.
    """
    tx.devices.lock(new.id)
    known = tx.devices.get(new.id)
    if known is not None:
        return known, False
    if tx.devices.count(Wanted()) >= devices_max:
        raise Unavailable(f"the registry holds devices_max ({devices_max:,}) devices")
    tx.devices.add(new)
    tx.devices.lock(new.id)
    device = tx.devices.get(new.id)
    assert device is not None
    return device, device == new  # another instance may have met it in the same moment


def is_free(rows: Reading, device: Device) -> bool:
    """Whether a stranger with an invitation may become this device: nobody else is it.

    It is somebody's while anything opens the server in its name: a credential, a key, or whatever
    it came with when it was last seen, unless all of that was revoked since.
    """
    if any(one.revoked_at is None for one in rows.credentials.of_device(device.id)):
        return False
    if rows.device_keys.of_device(device.project, device.id, KeyState.ACCEPTED):
        return False
    if device.last_seen is None:
        return True
    revoked_at = rows.revocations.device_revoked_at(device.id)
    return revoked_at is not None and revoked_at + NEWS_SECONDS >= device.last_seen
