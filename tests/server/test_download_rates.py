"""The product itself with a rate for its downloads: no faster than that, over real sockets.

Lower bounds only: a busy machine may take as long as it likes.
"""

import http.client
import threading
import time

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Operator
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings
from tests.running import Server, wait_until

RATE = 200_000
IMAGE = esp_application(payload_bytes=300_000)
PATH = "/firmware/lamp/lamp.bin"
TOGETHER_SECONDS = (2 * 300_000 - RATE * 0.25) / RATE
"""Two of them, less the burst."""


def settle(server: Server, project: str, rate: int | None) -> None:
    """As another process of the instance does."""
    settings = Settings(
        www_dir=server.folder / "www",
        data_dir=server.data_dir,
        ota_audit_log=server.folder / "ota_audit.log",
    )
    with opened_ota(settings) as ota:
        operator = Operator("test", None)
        ota.projects.settle(operator, project, {"download_bytes_per_second": rate})


def await_rate(server: Server, token: str, rate: int) -> None:
    """Returns when the worker has learnt it: what two seconds bring takes most of one, or more."""

    def is_slow() -> bool:
        begin = time.monotonic()
        server.get(PATH, token, Range=f"bytes=0-{2 * rate - 1}")
        return time.monotonic() - begin >= 0.9

    wait_until(is_slow)


def together(*asking) -> float:
    """The seconds until all of them are done."""
    threads = [threading.Thread(target=one) for one in asking]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - begin


@pytest.mark.parametrize(
    ("tls", "workers", "range_"),
    [
        (False, 1, None),
        (True, 1, None),
        (False, 2, "bytes=1-"),
        (True, 1, "bytes=0-99999,100000-299999"),
    ],
)
def test_all_downloads_together_are_no_faster_than_the_servers_rate(tmp_path, tls, workers, range_):
    options = ("--download-bytes-per-second", str(RATE), "--workers", str(workers))
    with Server(tmp_path, *options, tls=tls) as server:
        server.drop("lamp", "lamp.bin", IMAGE)
        token = server.mint("lamp")
        server.get("/firmware/lamp/versions", token)
        bodies = []

        def download() -> None:
            fields = {"Range": range_} if range_ else {}
            bodies.append(server.get(PATH, token, **fields).body)

        seconds = together(download, download)

    assert [IMAGE[200_000:290_000] in body for body in bodies] == [True, True]
    assert seconds >= TOGETHER_SECONDS


def test_ranges_one_after_another_are_no_faster_either(tmp_path):
    with Server(tmp_path, "--download-bytes-per-second", str(RATE)) as server:
        server.drop("lamp", "lamp.bin", IMAGE)
        token, line = server.mint("lamp"), server.connect()
        begin = time.monotonic()
        for first in range(0, 300_000, 4_096):
            part = asked(line, token, Range=f"bytes={first}-{first + 4_095}").read()
            assert part == IMAGE[first : first + 4_096]
        seconds = time.monotonic() - begin
        line.close()

    assert seconds >= (300_000 - RATE * 0.25) / RATE


def test_a_project_with_a_rate_keeps_no_other_from_its_speed(tmp_path):
    with Server(tmp_path) as server:
        for project in ("lamp", "plug"):
            server.drop(project, f"{project}.bin", IMAGE)
        lamp, plug = server.mint("lamp"), server.mint("plug")
        settle(server, "lamp", 2_048)
        await_rate(server, lamp, 2_048)
        line = server.connect()
        asked(line, lamp).read(1)

        fast = server.get("/firmware/plug/plug.bin", plug)
        wait_until(lambda: "download finished" in server.log)

        line.close()
        assert fast.body == IMAGE
        assert server.log.count("download finished") == 1  # the other one began before


def test_a_rate_that_is_set_while_a_download_runs_counts_for_it(tmp_path):
    big, rate = 12_000_000, 4_000_000
    with Server(tmp_path) as server:
        server.drop("lamp", "lamp.bin", esp_application(payload_bytes=big))
        token, line = server.mint("lamp"), server.connect()
        running = asked(line, token)
        running.read(1_000)
        settle(server, "lamp", rate)
        await_rate(server, token, rate)
        came = running.read(4_000_000)  # what lay in buffers may come at once
        begin = time.monotonic()
        rest = running.read()
        seconds = time.monotonic() - begin
        line.close()

    assert 1_000 + len(came) + len(rest) > big
    assert seconds >= len(rest) / rate - 0.25 - 0.5


def test_a_rate_that_is_lifted_lets_go_of_who_waited_for_it(tmp_path):
    with Server(tmp_path) as server:
        server.drop("lamp", "lamp.bin", IMAGE)
        token, line = server.mint("lamp"), server.connect()
        settle(server, "lamp", 1_024)  # five minutes, and nobody here is so patient
        await_rate(server, token, 1_024)
        running = asked(line, token)
        begun = running.read(2_000)
        settle(server, "lamp", None)

        rest = running.read()
        line.close()

    assert begun + rest == IMAGE


def asked(line: http.client.HTTPConnection, token: str, **fields: str) -> http.client.HTTPResponse:
    """The answer as soon as its head is there."""
    line.request("GET", PATH, headers={"Authorization": f"Bearer {token}", **fields})
    return line.getresponse()
