"""The two places where `publish` publishes: this host's data folder, and another server's API."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from ota_http_server.app import Ota
from ota_http_server.cli.remote import BLOCK_BYTES, Remote, Unreachable
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.release import Release
from ota_http_server.operations.release_wish import ReleaseWish, Upload

Progress = Callable[[int], object]
TRIES = 2  # of one upload: a link that is cut is tried once more


class Publisher(Protocol):
    """What publishing takes."""

    def draft(self, wish: ReleaseWish) -> None: ...

    def add_image(
        self,
        wish: ReleaseWish,
        file: Path,
        sha256: str,
        progress: Progress,
        *,
        declared: dict[str, Any],
        force: str | None,
    ) -> None: ...

    def publish(self, wish: ReleaseWish, force: str | None) -> dict[str, Any]: ...

    def show(self, wish: ReleaseWish) -> dict[str, Any]: ...


class Here:
    """This host."""

    def __init__(self, ota: Ota, operator: Operator) -> None:
        self._ota = ota
        self._operator = operator

    def draft(self, wish: ReleaseWish) -> None:
        self._ota.publish.draft(self._operator, wish)

    def add_image(
        self,
        wish: ReleaseWish,
        file: Path,
        sha256: str,
        progress: Progress,
        *,
        declared: dict[str, Any],
        force: str | None,
    ) -> None:
        size = file.stat().st_size
        upload = Upload.of(file.name, _blocks(file, progress), size, sha256=sha256, **declared)
        self._ota.publish.add_image(self._operator, wish.project, wish.version, upload, force=force)

    def publish(self, wish: ReleaseWish, force: str | None) -> dict[str, Any]:
        return shown(
            self._ota.publish.publish(self._operator, wish.project, wish.version, force=force)
        )

    def show(self, wish: ReleaseWish) -> dict[str, Any]:
        return shown(self._ota.publish.draft(self._operator, wish))


class There:
    """Another server."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def draft(self, wish: ReleaseWish) -> None:
        said = {
            "channel": wish.channel,
            "notes": wish.notes,
            "min_from": wish.min_from,
            "security": wish.security,
        }
        wished = {name: value for name, value in said.items() if value is not None}
        self._remote.ask("PUT", _path(wish), wished)

    def add_image(
        self,
        wish: ReleaseWish,
        file: Path,
        sha256: str,
        progress: Progress,
        *,
        declared: dict[str, Any],
        force: str | None,
    ) -> None:
        query = {
            "chip": declared["chip"],
            "part": declared["part"],
            "hardware": ",".join(declared["hardware"]) or None,
            "force": force,
        }
        path = f"{_path(wish)}/images/{file.name}"
        for left in reversed(range(TRIES)):
            try:
                self._remote.put(path, file, progress, {"X-SHA256": sha256}, **query)
            except Unreachable:
                if not left:
                    raise
            else:
                return

    def publish(self, wish: ReleaseWish, force: str | None) -> dict[str, Any]:
        said = {} if force is None else {"force": force}
        return _told(self._remote.ask("POST", f"{_path(wish)}/publish", said))

    def show(self, wish: ReleaseWish) -> dict[str, Any]:
        return _told(self._remote.ask("GET", _path(wish)))


def shown(release: Release) -> dict[str, Any]:
    """A release for people and programs."""
    return {
        "project": release.project,
        "release": release.version,
        "state": str(release.state),
        "channel": release.channel,
        "min_from": release.min_from,
        "security": release.security,
        "forced": release.forced,
        "notes": release.notes,
        "images": [
            {
                "file": image.name,
                "size": image.size,
                "sha256": image.sha256,
                "format": image.format,
                "kind": image.part,
                "chip": image.chip,
                "version": image.header_version,
                "hardware": list(image.hardware),
            }
            for image in release.images
        ],
    }


def _told(document: dict[str, Any]) -> dict[str, Any]:
    """The API's words in ours."""
    images = [
        {"file": image.get("name"), "kind": image.get("part"), **image}
        for image in document.get("images", [])
    ]
    return {**document, "release": document.get("version"), "images": images}


def _path(wish: ReleaseWish) -> str:
    return f"/api/v1/projects/{wish.project}/releases/{wish.version}"


def _blocks(file: Path, progress: Progress) -> Iterator[bytes]:
    with file.open("rb") as content:
        while block := content.read(BLOCK_BYTES):
            yield block
            progress(len(block))
