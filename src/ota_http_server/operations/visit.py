"""A visit: which device comes, for which project, and when it should come again."""

import hashlib
from dataclasses import dataclass

from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Invalid, NotFound
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.domain.offer import NO_HISTORY
from ota_http_server.operations.download import NO_SUCH_PROJECT
from ota_http_server.operations.registry import Known

JITTER = 0.2  # boards that were switched on together must not ask together for ever


@dataclass(frozen=True, slots=True)
class Visit:
    """Which device comes, for which project, from where; its credential was verified."""

    device: str
    project: str
    address: str


def visit_of(caller: Identity, project: str, claimed: object, address: str) -> Visit:
    """The visit of this caller; `claimed` is who it says it is, where its credential does not.

    `NotFound` for another one's project, `Invalid` where nobody says which device it is.
    """
    if not caller.may_see(project):
        raise NotFound(NO_SUCH_PROJECT)
    if caller.subject:
        return Visit(device_key(caller.subject), project, address)
    if not isinstance(claimed, str) or not claimed:
        raise Invalid("say which device this is: with a device's own credential, or as device=…")
    return Visit(device_key(claimed), project, address)


def as_known_in(project: str, device_id: str, known: Known | None) -> Known:
    """What counts in this project of a device that may be in no registry, or in another project's.

    A token may open another project than the registry's: then only the hardware counts.
    """
    if known is None:
        return Known(Device(id=device_id, project=project), None, NO_HISTORY)
    its = known.device
    if its.project == project:
        return known
    device = Device(
        id=device_id,
        project=project,
        chip=its.chip,
        revision=its.revision,
        revision_min=its.revision_min,
        board=its.board,
        free_bytes=its.free_bytes,
        blocked=its.blocked,
    )
    return Known(device, None, NO_HISTORY)


def poll_seconds_of(device_id: str, poll_seconds: int) -> int:
    """The device's own interval: the same every time, and spread over the fleet."""
    share = int.from_bytes(hashlib.sha256(device_id.encode()).digest()[:4], "big") / 2**32
    return max(1, round(poll_seconds * (1 - JITTER + 2 * JITTER * share)))
