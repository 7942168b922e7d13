"""The real product as a process of its own: started, asked, stopped.

    with Server(tmp_path, "--workers", "2") as server:
        server.drop("lamp", "lamp-1.0.0.bin", esp_application())
        token = server.mint("lamp")
        assert server.get("/firmware/lamp/lamp-1.0.0.bin", token).status == 200

Several servers may share one folder: give each its own `Server` with the same `folder`.
"""

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.asking import DEVICE, PATIENCE_SECONDS, Answer, Door, ask

__all__ = [
    "DEVICE",
    "PATIENCE_SECONDS",
    "Answer",
    "Door",
    "Server",
    "ask",
    "free_port",
    "wait_until",
]

# Below the ports that the kernel gives to outgoing connections: none of those takes ours away
# between the moment it is found free and the moment the server binds it.
_PORTS = (12_000, 32_000)


class Server(Door):
    """`python -m ota_http_server` in `folder`, with nothing of this process's environment.

    `options` are those of the command line; plain HTTP on loopback and one worker unless they or
    `tls` say otherwise. As a context manager it is ready when the block begins and gone after it.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        tls: bool = False,
        port: int | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.tls = tls
        self.port = port or free_port()
        self.env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), **(env or {})}
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = time.monotonic()
        self._log_path = folder / f"server-{self.port}.log"

    @property
    def ca(self) -> Path:  # type: ignore[override]
        return self.data_dir / "tls" / "ca_cert.pem"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def firmware_dir(self) -> Path:
        return self.folder / "www" / "firmware"

    @property
    def command(self) -> list[str]:
        chosen = () if self.tls else ("--no-certs",)
        if "--workers" not in self.options:
            chosen += ("--workers", "1")
        place = ("--host", "127.0.0.1", "--port", str(self.port))
        return [sys.executable, "-m", "ota_http_server", *place, *chosen, *self.options]

    def __enter__(self) -> Self:
        self.start()
        try:
            self.await_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """A test that ends does not wait for downloads under way."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def start(self) -> None:
        """Starts the process and does not wait for it."""
        self.started_at = time.monotonic()
        with self._log_path.open("ab") as log:
            # pylint: disable-next=consider-using-with  # it lives until `kill`
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_age(self, seconds: float) -> None:
        """Returns when so long has passed since it was started."""
        time.sleep(max(0.0, self.started_at + seconds - time.monotonic()))

    def await_ready(self) -> None:
        """Returns when `/readyz` says so; fails with the log when the process ends instead."""

        def ready() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended ({self.process.returncode}):\n{self.log}")
            try:
                return self.get("/readyz").status == 200
            except (OSError, http.client.HTTPException):
                return False

        wait_until(ready, lambda: f"the server is not ready:\n{self.log}")

    def stop(self) -> int:
        """The polite stop (SIGTERM); the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """Ends the process and its workers at once, as a power cut would."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    @property
    def log(self) -> str:
        """What it wrote to its output, all starts together."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    @property
    def audit_lines(self) -> list[str]:
        return (self.folder / "ota_audit.log").read_text().splitlines()

    @property
    def admin_secret(self) -> str:
        return (self.data_dir / "secrets" / "admin").read_text().strip()

    def drop(self, project: str, name: str, content: bytes) -> Path:
        """Puts a file into the firmware folder, whole at once.

        Images that know their own length (`domain.esp_sample`) are served from then on, others
        after they stood still for a second: `await_served` waits for that.
        """
        folder = self.firmware_dir / project
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{name}.part"
        partial.write_bytes(content)
        return partial.replace(folder / name)

    def await_served(self, project: str, name: str, content: bytes, token: str) -> None:
        """Returns when the server serves exactly this content under this name."""
        path = f"/firmware/{project}/{name}"
        wait_until(lambda: self.get(path, token).body == content, lambda: f"not served: {path}")


def wait_until(
    happened: Callable[[], object],
    complaint: Callable[[], str] = lambda: "it did not happen",
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Looks again and again until it has happened; fails in words after a generous time."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.05)


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    chance = random.SystemRandom()  # Hypothesis and pytest seed the ordinary one
    while True:
        port = chance.randrange(*_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
