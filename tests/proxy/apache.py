"""The real Apache with the configuration that we ship, in a folder of its own."""

import re
from pathlib import Path

from tests.proxy.cluster import Cluster
from tests.proxy.front import Front
from tests.running import wait_until

SHIPPED = Path(__file__).parents[2] / "deploy" / "apache"
MODULES = Path("/usr/lib/apache2/modules")

SENDFILE_LINES = r"(?mi)^#((Define OTA_BLOBS|</?IfModule|    LoadModule|XSendFile).*)$"
"""What is to be uncommented for mod_xsendfile."""

# What a distribution's main configuration has; the rest must come from ours.
MAIN = """
ServerRoot "{root}"
DefaultRuntimeDir "{root}"
PidFile "{root}/apache.pid"
ServerName localhost
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
StartServers 2
ThreadsPerChild 32
ServerLimit 4
MaxRequestWorkers 128
User www-data
Group www-data
ErrorLog "{root}/main.error.log"
Include "{root}/ota.conf"
"""


class Apache(Front):
    program = "apache2"
    options = ("-d", "{root}", "-f", "main.conf", "-D", "FOREGROUND")

    def __init__(
        self, root: Path, cluster: Cluster, *, idle_seconds: int = 2, sendfile: bool = False
    ) -> None:
        super().__init__(root, cluster)
        self._idle_seconds = idle_seconds
        self._sendfile = sendfile

    def served_by(self, mark: str = "") -> set[int]:
        """The ports of the instances that answered requests whose log line holds `mark`."""
        found = (re.search(r" http://127\.0\.0\.1:(\d+) ", line) for line in self.transfers)
        return {int(m[1]) for m in found if m and mark in m.string}

    def await_request_at(self, port: int) -> None:
        """Returns when this instance has answered another request: Apache counts on it again."""
        path = self.root / "ota.transfer.log"
        begin = path.stat().st_size
        wanted = f" http://127.0.0.1:{port} ".encode()

        def answered() -> bool:
            with path.open("rb") as log:
                log.seek(begin)
                return wanted in log.read()

        wait_until(answered)

    def _configure(self) -> None:
        """The shipped files, changed as their readers change them: in their Defines."""
        ports = [instance.port for instance in self.cluster.instances]
        chosen = {
            "OTA_MODULES": MODULES,
            "OTA_CONF": self.root,
            "OTA_CERTS": self.root,
            "OTA_LOGS": self.root,
            "OTA_NAME": "localhost",
            "OTA_PORT": self.port,
            "OTA_IDLE_SECONDS": self._idle_seconds,
            "OTA_CHECK_SECONDS": 1,
            "OTA_BLOBS": self.cluster.any.data_dir / "blobs",
        } | {f"OTA_INSTANCE_{n}": f"http://127.0.0.1:{port}" for n, port in enumerate(ports, 1)}
        for name in ("ota.conf", "httpd-proxy-ota.conf"):
            text = (SHIPPED / name).read_text()
            if self._sendfile:
                text = re.sub(SENDFILE_LINES, r"\1", text)
            for key, value in chosen.items():
                text = re.sub(rf"(?m)^Define {key} .*$", f'Define {key} "{value}"', text)
            (self.root / name).write_text(text)
        main = MAIN.format(root=self.root, modules=MODULES)
        (self.root / "main.conf").write_text(main)
