"""Tidying: what nothing refers to any more goes, and the folder is looked through whole."""

import time

from ota_http_server.domain.errors import Unavailable
from ota_http_server.operations.begun_downloads import RESUME_SECONDS_MAX
from ota_http_server.operations.collect import Collection
from ota_http_server.operations.lease import Leasing
from ota_http_server.operations.release_folder import ReleaseFolder
from ota_http_server.storage.blobs import Blobs
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

# A blob is younger than its row for a moment; an unreferenced one of this age is left over.
BLOB_SECONDS_MIN = 3_600

DRAFT_SECONDS_MAX = 30 * 24 * 3600  # after its last image came, a draft belongs to nobody any more
ACTOR = "tidy"  # who removes it, in the audit


def sweep(collection: Collection, database: Database, releases: ReleaseFolder) -> None:
    """Reads every new or changed file, and forgets the rows of files that are gone.

    What lies there is released, and what is gone is released no more.

    Raises `Unavailable` if the folder, or one of a project, cannot be read; what it held stays
    known: it may come back, and its images are still good.
    """
    present: dict[str, set[str]] = {}
    away: dict[str, Unavailable] = {}
    for project in collection.folder.projects():
        try:
            present[project] = set(collection.names(project) or ())
            releases.follow(project)
        except Unavailable as refusal:
            away[project] = refusal
    if present:  # an empty folder is one that was never filled, or the place of a mount
        _forget_what_is_gone(collection, database, present, set(away))
        _withdraw_what_is_gone(releases, database, set(present) | set(away))
    if away:
        project, why = next(iter(away.items()))
        raise Unavailable(f"project {project}: {why.detail}")


def _forget_what_is_gone(
    collection: Collection, database: Database, present: dict[str, set[str]], away: set[str]
) -> None:
    with database.reading() as rows:
        gone = [
            file
            for file in rows.files.all()
            if file.project not in away and file.name not in present.get(file.project, ())
        ]

    def forget(tx: Writing) -> None:
        for file in gone:
            if collection.folder.look(file.project, file.name) is None:
                tx.files.remove(file.project, file.name)
                tx.downloads.end(file.project, file.name, file.sha256, tx.second * 1000)

    if gone:
        database.change(forget)


def _withdraw_what_is_gone(releases: ReleaseFolder, database: Database, there: set[str]) -> None:
    """Of projects whose whole folder is gone."""
    with database.reading() as rows:
        known = rows.releases.projects_of_folder()
    for project in sorted(known - there):
        releases.forget(project)


class Tidy:
    """The chore; one for each process. Done so seldom that the lease is taken anew each time."""

    def __init__(self, collection: Collection, database: Database, leasing: Leasing) -> None:
        self._blobs = collection.blobs
        self._database = database
        self._leasing = leasing

    def __call__(self) -> int:
        """Removes what is left over from interrupted and replaced images; says how many blobs.

        Rows are everybody's: of processes that come within half a minute one looks them through.
        Bytes are whose folder they lie in, and no row says whose that is: every process looks.
        """
        if self._leasing.hold() is not None:
            self._database.change(_forget)
        self._blobs.sweep_partials()
        with self._database.reading() as rows:
            needed = {file.sha256 for file in rows.files.all()} | rows.downloads.digests()
            needed |= rows.releases.digests()
        removed = 0
        for sha256 in list(self._blobs.names()):
            if sha256 not in needed and _is_old(self._blobs, sha256):
                self._blobs.remove(sha256)
                removed += 1
        return removed


def _forget(tx: Writing) -> None:
    tx.downloads.forget(before_ms=(tx.second - RESUME_SECONDS_MAX) * 1000)
    tx.revocations.forget_expired(tx.second)
    _forget_drafts(tx)


def _forget_drafts(tx: Writing) -> None:
    """Of pipelines that were cut off and never came back: their images would stay for good."""
    tx.releases.take_turn()
    for draft in tx.releases.drafts_of_doors(before=tx.second - DRAFT_SECONDS_MAX):
        if tx.releases.is_in_use(draft.number):
            continue  # a rollout waits for it
        tx.releases.remove(draft.number)
        tx.events.add("remove_draft", project=draft.project, release=draft.version, actor=ACTOR)


def _is_old(blobs: Blobs, sha256: str) -> bool:
    try:
        age = time.time() - blobs.path(sha256).stat().st_mtime
    except FileNotFoundError:
        return False
    return age > BLOB_SECONDS_MIN
