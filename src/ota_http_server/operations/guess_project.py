"""Guessing a device's project where tokens are off, and so nobody says which one it is."""

from collections.abc import Callable

from ota_http_server.domain.errors import NotFound
from ota_http_server.operations.list_projects import known_projects
from ota_http_server.operations.registry import Registry
from ota_http_server.storage.database import Database


class GuessProject:
    """The operation; one for each process. `folders` are the projects that have one."""

    def __init__(
        self, database: Database, registry: Registry, folders: Callable[[], list[str]]
    ) -> None:
        self._database = database
        self._registry = registry
        self._folders = folders

    def __call__(self, device_id: str) -> str:
        """The registry's, else the only one there is; `NotFound` says what to do."""
        known = self._registry.find(device_id)
        if known is not None:
            return known.device.project
        with self._database.reading() as rows:
            projects = known_projects(rows, self._folders)
        if len(projects) == 1:
            return projects.pop()
        raise NotFound(
            f"{device_id} is not in the registry, and of {len(projects)} projects nobody knows"
            " which is its: add it to the registry, or switch tokens on"
        )
