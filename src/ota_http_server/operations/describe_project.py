"""Describing a project: which versions its files are, and what the newest image is."""

from dataclasses import dataclass

from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.listing import Listed, Seen, latest, versions
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.collect import Collected, Collection
from ota_http_server.operations.download import NO_SUCH_PROJECT


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest image of a project, with its version and where that was found."""

    collected: Collected
    listed: Listed


class DescribeProject:
    """The operation; it reads the folder as the process knows it."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._versions: Bounded[str, tuple[list[Collected], list[str]]] = Bounded(1_000)
        self._newest: Bounded[str, tuple[list[Collected], Newest | None]] = Bounded(1_000)

    def versions(self, caller: Identity, project: str) -> list[str]:
        """Distinct versions, ascending; files without one are served but not listed."""
        collected = self._collected(caller, project)
        known = self._versions.get(project)
        if known is None or known[0] is not collected:
            known = self._versions.put(project, (collected, versions(_seen(collected))))
        return known[1]

    def newest(self, caller: Identity, project: str) -> Newest:
        """The newest image; `NotFound` if no file of the project has a version."""
        collected = self._collected(caller, project)
        known = self._newest.get(project)
        if known is None or known[0] is not collected:
            known = self._newest.put(project, (collected, _newest(collected)))
        if known[1] is None:
            raise NotFound(f"{project} has no image with a version")
        return known[1]

    def _collected(self, caller: Identity, project: str) -> list[Collected]:
        collected = self._collection.all_of(project) if caller.may_see(project) else None
        if collected is None:
            raise NotFound(NO_SUCH_PROJECT)
        return collected


def _newest(collected: list[Collected]) -> Newest | None:
    listed = latest(_seen(collected))
    if listed is None:
        return None
    return Newest(next(one for one in collected if one.name == listed.name), listed)


def _seen(collected: list[Collected]) -> list[Seen]:
    return [Seen(one.name, one.image.sha256, one.seen, one.image.version) for one in collected]
