"""The command line as a person has it: words in; output, complaints and an exit status out."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ota_http_server.cli import main

SECONDS_MAX = 120


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


def real(folder: Path, *words: str, given: str = "", **env: str) -> Said:
    """`ota_http_server` as a process of its own, with nothing of our environment."""
    done = subprocess.run(
        [sys.executable, "-m", "ota_http_server", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **env},
        input=given.encode(),
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


class Caller:
    """The same in this process: fast, for commands that end by themselves."""

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(folder)
        for name in list(os.environ):
            if name.startswith("OTA_"):
                monkeypatch.delenv(name)

    def __call__(self, *words: str, **env: str) -> Said:
        self._capsys.readouterr()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["ota_http_server", *words])
            for name, value in env.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as end:
                main()
        heard = self._capsys.readouterr()
        status = end.value.code
        return Said(status if isinstance(status, int) else int(bool(status)), heard.out, heard.err)
