"""The rival that speaks hawkBit's DDI too: gooseBit from PyPI, by its own recipe.

It has a virtualenv of its own in the user's cache folder, made once. It runs as one process, as it
must; its logs are off, for ours are, and its devices need no token, as it comes.
"""

import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contestants import (
    GOOSEBIT,
    START_SECONDS,
    Absent,
    Contestant,
    NotReady,
    free_port,
    prove_idle,
)
from benchmarks.polled import CONTROLLER, Polled, names
from benchmarks.processes import started
from benchmarks.stage import HOST, NEWEST, Stage
from ota_http_server.domain.swupdate_sample import swupdate_bundle

VERSION = "0.2.12"
INSTALL_SECONDS = 300
HARDWARE_REVISION = "1.0"
_QUIET = {"version": 1, "root": {"level": "WARNING"}}
_AERICH = """\
[tool.aerich]
tortoise_orm = "goosebit.db.config.TORTOISE_CONF"
location = "{migrations}"
src_folder = "./."
"""


def cache_folder() -> Path:
    """Where the virtualenv lies; each Python has its own."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return base / "ota_http_server" / f"goosebit-{VERSION}-python{python}"


def installed(folder: Path) -> Path:
    """The folder, with gooseBit in it; `Absent` says why that cannot be."""
    complete = folder / "complete"
    if complete.exists():
        return folder
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", folder])
        _run([folder / "bin" / "pip", "install", "--quiet", f"goosebit=={VERSION}"])
        complete.touch()
    except (OSError, subprocess.SubprocessError) as error:
        raise Absent(f"gooseBit {VERSION} could not be installed: {_why(error)}") from error
    return folder


@contextmanager
def running(stage: Stage) -> Iterator[Contestant]:
    """The server inside the block, with devices that it knows and has nothing for."""
    venv = installed(cache_folder())
    port = free_port()
    folder = stage.folder / f"{GOOSEBIT}-{port}"
    folder.mkdir()
    environment = _environment(folder)
    _make_database(venv, folder, environment)
    command: list[str | Path] = [
        *(venv / "bin" / "uvicorn", "goosebit:app", "--host", HOST, "--port", str(port)),
        *("--no-access-log", "--log-level", "warning"),
    ]
    log = folder / "log"
    with started(command, log, environment, folder) as child:
        _await(port, child, log)
        devices = _introduced(port)
        contestant = Contestant(GOOSEBIT, port, False, child.pid, folder, tuple(devices))
        prove_idle(contestant, stage)
        yield contestant


def _environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GOOSEBIT_", "OTEL_"))}
    return kept | {
        "GOOSEBIT_DB_URI": f"sqlite:///{folder}/db.sqlite3",
        "GOOSEBIT_ARTIFACTS_DIR": str(folder / "artifacts"),
        "GOOSEBIT_LOGGING": json.dumps(_QUIET),
    }


def _make_database(venv: Path, folder: Path, environment: dict[str, str]) -> None:
    (migrations,) = venv.glob("lib/python*/site-packages/goosebit/db/migrations")
    configuration = folder / "aerich.toml"
    configuration.write_text(_AERICH.format(migrations=migrations))
    command: list[str | Path] = [venv / "bin" / "aerich", "--config", configuration, "upgrade"]
    try:
        _run(command, cwd=folder, env=environment)
    except subprocess.SubprocessError as error:
        raise NotReady(f"gooseBit made no database: {_why(error)}") from error


def _await(port: int, child: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            Asking(port).ask("GET", "/setup")
            return
        except (OSError, http.client.HTTPException):
            pass  # not listening yet
        if child.poll() is not None or time.monotonic() > deadline:
            raise NotReady(f"gooseBit did not start:\n{log.read_text(errors='replace')[-800:]}")
        time.sleep(0.05)


class Asking:
    """One kept-alive connection to it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=30)
        self._headers: dict[str, str] = {}

    def ask(self, method: str, path: str, body: bytes | None = None, media: str = "") -> bytes:
        headers = self._headers | ({"Content-Type": media} if media else {})
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            said = content[:200].decode(errors="replace")
            raise NotReady(f"gooseBit answers {answer.status} to {method} {path}: {said}")
        return content

    def tell(self, method: str, path: str, document: object) -> None:
        self.ask(method, path, json.dumps(document).encode(), "application/json")

    def set_up(self) -> None:
        """The first user, whose token opens the rest."""
        form = f"username=bench@example.org&password={secrets.token_urlsafe(12)}".encode()
        said = json.loads(self.ask("POST", "/setup", form, "application/x-www-form-urlencoded"))
        self._headers = {"Authorization": f"Bearer {said['access_token']}"}

    def publish(self, bundle: bytes) -> None:
        boundary = secrets.token_hex(16)
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="lamp.swu"'
        tail = f"\r\n--{boundary}--\r\n".encode()
        body = f"{head}\r\n\r\n".encode() + bundle + tail
        self.ask("PUT", "/api/v1/software", body, f"multipart/form-data; boundary={boundary}")


def _introduced(port: int) -> list[Polled]:
    """Devices that follow the newest software, and said that they run it."""
    asking = Asking(port)
    asking.set_up()
    asking.publish(swupdate_bundle(version=NEWEST, hardware=(HARDWARE_REVISION,)))
    devices = [Polled(name) for name in names()]
    wish = {"devices": [one.name for one in devices], "software": "latest"}
    asking.tell("PUT", "/api/v1/devices", wish)
    runs = {"hw_boardname": "default", "hw_revision": HARDWARE_REVISION, "sw_version": NEWEST}
    for one in devices:
        asking.tell("PUT", f"{CONTROLLER}/{one.name}/configData", {"data": runs})
    return devices


def _run(command: list[str | Path], **how: object) -> None:
    subprocess.run(
        list(map(str, command)),
        check=True,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        stdin=subprocess.DEVNULL,
        **how,  # type: ignore[call-overload]
    )


def _why(error: Exception) -> str:
    said = str(getattr(error, "stderr", "") or error).strip().splitlines()
    return said[-1][:200] if said else type(error).__name__
