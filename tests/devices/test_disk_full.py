"""A data folder without room: nothing is promised that cannot be kept, and downloads go on."""

import os
import subprocess
from contextlib import contextmanager

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.fleet import EspIdf
from tests.running import Server, wait_until

LAMP = esp_application(payload_bytes=200_000)
NEXT = esp_application(payload_bytes=3_000_000, seed=1)
BIG = bytes(18 * 2**20)  # of 32 MiB it would leave less than 14
WORKERS_MAX = 4
DEVICE = "00000000-0000-4000-8000-000000000007"
WISH = {"device_id": DEVICE, "project": "lamp"}
PATH = "/firmware/lamp/lamp.bin"


@pytest.fixture(name="disk")
def a_small_disk(tmp_path):
    """A real file system of 32 MB, which only root may make."""
    place = tmp_path / "data"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m,mode=0700", "tmpfs", place],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no small disk can be made here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def filled(disk):
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
        for block_bytes in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(block_bytes))
            except OSError:
                if block_bytes == 1:
                    raise
    yield
    filler.unlink()


def test_on_a_full_disk_no_token_is_promised_and_downloads_go_on(tmp_path, disk):
    log = ("--ota-audit-log", str(disk / "ota_audit.log"))
    with Server(tmp_path, *log, "--workers", "1") as server:
        server.drop("lamp", "lamp.bin", LAMP)
        token = server.mint("lamp")
        server.await_served("lamp", "lamp.bin", LAMP, token)
        process = server.process.pid
        with filled(disk):
            refused = [server.admin("/admin/generate_token", WISH) for _ in range(3)]
            server.drop("lamp", "next.bin", NEXT)
            new = server.get("/firmware/lamp/next.bin", token)
            for piece_bytes in (4096, 65_536):
                assert EspIdf(server.port, PATH, token, piece_bytes).partial() == LAMP
            polls = [server.get("/firmware/lamp/versions", token).status for _ in range(5)]
            wait_until(lambda: server.get("/readyz").status == 503)
            alive = server.get("/healthz").status
            left = list((disk / "blobs").glob("*.partial"))
        wait_until(lambda: server.admin("/admin/generate_token", WISH).status == 200)
        server.await_served("lamp", "next.bin", NEXT, token)
        wait_until(lambda: server.get("/readyz").status == 200)

        assert {answer.status for answer in refused} <= {503, 507}
        assert not any(b"eyJ" in answer.body for answer in refused)
        assert new.status in (404, 503, 507)
        assert polls == [200] * 5
        assert alive == 200
        assert not left
        assert "Traceback" not in server.log
        os.kill(process, 0)
    lines = (disk / "ota_audit.log").read_text().splitlines()
    assert sum(f"device={DEVICE}" in line for line in lines) == 1
    verdict = subprocess.run(
        [*server.command[:3], "audit", "verify"], cwd=tmp_path, env=server.env, check=False
    )
    assert verdict.returncode == 0


def test_an_image_that_leaves_too_little_room_takes_none_from_tokens(tmp_path, disk):
    with Server(tmp_path, "--ota-audit-log", str(disk / "ota_audit.log")) as server:
        server.drop("lamp", "lamp.bin", LAMP)
        token = server.mint("lamp")
        server.await_served("lamp", "lamp.bin", LAMP, token)
        server.drop("lamp", "big.bin", BIG)
        wait_until(lambda: server.get("/firmware/lamp/big.bin", token).status == 507)
        polls = [server.get("/firmware/lamp/big.bin", token).status for _ in range(20)]
        minted = [server.admin("/admin/generate_token", WISH).status for _ in range(5)]

        assert polls == [507] * 20
        assert minted == [200] * 5
        assert server.get("/readyz").status == 200
        assert server.get(PATH, token).body == LAMP
        assert server.log.count("not served: lamp/big.bin") <= WORKERS_MAX
