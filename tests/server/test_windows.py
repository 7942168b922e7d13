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
from ota_http_server.server import windows
from ota_http_server.server.options import Hooks, ServerOptions

class App:
    def __init__(self, process):
        self.process = process

    def __call__(self, environ, start):
        value = self.process.in_writer(lambda: self.process.in_thread(lambda: "hello"))
        start("200 OK", [("Content-Length", "5")])
        return [value.encode()]

    def close(self):
        said = self.process.in_writer(lambda: "stopping" if self.process.stopping() else "serving")
        print("closed while", said)
        raise ValueError("it could not write")

def say(word):
    return lambda: print(word, flush=True)

def tick():
    print("tick", flush=True)
    raise ValueError("it could not do it")

windows.TICK_SECONDS = 0.1
hooks = Hooks(started=say("started"), tick=tick, stopped=say("stopped"))
options = ServerOptions(host="127.0.0.1", port=int(sys.argv[1]), workers=1)
sys.exit(windows.serve_waitress(App, options, hooks))
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


def test_the_application_ends_before_the_stop_is_told_even_if_it_fails(waitress: Running):
    end(waitress)

    lines = [
        line for line in waitress.log.splitlines() if line in ("stopped", "closed while stopping")
    ]
    assert lines == ["closed while stopping", "stopped"]
    assert "the application did not end as it should" in waitress.log


def test_the_regular_work_goes_on_after_it_failed(waitress: Running):
    wait_until(lambda: waitress.log.count("tick") > 2, "the third tick")

    assert waitress.get("/").endswith(b"hello")
    assert waitress.log.count("stopped") == 0


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
