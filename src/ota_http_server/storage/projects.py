"""Rows about projects: how each wants to be treated, where that differs from the defaults."""

import json

from sqlalchemy import Connection, Row, delete, select

from ota_http_server.domain.project import (
    FolderMode,
    Project,
    Registering,
    Spread,
    UnknownVersion,
)
from ota_http_server.storage.counters import CATALOG, Counters
from ota_http_server.storage.schema import devices, projects, releases
from ota_http_server.storage.upserts import put_row

_SPEAK_OF_PROJECTS = (projects.c.name, releases.c.project, devices.c.project)


class Projects:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: str) -> Project:
        """The project's settings; the defaults where nobody changed them."""
        row = self._connection.execute(select(projects).where(projects.c.name == name)).first()
        return Project(name=name) if row is None else _project(row)

    def all(self) -> list[Project]:
        """Those with settings of their own."""
        rows = self._connection.execute(select(projects).order_by(projects.c.name))
        return [_project(row) for row in rows]

    def download_rates(self) -> dict[str, int]:
        """Bytes a second, of the projects that have such a limit."""
        rate = projects.c.download_bytes_per_second
        rows = self._connection.execute(select(projects.c.name, rate).where(rate.is_not(None)))
        return {row.name: row.download_bytes_per_second for row in rows}

    def known(self) -> set[str]:
        """Every project that any row speaks of."""
        queries = (select(column).distinct() for column in _SPEAK_OF_PROJECTS)
        return {name for query in queries for name in self._connection.scalars(query)}

    def is_known(self, name: str) -> bool:
        """Whether any row speaks of this one: three looks into an index, however many there are."""
        return any(
            self._connection.scalar(select(column).where(column == name).limit(1)) is not None
            for column in _SPEAK_OF_PROJECTS
        )

    def put(self, project: Project) -> None:
        values = {
            "folder": project.folder.value,
            "chip": project.chip,
            "revision": project.revision,
            "unknown_version": project.unknown_version.value,
            "registering": project.registering.value,
            "accepts_keys": project.accepts_keys,
            "tag_channels": json.dumps(dict(project.tag_channels), sort_keys=True),
            "spread": project.spread.value,
            "downloads_max": project.downloads_max,
            "download_bytes_per_second": project.download_bytes_per_second,
            "notes": project.notes,
            "created_at": project.created_at,
            "edition": project.edition,
        }
        put_row(self._connection, projects, values, name=project.name)
        Counters(self._connection).move(CATALOG)

    def remove(self, name: str) -> None:
        """Forgets the settings; the project goes on with the defaults if anything is in it."""
        self._connection.execute(delete(projects).where(projects.c.name == name))
        Counters(self._connection).move(CATALOG)


def _project(row: Row[tuple[object, ...]]) -> Project:
    return Project(
        name=row.name,
        folder=FolderMode(row.folder),
        chip=row.chip,
        revision=row.revision,
        unknown_version=UnknownVersion(row.unknown_version),
        registering=Registering(row.registering),
        accepts_keys=row.accepts_keys,
        tag_channels=json.loads(row.tag_channels),
        spread=Spread(row.spread),
        downloads_max=row.downloads_max,
        download_bytes_per_second=row.download_bytes_per_second,
        notes=row.notes,
        created_at=row.created_at,
        edition=row.edition,
    )
