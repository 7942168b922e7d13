"""The whole application in this process: asked through WSGI, its clock moved by the test.

    with Instance(tmp_path) as ota:
        ota.drop("lamp", "lamp-1.0.0.bin", esp_application())
        token = ota.mint("lamp")
        assert ota.get("/firmware/lamp/lamp-1.0.0.bin", token).status_code == 200

Two instances on one folder share database, blobs and secrets, as two servers behind a proxy do.
Chores do not run by themselves: `settle` does what the background would have done by now.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from werkzeug.test import TestResponse

from ota_http_server.app import Host, create_app
from ota_http_server.settings import Settings

DEVICE = "e6f87d77-4216-4be1-ab83-b5fa6792b747"
ADMIN_SECRET = "an admin secret that only tests know"
JWT_SECRET = "a signing secret that only tests know, long enough"


class Clock:
    """The time of this machine, moved ahead (or back) as the test likes."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def pass_seconds(self, seconds: float) -> None:
        self.ahead += seconds

    def wall(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.wall(), UTC)

    @property
    def second(self) -> int:
        return int(self.wall())


class Instance:
    """`create_app` over `folder`; any setting may be given by its name."""

    def __init__(self, folder: Path, clock: Clock | None = None, **settings: Any) -> None:
        self.folder = folder
        self.clock = clock or Clock()
        self.firmware = folder / "www" / "firmware"
        self.firmware.mkdir(parents=True, exist_ok=True)
        chosen = {
            "www_dir": folder / "www",
            "data_dir": folder / "data",
            "ota_audit_log": folder / "ota_audit.log",
            "admin_secret": ADMIN_SECRET,
            "jwt_secret": JWT_SECRET,
        }
        clocks = {"wall": self.clock.wall, "monotonic": self.clock.monotonic}
        self.app = create_app(Settings(**chosen | settings), Host(clock=self.clock, **clocks))
        self.app.extensions["background"].stop()
        self.ota = self.app.extensions["ota"]
        # pylint: disable-next=protected-access  # nothing is on its way: no chore runs by itself
        self.ota.begun._pause = lambda _seconds: None
        self.ota.catalog.follows_at_once = True
        self.client = self.app.test_client()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.ota.stores.database.close()

    def settle(self) -> None:
        """What the background does within a fraction of a second."""
        self.ota.begun.write()

    def ask(self, method: str, path: str, token: str | None = None, **headers: str) -> TestResponse:
        """One request; `_` in names of headers means `-`."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        return self.client.open(path, method=method, headers=fields, buffered=True)

    def get(self, path: str, token: str | None = None, **headers: str) -> TestResponse:
        return self.ask("GET", path, token, **headers)

    def admin(self, path: str, document: object, **headers: str) -> TestResponse:
        """A POST of JSON with the admin secret, or another one given as `X_Admin_Secret`."""
        said = {"X-Admin-Secret": ADMIN_SECRET}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, json=document, headers=said)

    def mint(self, project: str, device: str = DEVICE, **more: Any) -> str:
        wish = {"device_id": device, "project": project, **more}
        answer = self.admin("/admin/generate_token", wish)
        assert answer.status_code == 200, answer.data
        return str(answer.json["token"])

    def drop(self, project: str, name: str, content: bytes) -> Path:
        """Puts a file into the folder, whole at once."""
        folder = self.firmware / project
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{name}.part"
        partial.write_bytes(content)
        return partial.replace(folder / name)

    def drop_old(self, project: str, name: str, content: bytes) -> Path:
        """The same, long enough ago: the clock moves until even an opaque file is whole."""
        path = self.drop(project, name, content)
        os.utime(path)
        self.clock.pass_seconds(3)
        return path
