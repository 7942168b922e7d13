"""`simulate`: devices of every kind update themselves from a running server, and it believes only
what is true."""

import json
import subprocess
import sys

import pytest

from tests.running import Server


def simulated(server, *options):
    """Exit status and what it says for programs."""
    place = ("--data-dir", str(server.data_dir))
    done = subprocess.run(
        [sys.executable, "-m", "ota_http_server", "simulate", "--json", *place, *options],
        cwd=server.folder,
        env=server.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, "--workers", "2", "--stop-delay-seconds", "0") as running:
        yield running


def test_devices_of_every_kind_update_themselves(server):
    pace = ("--devices", "25", "--every", "0.5", "--kib", "16", "--misbehave", "0")

    status, said = simulated(server, "--url", server.url, *pace)

    assert status == 0, said
    assert said["complaints"] == []
    for client, one in said["clients"].items():
        assert one["run_the_new_one"] == one["devices"] == 5, client
    for client in ("esp-idf", "arduino", "swupdate"):
        assert said["clients"][client]["believed"] == {"verified": 5}


def test_who_misbehaves_is_never_believed(server):
    pace = ("--devices", "20", "--every", "0.5", "--kib", "16", "--misbehave", "50")

    status, said = simulated(server, "--url", server.url, *pace)

    assert status == 0, said
    for one in said["clients"].values():
        assert one["run_the_new_one"] < one["devices"]
        assert one["believed"].get("verified", 0) <= one["run_the_new_one"]


def test_they_can_be_cleared_away(server):
    simulated(server, "--url", server.url, "--devices", "5", "--kib", "16", "--every", "0.5")

    _, said = simulated(server, "--clear")
    _, again = simulated(server, "--clear")

    assert said["removed"] >= 5
    assert again["removed"] == 0


def test_where_no_server_answers_it_says_so(server):
    done = subprocess.run(
        [sys.executable, "-m", "ota_http_server", "simulate", "--url", "http://127.0.0.1:1"],
        cwd=server.folder,
        env=server.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "no server answers at http://127.0.0.1:1" in done.stderr


def test_what_cannot_be_simulated_is_named(server):
    done = subprocess.run(
        [sys.executable, "-m", "ota_http_server", "simulate", "--clients", "toaster"],
        cwd=server.folder,
        env=server.env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "toaster" in done.stderr
