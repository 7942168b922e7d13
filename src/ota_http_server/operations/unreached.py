"""What has not come to a caller yet, for the lists that clients of the plain URLs compare with.

A board that asks for the latest version and fetches it by its name decides by itself. So the lists
name what it would be offered: to a board that a rollout has not reached, the release before it.
"""

from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.domain.offer import Hold, Reason
from ota_http_server.domain.project import Spread
from ota_http_server.domain.reach import reaching
from ota_http_server.operations.catalog import Shelf
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.visit import as_known_in

NOTHING: frozenset[int] = frozenset()


class Unreached:
    """The operation; one for each process."""

    def __init__(self, registry: Registry, reach: ReachNow) -> None:
        self._registry = registry
        self._reach = reach

    def __call__(self, caller: Identity, shelf: Shelf) -> frozenset[int]:
        """The numbers of the releases that have not come to this caller.

        Raises `NotFound` while a stop holds: there is nothing to compare with.
        """
        reach = self._reach.of(shelf.project)
        if reach.stop is not None:
            raise NotFound(f"{Reason.STOPPED}: nothing is offered now: {reach.stop.reason}")
        if not reach.rollouts and shelf.project.spread is Spread.AT_ONCE:
            return NOTHING
        name = device_key(caller.subject) if caller.subject else ""
        known = self._registry.find(name) if name else None
        device = as_known_in(shelf.project.name, name, known).device
        channel = shelf.project.channel_of(device)
        return frozenset(
            release.number
            for release in shelf.releases
            if isinstance(reaching(reach, shelf.project, release, device, channel), Hold)
        )
