"""Rows that a life begins with, and the visits of its boards."""

from collections.abc import Sequence
from dataclasses import replace

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.release import Release, ReleaseImage
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.images import Image
from ota_http_server.storage.transaction import Writing
from tests.lives.boards import Board

PROJECT = "lamp"
CHIPS = ("esp32",)


def image_name(version: str, chip: str | None) -> str:
    return f"{version}-{chip}.bin"


def add_release(tx: Writing, version: str, chips: Sequence[str] = CHIPS) -> None:
    """A published release with one image for each of these chips."""
    release = tx.releases.add(Release(number=0, project=PROJECT, version=version))
    for chip in chips:
        image = _image(version, chip)
        tx.images.add(image, tx.second)
        name = image_name(version, chip)
        named = ReleaseImage(name=name, sha256=image.sha256, size=image.size, chip=chip)
        tx.releases.add_image(release.number, named, tx.second)


def _image(version: str, chip: str) -> Image:
    sha256 = f"{version}-{chip}".encode().hex().ljust(64, "0")
    return Image(
        sha256=sha256,
        md5=sha256[:32],
        size=1_000,
        format="esp-idf-app",
        version=version,
        project=PROJECT,
        header={},
        kind="application",
        chip=chip,
    )


def device_of(board: Board, at: int) -> Device:
    device = Device(
        id=board.id,
        project=PROJECT,
        tags=(board.site,) if board.site is not None else (),
        created_at=at,
        created_by="staged",
    )
    if board.is_new:
        return device
    return replace(
        device,
        chip=board.chip,
        version=board.version,
        version_from=VersionFrom.DEVICE,
        running_since=at,
    )


def visit(board: Board) -> Visit:
    return Visit(board.id, PROJECT, "192.0.2.7")
