"""Finding the device that somebody wants to change, in the transaction that changes it."""

from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.storage.transaction import Writing

NO_SUCH_DEVICE = "there is no such device in the registry"


def device_for(tx: Writing, operator: Operator, device_id: str) -> Device:
    """The device, locked, if this operator may change it; `device_id` in its one spelling.

    A device of a project that it may not see is `NotFound` like one that is not there.
    """
    tx.devices.lock(device_id)
    device = tx.devices.get(device_id)
    if device is None or not operator.may_see(device.project):
        raise NotFound(NO_SUCH_DEVICE)
    operator.must(Role.OPERATOR, device.project)
    return device
