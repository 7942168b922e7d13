"""The devices that poll and have nothing to do: many, each with a credential of its own.

Ours are written into the data folder before the server starts. All run the newest release and have
said what they are, as those of the rival have. A file of requests, one a line, is for load.lua.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.stage import HARDWARE, NEWEST, PROJECT, Stage
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.operator import Operator
from ota_http_server.operations.give_key import KeyWish
from ota_http_server.operations.verify_token import credential_of
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings
from ota_http_server.storage.credentials import Credential, Kind
from ota_http_server.storage.transaction import Writing

DEVICES = 500
"""Enough that nobody answers from what he remembers of one; few enough to be introduced soon."""
CONTROLLER = "/DEFAULT/controller/v1"
CHECK = f"/api/device/v1/check?version={NEWEST}&chip={HARDWARE}"


@dataclass(frozen=True, slots=True)
class Polled:
    """One device; `credential` "" where the server wants none."""

    name: str
    credential: str = field(default="", repr=False)

    @property
    def poll(self) -> tuple[str, dict[str, str]]:
        """hawkBit's: the path and the headers."""
        shown = {"Authorization": f"TargetToken {self.credential}"} if self.credential else {}
        return f"{CONTROLLER}/{self.name}", shown

    @property
    def check(self) -> tuple[str, dict[str, str]]:
        """Ours, in JSON."""
        return CHECK, {"Authorization": f"Bearer {self.credential}"}


def names() -> list[str]:
    return [f"bench-{number:04d}" for number in range(DEVICES)]


def enrolled(stage: Stage, data_folder: Path) -> tuple[tuple[Polled, ...], str]:
    """The devices of a server of ours that will start in this data folder, and a key to it."""
    with opened_ota(settings_of(stage, data_folder)) as ota:
        devices = tuple(Polled(name, ota.opaque.new_credential()) for name in names())
        ota.stores.database.change(lambda tx: write(tx, devices, NEWEST))
        wish = KeyWish.of("bench", "publisher", None, None)
        key = ota.keys.create(Operator("shell", None), wish).text
    return devices, key


def settings_of(stage: Stage, data_folder: Path) -> Settings:
    """Those of our server in this data folder, for a second process on its rows."""
    return Settings(
        www_dir=stage.www,
        data_dir=data_folder,
        ota_audit_log=data_folder / "ota_audit.log",
        jwt_secret=stage.secret,
    )


def write(tx: Writing, devices: Sequence[Polled], version: str) -> None:
    """The devices, as if each had said before that it runs this version."""
    for one in devices:
        tx.devices.add(
            Device(
                id=one.name,
                project=PROJECT,
                chip=HARDWARE,
                version=version,
                version_from=VersionFrom.DEVICE,
                attributes={"sw_version": version},
                attributes_wanted=False,
                created_at=tx.second,
                created_by="bench",
            )
        )
        digest = credential_of(one.credential).hex()
        tx.credentials.add(Credential(digest, Kind.DEVICE, one.name, PROJECT, tx.second, "bench"))


def written(path: Path, requests: Sequence[tuple[str, dict[str, str]]]) -> Path:
    """The requests as load.lua reads them: path and Authorization, with a tab between."""
    lines = [f"{where}\t{headers.get('Authorization', '')}\n" for where, headers in requests]
    path.write_text("".join(lines), "ascii")
    return path
