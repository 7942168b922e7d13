"""What `simulate` plays: which devices there are, what they run, and what comes."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ota_http_server.cli.token import SHELL
from ota_http_server.domain.attempt import State
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.mcuboot_sample import mcuboot_image
from ota_http_server.domain.swupdate_sample import swupdate_bundle
from ota_http_server.operations.stage_fleet import PREFIX, Staged, StageFleet
from ota_http_server.simulation.arduino import ArduinoEsp32
from ota_http_server.simulation.board import Behaviour, Board, Device, Firmware
from ota_http_server.simulation.esp_idf import EspIdf
from ota_http_server.simulation.esphome import EspHome
from ota_http_server.simulation.fleet import Member
from ota_http_server.simulation.hawkbit import SwUpdate, Zephyr
from ota_http_server.simulation.line import Access

RUNS, COMES = "1.0.0", "1.1.0"
ROLLOUT_PREFIX = f"{PREFIX}rollout-"
NO_BOARD = 9999  # no real board starts these images
FREE_BYTES = 8 * 2**20
REVISION = 9999  # the simulated boards do
WAYS = (Behaviour(rolls_back=True), Behaviour(loops=True), Behaviour(falls_silent=True))
"""The ways to misbehave, in turn."""


@dataclass(frozen=True, slots=True)
class Family:
    """Devices that take the same images."""

    project: str
    chip: str | None
    file: str
    make: Callable[[str, int], bytes]
    """An image of a version, with a payload of so many bytes."""


ESP32 = Family(
    f"{PREFIX}esp32",
    "esp32",
    "sim-{}.bin",
    lambda version, size: esp_application(
        version=version, project="sim", payload_bytes=size, min_chip_revision=NO_BOARD
    ),
)
LINUX = Family(
    f"{PREFIX}linux",
    None,
    "sim-{}.swu",
    lambda version, size: swupdate_bundle(version=version, hardware=("sim",), payload_bytes=size),
)
ZEPHYR = Family(
    f"{PREFIX}zephyr",
    None,
    "sim-{}.bin",
    lambda version, size: mcuboot_image(version=version, payload_bytes=size),
)


@dataclass(frozen=True, slots=True)
class Client:
    """A kind of device, and whether the server ever hears what it runs."""

    family: Family
    tells_version: bool = True


CLIENTS = {
    "esp-idf": Client(ESP32),
    "arduino": Client(ESP32),
    "esphome": Client(ESP32, tells_version=False),  # a real one might, in the manifest's URL
    "swupdate": Client(LINUX),
    "zephyr": Client(ZEPHYR, tells_version=False),  # it says that it installed, not what it runs
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Who plays, and against whom."""

    server: str
    access: Access
    image_bytes: int
    devices: int
    misbehave_percent: int
    bricked_by: str | None = None
    """A version from which none of them comes back."""
    by_rollouts: bool = False
    """In projects of their own, whose releases spread by rollouts alone."""

    def project(self, family: Family) -> str:
        if not self.by_rollouts:
            return family.project
        return f"{ROLLOUT_PREFIX}{family.project.removeprefix(PREFIX)}"


def publish(
    firmware: Path, project: str, family: Family, image_bytes: int, versions: Sequence[str]
) -> None:
    """Puts these versions into the project's folder, each whole at once; what is there stays."""
    folder = firmware / project
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions:
        path = folder / family.file.format(version)
        if not path.exists():
            unfinished = path.with_name(path.name + ".tmp")
            unfinished.write_bytes(family.make(version, image_bytes))
            unfinished.replace(path)


def cast(stage: StageFleet, scene: Scene, clients: list[str]) -> dict[str, list[Member]]:
    """The devices of each client, in the registry and ready to live."""
    run = secrets.token_hex(3)
    names: dict[str, list[str]] = defaultdict(list)
    for number in range(scene.devices):
        client = clients[number % len(clients)]
        names[client].append(f"{PREFIX}{run}-{client}-{number:05d}")
    members = {}
    for client, its in names.items():
        family = CLIENTS[client].family
        staged = stage(SHELL, scene.project(family), its, chip=family.chip, version=RUNS)
        running = Firmware.of(family.make(RUNS, scene.image_bytes), RUNS)
        members[client] = [
            Member(client, _device(scene, client, one, running, number), one.device)
            for number, one in enumerate(staged)
        ]
    return members


def _device(scene: Scene, client: str, staged: Staged, running: Firmware, number: int) -> Device:
    board = Board(
        running,
        mac=":".join(f"{byte:02X}" for byte in (0x02, 0, *number.to_bytes(4, "big"))),
        chip=CLIENTS[client].family.chip or "sim",
        revision=REVISION,
        free_bytes=FREE_BYTES,
        behaviour=replace(_behaviour(number, scene.misbehave_percent), bricked_by=scene.bricked_by),
    )
    access = Access(token=staged.credential, tls=scene.access.tls)
    folder = f"{scene.server}/firmware/{scene.project(CLIENTS[client].family)}"
    match client:
        case "esp-idf":
            url = f"{scene.server}/api/device/v1/check"
            return EspIdf(url, board, access, partial=number % 2 == 1)
        case "arduino":
            return ArduinoEsp32(f"{folder}/latest.bin", board, access)
        case "esphome":
            return EspHome(f"{folder}/manifest.json?revision={REVISION}", board, access)
        case "swupdate":
            return SwUpdate(scene.server, board, access, controller=staged.device)
    return Zephyr(scene.server, board, access, controller=staged.device)


def _behaviour(number: int, percent: int) -> Behaviour:
    """Spread evenly: of every hundred so many."""
    before, after = number * percent // 100, (number + 1) * percent // 100
    return WAYS[before % len(WAYS)] if after > before else Behaviour()


def is_believed_truly(client: str, updated: int, believed: dict[State | None, int]) -> bool:
    """Nobody is verified who does not run it, and who tells what it runs is verified."""
    verified = believed.get(State.VERIFIED, 0)
    return verified == updated if CLIENTS[client].tells_version else verified <= updated
