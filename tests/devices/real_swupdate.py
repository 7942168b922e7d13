"""The real swupdate (Debian's package) as a daemon in a temporary folder, and bundles for it.

It has no bootloader here that could keep its state, so a restart is told by `-c 2` that the update
which it finds worked (3: that it failed), as the integration of a real board would.
"""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

from ota_http_server.domain.swupdate_sample import swupdate_bundle
from tests.conftest import component

OPENSSL_SECONDS = 60


class Signer:
    """A self-made certificate, which is the key that the device trusts."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "signer.pem"
        self._key = folder / "signer.key"
        _openssl(
            *["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"],
            *("-subj", "/CN=bundles", "-addext", "extendedKeyUsage=emailProtection"),
            *("-addext", "keyUsage=digitalSignature"),
            *("-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def __call__(self, description: bytes) -> bytes:
        return _openssl(
            *["cms", "-sign", "-binary", "-nosmimecap", "-outform", "DER"],
            *("-signer", str(self.certificate), "-inkey", str(self._key)),
            said=description,
        )

    def bundle(self, version: str, path: Path, **facts: int) -> bytes:
        return swupdate_bundle(version=version, path=str(path), sign=self, **facts)


class SwUpdate:
    """One start of it. As a context manager it is ended, with all its children, after the block."""

    def __init__(
        self,
        folder: Path,
        url: str,
        device: str,
        token: str,
        signer: Signer,
        *,
        version: str,
        confirms: int | None = None,
        scheme: str = "targettoken",
        extra: str = "",
    ) -> None:
        self._log_path = folder / "swupdate.log"
        self._folder = folder
        # pylint: disable-next=consider-using-with  # it lives as long as this object
        self._sockets = tempfile.TemporaryDirectory(prefix="swupdate-")  # their paths are short
        config = folder / "swupdate.cfg"
        config.write_text(
            f"""globals : {{ loglevel = 5; }};
suricatta : {{
  tenant = "default"; id = "{device}"; url = "{url}"; {scheme} = "{token}";
  retry = 5; retrywait = 1; {extra}
}};
identify : (
  {{ name = "version"; value = "{version}"; }},
  {{ name = "hw_revision"; value = "1.0"; }}
);
"""
        )
        program = component("swupdate")
        assert program is not None
        ways = ("-f", str(config), "-k", str(signer.certificate), "-H", "board:1.0")
        self._command = (program, *ways, "-u", "" if confirms is None else f"-c {confirms}")

    def __enter__(self):
        with self._log_path.open("ab") as log:
            # pylint: disable-next=consider-using-with  # it lives until the end of the block
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "TMPDIR": self._sockets.name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()

    @property
    def log(self) -> str:
        return self._log_path.read_text(errors="replace")


def _openssl(*arguments: str, said: bytes = b"") -> bytes:
    return subprocess.run(
        ("openssl", *arguments),
        input=said,
        check=True,
        capture_output=True,
        timeout=OPENSSL_SECONDS,
    ).stdout
