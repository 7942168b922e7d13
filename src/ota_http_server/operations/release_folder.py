"""Releasing what lies in the firmware folder, as soon as it is looked at.

What a comparison of folder and releases comes to is in `follow_folder`; here is when one is due.
"""

from dataclasses import dataclass

from ota_http_server.logs import logger
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.collect import Collected, Collection
from ota_http_server.operations.follow_folder import Followed, follow_folder
from ota_http_server.storage.counters import CATALOG
from ota_http_server.storage.database import Database

LOG = logger("release")

FOLLOWED_MAX = 1_000  # projects

Signature = tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class _Compared:
    """What was compared last."""

    found: list[Collected]
    signature: Signature
    count: int
    """Of the catalog's changes until then."""


class ReleaseFolder:
    """One for each process; what one finds to do the others find done."""

    def __init__(self, database: Database, collection: Collection) -> None:
        self._database = database
        self._collection = collection
        self._compared: Bounded[str, _Compared] = Bounded(FOLLOWED_MAX)
        self._kept_out: Bounded[str, dict[str, str]] = Bounded(FOLLOWED_MAX)

    def follow(self, project: str) -> bool:
        """Makes the project's releases those of its folder; whether anything changed.

        Costs next to nothing while the folder stays as it is. On the hot path.
        """
        found = self._collection.all_of(project)
        if found is None:
            return False
        known = self._compared.get(project)
        if known is not None and known.found is found:
            return False
        signature = tuple((one.name, one.image.sha256, one.seen) for one in found)
        if known is not None and known.signature == signature and not self._is_due(project, known):
            self._compared.put(project, _Compared(found, signature, known.count))
            return False
        count = self._count()
        followed = self._follow(project, found)
        while followed.has_more:
            followed = self._follow(project, found)
            followed.changed = True
        self._tell(project, followed.kept_out)
        if not followed.is_outdated:
            self._compared.put(project, _Compared(found, signature, count))
        return followed.changed

    def kept_out(self, project: str) -> dict[str, str]:
        """The files that are not released, and why, as of the last `follow`."""
        return dict(self._kept_out.get(project) or {})

    def forget(self, project: str) -> None:
        """The project's whole folder is gone; called by the sweep, which knows that for sure."""
        self._follow(project, [])
        self._compared.forget(project)

    def _follow(self, project: str, found: list[Collected]) -> Followed:
        folder = self._collection.folder

        def lies_there(name: str) -> bool:
            return folder.look(project, name) is not None

        return self._database.change(lambda tx: follow_folder(tx, project, found, lies_there))

    def _is_due(self, project: str, known: _Compared) -> bool:
        """What keeps a file out may be gone: a setting of the project, a release."""
        return bool(self._kept_out.get(project)) and self._count() != known.count

    def _count(self) -> int:
        with self._database.reading() as rows:
            return rows.counters.get(CATALOG)

    def _tell(self, project: str, kept_out: dict[str, str]) -> None:
        """Logs what was not said of these files before."""
        before = self._kept_out.get(project) or {}
        for name, why in kept_out.items():
            if before.get(name) != why:
                LOG.warning("not released: %s/%s: %s", project, name, why)
        self._kept_out.put(project, kept_out)
