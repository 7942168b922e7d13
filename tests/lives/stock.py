"""Rows that a life begins with, and the visits of its boards."""

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.release import Release, ReleaseImage
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.images import Image
from ota_http_server.storage.transaction import Writing
from tests.lives.boards import Board

PROJECT = "lamp"
CHIP = "esp32"


def add_release(tx: Writing, version: str) -> None:
    """A published release with one image."""
    sha256 = version.encode().hex().ljust(64, "0")
    image = Image(
        sha256=sha256,
        md5=sha256[:32],
        size=1_000,
        format="esp-idf-app",
        version=version,
        project=PROJECT,
        header={},
        kind="application",
        chip=CHIP,
    )
    tx.images.add(image, tx.second)
    release = tx.releases.add(Release(number=0, project=PROJECT, version=version))
    named = ReleaseImage(name=f"{version}.bin", sha256=sha256, size=1_000, chip=CHIP)
    tx.releases.add_image(release.number, named, tx.second)


def device_of(board: Board, at: int) -> Device:
    return Device(
        id=board.id,
        project=PROJECT,
        chip=board.chip,
        tags=(board.site,) if board.site is not None else (),
        version=board.version,
        version_from=VersionFrom.DEVICE,
        running_since=at,
        created_at=at,
        created_by="staged",
    )


def visit(board: Board) -> Visit:
    return Visit(board.id, PROJECT, "192.0.2.7")
