"""Rows about images: immutable bytes and what their header says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Row, select

from ota_http_server.storage.schema import images
from ota_http_server.storage.upserts import insert_into


@dataclass(frozen=True, slots=True)
class Image:
    """Immutable bytes, named by their SHA-256. `version` and `project` are the header's own."""

    sha256: str
    size: int
    md5: str
    format: str
    version: str | None
    project: str | None
    header: Mapping[str, str | int | bool]


class Images:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, sha256: str) -> Image | None:
        row = self._connection.execute(select(images).where(images.c.sha256 == sha256)).first()
        return None if row is None else _image(row)

    def add(self, image: Image, at: int) -> None:
        """Adds the row unless it is there: bytes with the same name are the same bytes."""
        self._connection.execute(
            insert_into(
                self._connection,
                images,
                sha256=image.sha256,
                size=image.size,
                md5=image.md5,
                format=image.format,
                version=image.version,
                project=image.project,
                header=json.dumps(dict(image.header), sort_keys=True),
                collected_at=at,
            ).on_conflict_do_nothing(index_elements=["sha256"])
        )


def _image(row: Row[tuple[object, ...]]) -> Image:
    return Image(
        sha256=row.sha256,
        size=row.size,
        md5=row.md5,
        format=row.format,
        version=row.version,
        project=row.project,
        header=json.loads(row.header),
    )
