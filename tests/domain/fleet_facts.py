"""Devices, releases and images for tests of the decision: named by what matters in them."""

from dataclasses import replace
from typing import Any

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.decision import decide
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.offer import Decision, History
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import Release, ReleaseImage

NOW = 1_760_000_000
LAMP = Project(name="lamp")


def an_image(name: str = "lamp.bin", **facts: Any) -> ReleaseImage:
    known = {"sha256": name.encode().hex().ljust(64, "0")[:64], "size": 1_000_000}
    known |= {"chip": "esp32", "format": "esp-idf-app"}
    return ReleaseImage(name=name, **(known | facts))


def a_release(version: str, *images: ReleaseImage, **facts: Any) -> Release:
    number = facts.pop("number", 0)
    its = images or (an_image(f"lamp-{version}.bin"),)
    return Release(number=number, project="lamp", version=version, images=its, **facts)


def newest_first(*releases: Release) -> list[Release]:
    numbered = [replace(release, number=number) for number, release in enumerate(releases, 1)]
    return sorted(numbered, key=lambda release: release.order, reverse=True)


def a_device(version: str | None = "1.0.0", **facts: Any) -> Device:
    known: dict[str, Any] = {"id": "board", "project": "lamp", "chip": "esp32"}
    if version is not None:
        known |= {"version": version, "version_from": VersionFrom.DEVICE}
    return Device(**(known | facts))


def an_attempt(release: Release, state: State = State.OFFERED, **facts: Any) -> Attempt:
    image = release.images[0]
    known: dict[str, Any] = {
        "id": 1001,
        "device": "board",
        "project": "lamp",
        "release": release.number,
        "version": release.version,
        "image_name": image.name,
        "sha256": image.sha256,
        "size": image.size,
        "state": state,
        "from_version": "1.0.0",
        "from_sha256": None,
        "offered_at": NOW - 60,
        "changed_at": NOW - 60,
    }
    return Attempt(**(known | facts))


def decided(
    device: Device,
    *releases: Release,
    project: Project = LAMP,
    attempt: Attempt | None = None,
    history: History | None = None,
    at: int = NOW,
    **more: Any,
) -> Decision:
    known = newest_first(*releases)
    return decide(device, project, known, attempt, history or History(), at=at, **more)
