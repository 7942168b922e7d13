"""Started servers, and certificates for them."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.running import Running, end, start


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers; all of them end with the test."""
    started: list[Running] = []

    def starter(**options: object) -> Running:
        started.append(start(tmp_path, **options))
        return started[-1]

    yield starter
    for running in started:
        end(running)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server with default limits for all tests of a file that change nothing in it."""
    running = start(tmp_path_factory.mktemp("shared"), workers=1)
    yield running
    end(running)


def make_pair(folder: Path, name: str) -> dict[str, Path]:
    """A key and a self-signed certificate with this common name."""
    folder.mkdir(exist_ok=True)
    pair = {"certificate": folder / "cert.pem", "key": folder / "key.pem"}
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", str(pair["key"]), "-out", str(pair["certificate"])),
        ],
        check=True,
        capture_output=True,
    )
    return pair


@pytest.fixture
def pair(tmp_path: Path) -> dict[str, Path]:
    return make_pair(tmp_path / "tls", "first")
