"""Three instances that share one folder, as `deploy/` has them behind a proxy."""

from pathlib import Path
from typing import Self

from tests.asking import DEVICE
from tests.running import Server

TRUSTED = ("--trusted-proxies", "127.0.0.1/32,::1/128")
KEEP_ALIVE = ("--keep-alive-seconds", "4")
"""A stop waits for it, and tests stop often. Proxies must keep idle connections for less."""


class Cluster:
    """Started at the same instant, in a folder that may be empty."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        given = (*TRUSTED, *KEEP_ALIVE, *options)
        self.instances = [Server(folder, *given) for _ in range(3)]

    def __enter__(self) -> Self:
        try:
            for instance in self.instances:
                instance.start()
            for instance in self.instances:
                instance.await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for instance in self.instances:
            instance.kill()

    @property
    def any(self) -> Server:
        return self.instances[0]

    def publish(
        self, project: str, name: str, content: bytes, device: str = DEVICE
    ) -> tuple[str, str]:
        """Drops an image; the path under which it is served and a token for it."""
        self.any.drop(project, name, content)
        return f"/firmware/{project}/{name}", self.any.mint(project, device)
