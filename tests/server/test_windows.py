"""The stand-in for Windows, tried where the tests run."""

import subprocess
import sys
from pathlib import Path

import pytest

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.server.options import Hooks, ServerOptions
from ota_http_server.server.windows import serve_waitress
from tests.server.running import ROOT, Running, end, free_port, wait_until

SCRIPT = """
import sys
from ota_http_server.server.options import Hooks, ServerOptions
from ota_http_server.server.windows import serve_waitress

def make(process):
    def app(environ, start):
        value = process.in_writer(lambda: process.in_thread(lambda: "hello"))
        start("200 OK", [("Content-Length", "5")])
        return [value.encode()]
    return app

hooks = Hooks(started=lambda: print("started", flush=True), stopped=lambda: print("stopped"))
options = ServerOptions(host="127.0.0.1", port=int(sys.argv[1]), workers=1)
sys.exit(serve_waitress(make, options, hooks))
"""


@pytest.fixture
def waitress(tmp_path: Path):
    log = tmp_path / "log"
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(port)], cwd=ROOT, stdout=out, stderr=out
        )
    running = Running(process, port, log, False)
    wait_until(lambda: "started" in running.log, "the start")
    yield running
    end(running)


def test_the_same_application_is_served_without_naming_the_software(waitress: Running):
    answer = waitress.get("/")

    assert answer.endswith(b"hello")
    assert b"server:" not in answer.lower()


def test_ctrl_c_ends_it_with_success(waitress: Running):
    end(waitress)

    assert waitress.process.returncode == 0
    assert "stopped" in waitress.log


def test_tls_is_the_proxys_business_there(tmp_path: Path):
    options = ServerOptions(
        host="127.0.0.1", port=1, workers=1, certificate=tmp_path / "c", key=tmp_path / "k"
    )

    with pytest.raises(Misconfigured, match="proxy"):
        serve_waitress(lambda _process: lambda _environ, _start: [], options, Hooks())


def test_a_port_in_use_is_misconfigured(waitress: Running):
    options = ServerOptions(host="127.0.0.1", port=waitress.port, workers=1)

    with pytest.raises(Misconfigured, match="cannot listen"):
        serve_waitress(lambda _process: lambda _environ, _start: [], options, Hooks())
