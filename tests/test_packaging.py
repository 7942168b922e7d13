"""The wheel, installed into an environment that has nothing else of ours."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from ota_http_server import __version__
from ota_http_server.domain.esp_sample import esp_application
from tests.running import Server

ROOT = Path(__file__).parents[1]


def run(*command, cwd=ROOT):
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir", folder, ".")
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """Its Python sees our dependencies, but our package only from the wheel."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel)
    places = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(places) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


class Installed(Server):
    """The server of the installed wheel, by the command that it brings."""

    program: Path

    @property
    def command(self):
        return [str(self.program), *super().command[3:]]


def test_the_wheel_holds_the_package_and_the_licence_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert wheel.name == f"ota_http_server-{__version__}-py3-none-any.whl"
    assert {name.split("/")[0] for name in names} == {
        "ota_http_server",
        f"ota_http_server-{__version__}.dist-info",
    }
    assert "ota_http_server/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_every_file_of_the_package_that_is_not_python_is_in_the_wheel_too(wheel):
    source = ROOT / "src"
    ours = {
        path.relative_to(source).as_posix()
        for path in (source / "ota_http_server").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert ours <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_says_what_it_needs_and_is(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = archive.read(name).decode()

    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "Requires-Dist: flask" in metadata
    assert "Provides-Extra: postgresql" in metadata


def test_the_installed_server_mints_and_serves(environment, tmp_path):
    image = esp_application(version="1.4.0", project="lamp")
    server = Installed(tmp_path)
    server.program = environment / "bin" / "ota_http_server"
    with server:
        server.drop("lamp", "lamp-1.4.0.bin", image)
        token = server.mint("lamp")
        answer = server.get("/firmware/lamp/lamp-1.4.0.bin", token)

    assert (answer.status, answer.body) == (200, image)


def test_the_installed_command_is_the_wheels_own(environment, tmp_path):
    python = environment / "bin" / "python"
    place = run(python, "-c", "import ota_http_server as o; print(o.__file__)", cwd=tmp_path)
    command = environment / "bin" / "ota_http_server"

    assert Path(place.strip()).is_relative_to(environment)
    assert run(command, "--version", cwd=tmp_path) == f"ota_http_server, version {__version__}\n"
    assert run(command, "doctor", cwd=tmp_path).splitlines()[-1] == "audit: ok"
