"""A visit: which device comes, for which project, and when it should come again."""

import hashlib
from dataclasses import dataclass

from ota_http_server.domain.errors import Invalid, NotFound
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.operations.download import NO_SUCH_PROJECT

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


def poll_seconds_of(device_id: str, poll_seconds: int) -> int:
    """The device's own interval: the same every time, and spread over the fleet."""
    share = int.from_bytes(hashlib.sha256(device_id.encode()).digest()[:4], "big") / 2**32
    return max(1, round(poll_seconds * (1 - JITTER + 2 * JITTER * share)))
