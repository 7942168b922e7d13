"""Images, releases, devices and attempts as rows, for tests of the queries about them."""

from typing import Any

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.device import Device
from ota_http_server.domain.release import Release, ReleaseImage
from ota_http_server.storage.images import Image
from ota_http_server.storage.transaction import Writing


def an_image(seed: str, **facts: Any) -> Image:
    """Its digests follow from one hexadecimal digit."""
    known = {"size": 1_000, "format": "esp-idf-app", "version": None, "project": None, "header": {}}
    return Image(sha256=seed * 64, md5=seed * 32, **(known | facts))


def released(tx: Writing, version: str, *images: str, project: str = "lamp", **facts: Any) -> int:
    """A release with such images, named by their seeds; its number."""
    number = tx.releases.add(Release(number=0, project=project, version=version, **facts)).number
    for seed in images:
        tx.images.add(an_image(seed, chip="esp32"), tx.second)
        image = ReleaseImage(name=f"{seed}.bin", sha256=seed * 64, size=1_000)
        tx.releases.add_image(number, image, tx.second)
    return number


def a_device(device_id: str = "board", **facts: Any) -> Device:
    return Device(**({"id": device_id, "project": "lamp"} | facts))


def an_attempt(release: int, device: str = "board", **facts: Any) -> Attempt:
    known: dict[str, Any] = {
        "id": 0,
        "device": device,
        "project": "lamp",
        "release": release,
        "version": "1.0.0",
        "image_name": "a.bin",
        "sha256": "a" * 64,
        "size": 1_000,
        "state": State.OFFERED,
        "from_version": None,
        "from_sha256": None,
        "offered_at": 100,
        "changed_at": 100,
    }
    return Attempt(**(known | facts))
