"""The real nginx with the configuration that we ship, in a folder of its own."""

import re
import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.asking import PATIENCE_SECONDS, Door
from tests.conftest import component
from tests.proxy.apache import make_certificate
from tests.proxy.cluster import Cluster
from tests.running import free_port, wait_until

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "ota.conf"

MAIN = """
daemon off;
user www-data;
pid {root}/nginx.pid;
error_log {root}/main.error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {root}/ota.conf;
}}
"""


class Nginx(Door):
    """TLS on loopback in front of a cluster; ready when the block begins."""

    tls = True

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self.root = root
        self.cluster = cluster
        self.port = free_port()
        self.ca = root / "ca_cert.pem"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def admin_secret(self) -> str:
        return self.cluster.any.admin_secret

    def __enter__(self) -> Self:
        self._configure()
        program = component("nginx")
        assert program is not None
        command = [program, "-p", str(self.root), "-c", str(self.root / "main.conf")]
        # pylint: disable-next=consider-using-with  # it lives until the block ends
        self._process = subprocess.Popen(command, stderr=(self.root / "out.log").open("ab"))
        try:
            wait_until(self._answers, lambda: f"nginx does not answer:\n{self.said}")
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

    def _configure(self) -> None:
        """The shipped file with this machine's places, as its reader changes them."""
        text = SHIPPED.read_text()
        places = {
            "/etc/nginx/ota/": f"{self.root}/",
            "/var/log/nginx/": f"{self.root}/",
            "/var/lib/ota_http_server/data/": f"{self.cluster.any.data_dir}/",
            "mycompany.com;": "localhost;",
            "listen 8070 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
        }
        for shipped, ours in places.items():
            assert shipped in text
            text = text.replace(shipped, ours)
        ports = iter(self.cluster.instances)
        text = re.sub(
            r"(?m)^( +server 127\.0\.0\.1:)\d+", lambda m: f"{m[1]}{next(ports).port}", text
        )
        (self.root / "ota.conf").write_text(text)
        (self.root / "main.conf").write_text(MAIN.format(root=self.root))
        make_certificate(self.root)
