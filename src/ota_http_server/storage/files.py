"""Rows about the firmware folder: which name holds which image, and how the file looked then."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, delete, select, update

from ota_http_server.storage.schema import files
from ota_http_server.storage.upserts import insert_into


@dataclass(frozen=True, slots=True)
class Look:
    """How a file looks from outside. Any difference means that it may hold other bytes."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class File:
    """A name in a project, the image that was read there, and how the file looked."""

    id: int
    """Counts up by first sight: the order of files whose versions do not order."""
    project: str
    name: str
    sha256: str
    look: Look
    collected_at: int
    """When these bytes came under this name (unix seconds)."""


class Files:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, project: str, name: str) -> File | None:
        row = self._connection.execute(
            select(files).where(files.c.project == project, files.c.name == name)
        ).first()
        return None if row is None else _file(row)

    def digests(self, project: str) -> dict[str, str]:
        """What each name of a project held when it was read last."""
        query = select(files.c.name, files.c.sha256).where(files.c.project == project)
        return {row.name: row.sha256 for row in self._connection.execute(query)}

    def all(self) -> Iterator[File]:
        for row in self._connection.execute(select(files).order_by(files.c.id)):
            yield _file(row)

    def put(self, project: str, name: str, sha256: str, look: Look, at: int) -> File:
        """Says what the name holds now. Other bytes under an old name count as newly seen."""
        known = self.get(project, name)
        how_it_looks = {
            "inode": str(look.inode),
            "size": look.size,
            "mtime_ns": look.mtime_ns,
            "ctime_ns": look.ctime_ns,
        }
        if known is not None and known.sha256 == sha256:
            self._connection.execute(
                update(files).where(files.c.id == known.id).values(how_it_looks)
            )
            return replace(known, look=look)
        if known is not None:
            self.remove(project, name)
        values = {"sha256": sha256, "collected_at": at, **how_it_looks}
        row = self._connection.execute(
            insert_into(self._connection, files, project=project, name=name, **values)
            # Another process may have read the same file in the same moment.
            .on_conflict_do_update(index_elements=["project", "name"], set_=values)
            .returning(files)
        ).one()
        return _file(row)

    def remove(self, project: str, name: str) -> None:
        self._connection.execute(
            delete(files).where(files.c.project == project, files.c.name == name)
        )


def _file(row: Row[tuple[object, ...]]) -> File:
    look = Look(int(row.inode), row.size, row.mtime_ns, row.ctime_ns)
    return File(row.id, row.project, row.name, row.sha256, look, row.collected_at)
