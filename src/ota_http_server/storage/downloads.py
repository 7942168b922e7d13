"""Rows about which image a credential began, so that its later ranges come from the same one."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from ota_http_server.storage.schema import begun


@dataclass(frozen=True, slots=True)
class Beginning:
    """This credential began this image under this name at this second."""

    credential: bytes
    project: str
    name: str
    sha256: str
    modified_at: int
    """The file's mtime then, which stays this download's Last-Modified."""
    at: int


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
            bytes(row.credential), row.project, row.name, row.sha256, row.modified_at, row.at
        )

    def begin(self, beginnings: Iterable[Beginning]) -> None:
        """The latest beginning of each credential and name counts."""
        for one in beginnings:
            self._connection.execute(
                delete(begun).where(
                    begun.c.credential == one.credential,
                    begun.c.project == one.project,
                    begun.c.name == one.name,
                )
            )
            self._connection.execute(
                insert(begun).values(
                    credential=one.credential,
                    project=one.project,
                    name=one.name,
                    sha256=one.sha256,
                    modified_at=one.modified_at,
                    at=one.at,
                )
            )

    def digests(self) -> set[str]:
        """Images that a running download may still need."""
        return set(self._connection.scalars(select(begun.c.sha256).distinct()))

    def forget(self, before: int) -> None:
        self._connection.execute(delete(begun).where(begun.c.at < before))
