"""The two places where `publish` publishes: this host's data folder, and another server's API."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ota_http_server.cli.remote import Cut, Progress, Remote, Unreachable, blocks
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.release import Release, State
from ota_http_server.operations.release_wish import ReleaseWish, Upload
from ota_http_server.operations.write_release import found_release
from ota_http_server.ota import Ota

TRIES = 2  # of one upload: a link that is cut is tried once more


class Publisher(Protocol):
    """What publishing takes."""

    def knows(self, wish: ReleaseWish) -> bool:
        """Whether there is anything under this version."""

    def draft(self, wish: ReleaseWish) -> None: ...

    def add_image(
        self, wish: ReleaseWish, path: Path, upload: Upload, progress: Progress, force: str | None
    ) -> None:
        """Sends the file at this path; `upload` is what is declared of it."""

    def publish(self, wish: ReleaseWish, force: str | None) -> dict[str, Any]: ...

    def show(self, wish: ReleaseWish) -> dict[str, Any]: ...

    def remove_draft(self, wish: ReleaseWish) -> None: ...


class Here:
    """This host."""

    def __init__(self, ota: Ota, operator: Operator) -> None:
        self._ota = ota
        self._operator = operator

    def knows(self, wish: ReleaseWish) -> bool:
        with self._ota.stores.database.reading() as rows:
            return rows.releases.get(wish.project, wish.version) is not None

    def draft(self, wish: ReleaseWish) -> None:
        self._ota.publish.draft(self._operator, wish)

    def add_image(
        self, wish: ReleaseWish, path: Path, upload: Upload, progress: Progress, force: str | None
    ) -> None:
        with path.open("rb") as content:
            upload = replace(upload, blocks=blocks(content, progress))
            self._ota.publish.add_image(
                self._operator, wish.project, wish.version, upload, force=force
            )

    def publish(self, wish: ReleaseWish, force: str | None) -> dict[str, Any]:
        return shown(
            self._ota.publish.publish(self._operator, wish.project, wish.version, force=force)
        )

    def show(self, wish: ReleaseWish) -> dict[str, Any]:
        with self._ota.stores.database.reading() as rows:
            return shown(found_release(rows, wish.project, wish.version))

    def remove_draft(self, wish: ReleaseWish) -> None:
        self._ota.publish.remove_draft(self._operator, wish.project, wish.version)


class There:
    """Another server."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def knows(self, wish: ReleaseWish) -> bool:
        try:
            self._remote.ask("GET", _path(wish))
        except NotFound:
            return False
        return True

    def draft(self, wish: ReleaseWish) -> None:
        said = {
            "channel": wish.channel,
            "notes": wish.notes,
            "min_from": wish.min_from,
            "security": wish.security,
            "floor": wish.floor,
        }
        wished = {name: value for name, value in said.items() if value is not None}
        self._remote.ask("PUT", _path(wish), wished)

    def add_image(
        self, wish: ReleaseWish, path: Path, upload: Upload, progress: Progress, force: str | None
    ) -> None:
        query = {
            "chip": upload.chip,
            "part": upload.part,
            "hardware": ",".join(upload.hardware) or None,
            "sha256": upload.sha256,
            "force": force,
        }
        for left in reversed(range(TRIES)):
            counted = _Counted(progress)
            try:
                self._remote.put(f"{_path(wish)}/images/{upload.name}", path, counted, query)
            except Cut:
                if not left:
                    raise
                progress(-counted.total)
            else:
                return

    def publish(self, wish: ReleaseWish, force: str | None) -> dict[str, Any]:
        said = {} if force is None else {"force": force}
        release = _told(self._remote.ask("POST", f"{_path(wish)}/publish", said))
        if release["state"] != State.PUBLISHED:
            raise Unreachable(f"{self._remote.url} does not say that it is published")
        return release

    def show(self, wish: ReleaseWish) -> dict[str, Any]:
        return _told(self._remote.ask("GET", _path(wish)))

    def remove_draft(self, wish: ReleaseWish) -> None:
        self._remote.ask("DELETE", _path(wish))


class _Counted:
    """Progress that knows how far it came."""

    def __init__(self, progress: Progress) -> None:
        self.total = 0
        self._progress = progress

    def __call__(self, sent: int) -> None:
        self.total += sent
        self._progress(sent)


def shown(release: Release) -> dict[str, Any]:
    """A release for people and programs."""
    return {
        "project": release.project,
        "release": release.version,
        "state": str(release.state),
        "channel": release.channel,
        "min_from": release.min_from,
        "security": release.security,
        "floor": release.floor,
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
    """The API's words in those of `shown`; a server of a later version may say more."""
    names = {"file": "name", "kind": "part", "version": "header_version"}
    images: Iterable[dict[str, Any]] = document.get("images") or ()
    return {
        **_picked(document, ("project", "state", "channel", "min_from"), {"release": "version"}),
        **_picked(document, ("security", "floor", "forced", "notes"), {}),
        "images": [
            _picked(image, ("size", "sha256", "format", "chip", "hardware"), names)
            for image in images
        ],
    }


def _picked(
    document: dict[str, Any], kept: tuple[str, ...], renamed: dict[str, str]
) -> dict[str, Any]:
    names = {name: name for name in kept} | renamed
    return {ours: document.get(theirs) for ours, theirs in names.items()}


def _path(wish: ReleaseWish) -> str:
    return f"/api/v1/projects/{wish.project}/releases/{wish.version}"
