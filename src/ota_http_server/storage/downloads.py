"""Rows about which image a credential began, so that its later ranges come from the same one."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from ota_http_server.storage.schema import begun
from ota_http_server.storage.upserts import insert_into

NOBODY = b""
"""In the place of a credential: what a name held before, so that its bytes stay as long as
somebody's beginning of them may still be on its way here."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """This credential began this image under this name."""

    credential: bytes
    project: str
    name: str
    sha256: str
    modified_at: int
    """The file's mtime then, which stays this download's Last-Modified."""
    at_ms: int
    """When, in milliseconds: of two the later one counts."""


class Downloads:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begun(self, credential: bytes, project: str, name: str) -> Beginning | None:
        row = self._connection.execute(
            select(begun).where(
                begun.c.credential == credential,
                begun.c.project == project,
                begun.c.name == name,
            )
        ).first()
        if row is None:
            return None
        return Beginning(
            bytes(row.credential), row.project, row.name, row.sha256, row.modified_at, row.at_ms
        )

    def begin(self, beginnings: Iterable[Beginning]) -> None:
        """The latest beginning of each credential and name counts, in whatever order they come."""
        for one in sorted(beginnings, key=lambda one: (one.credential, one.project, one.name)):
            insert = insert_into(
                self._connection,
                begun,
                credential=one.credential,
                project=one.project,
                name=one.name,
                sha256=one.sha256,
                modified_at=one.modified_at,
                at_ms=one.at_ms,
            )
            new = insert.excluded
            self._connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["credential", "project", "name"],
                    set_={
                        "sha256": new.sha256,
                        "modified_at": new.modified_at,
                        "at_ms": new.at_ms,
                    },
                    where=begun.c.at_ms <= new.at_ms,
                )
            )

    def end(self, project: str, name: str, sha256: str, at_ms: int) -> None:
        """Notes that the name held this image until now."""
        self.begin([Beginning(NOBODY, project, name, sha256, 0, at_ms)])

    def has_ended(self, project: str, name: str) -> bool:
        """Whether the name held another image within the time that beginnings are kept."""
        return self.begun(NOBODY, project, name) is not None

    def digests(self) -> set[str]:
        """Images that a running download may still need."""
        return set(self._connection.scalars(select(begun.c.sha256).distinct()))

    def forget(self, before_ms: int) -> None:
        self._connection.execute(delete(begun).where(begun.c.at_ms < before_ms))
