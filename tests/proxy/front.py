"""What every proxy in front of a cluster is to the tests: a program, its folder, its logs."""

import signal
import subprocess
import sys
from abc import abstractmethod
from pathlib import Path
from typing import Self

from tests.asking import PATIENCE_SECONDS, Door
from tests.conftest import component
from tests.proxy.cluster import Cluster
from tests.running import free_port, wait_until


class Front(Door):
    """TLS on loopback in front of a cluster; ready when the block begins."""

    tls = True
    program: str
    """What it is called where it is installed."""
    options: tuple[str, ...]
    """How it is started; `{root}` stands for its folder."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self.root = root
        self.cluster = cluster
        self.port = free_port()
        self.ca = root / "ca_cert.pem"
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _configure(self) -> None:
        """Writes the shipped configuration into the folder, changed as its readers change it."""

    @property
    def admin_secret(self) -> str:
        return self.cluster.any.admin_secret

    def __enter__(self) -> Self:
        self._configure()
        make_certificate(self.root)
        found = component(self.program)
        assert found is not None
        command = [found, *(option.format(root=self.root) for option in self.options)]
        # pylint: disable-next=consider-using-with  # it lives until the block ends
        self._process = subprocess.Popen(command, stderr=(self.root / "out.log").open("ab"))
        try:
            wait_until(self._answers, lambda: f"{self.program} does not answer:\n{self.said}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE_SECONDS)

    @property
    def said(self) -> str:
        """All its error logs."""
        logs = ("out.log", "main.error.log", "ota.error.log")
        return "".join(self._read(name) for name in logs)

    @property
    def transfers(self) -> list[str]:
        """The lines of the shipped log format."""
        return self._read("ota.transfer.log").splitlines()

    def _read(self, name: str) -> str:
        path = self.root / name
        return path.read_text(errors="replace") if path.exists() else ""

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.said
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False


def make_certificate(folder: Path) -> None:
    """ca_cert.pem, server_cert.pem and their keys, as an operator makes them for a proxy."""
    program = [sys.executable, "-m", "ota_http_server", "certs", "localhost", "127.0.0.1"]
    subprocess.run([*program, "--out", folder], check=True, capture_output=True)
