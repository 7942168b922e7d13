"""The real server while its database, or the lock of its audit log, is of no use."""

import fcntl
import os
import threading
import time
from pathlib import Path

from ota_http_server.domain.esp_sample import esp_application
from tests.running import DEVICE, Server, wait_until

LAMP = esp_application(payload_bytes=20_000)
WISH = {"device_id": "00000000-0000-4000-8000-000000000001", "project": "lamp"}
VERSIONS = "/firmware/lamp/versions"

# The promise is two seconds; what this guards against are the minutes that it once took.
REVOKED_SECONDS_MAX = 15


def known_to(server, token):
    server.await_served("lamp", "lamp.bin", LAMP, token)
    return server.get(VERSIONS, token).status == 200


def test_a_stopped_process_with_the_audit_lock_delays_no_revocation(tmp_path):
    with Server(tmp_path) as one, Server(tmp_path, "--workers", "2") as other:
        one.drop("lamp", "lamp.bin", LAMP)
        token = one.mint("lamp")
        assert known_to(one, token)
        assert known_to(other, token)
        lock = os.open(one.data_dir / "audit.lock", os.O_RDWR)
        fcntl.flock(lock, fcntl.LOCK_EX)
        minting = [
            threading.Thread(target=one.admin, args=("/admin/generate_token", WISH))
            for _ in range(3)
        ]
        for thread in minting:
            thread.start()
        began = time.monotonic()
        revoked = one.admin("/admin/revoke_token", {"device_id": DEVICE})
        wait_until(
            lambda: {other.get(VERSIONS, token).status for _ in range(20)} == {401},
            seconds=REVOKED_SECONDS_MAX - (time.monotonic() - began),
        )
        for thread in minting:
            thread.join()
        during = one.audit_lines
        os.close(lock)
        wait_until(lambda: "revoke_token" in "".join(one.audit_lines))
        words = [line.split("Action=")[1].split()[0] for line in one.audit_lines]

    assert revoked.status == 200
    assert "revoke_token" not in "".join(during)
    words.remove("publish_release")  # the dropped file became a release
    assert sorted(words) == ["generate_token"] * 4 + ["revoke_token"] + ["server_start"] * 2


def test_a_database_that_is_damaged_takes_no_download_down(tmp_path):
    with Server(tmp_path) as server:
        server.drop("lamp", "lamp.bin", LAMP)
        token = server.mint("lamp")
        assert known_to(server, token)
        _spoil(server.data_dir / "ota.sqlite")
        wait_until(lambda: server.get("/readyz").status == 503)
        polls = [server.get(VERSIONS, token).status for _ in range(20)]
        whole = server.get("/firmware/lamp/lamp.bin", token)
        minted = server.admin("/admin/generate_token", WISH)
        status = server.stop()

    assert (set(polls), whole.status, whole.body == LAMP) == ({200}, 200, True)
    assert (minted.status, status) == (503, 0)
    assert "Traceback" not in server.log


def test_a_data_folder_that_is_gone_is_told_and_nothing_is_promised(tmp_path):
    with Server(tmp_path) as server:
        server.drop("lamp", "lamp.bin", LAMP)
        token = server.mint("lamp")
        assert known_to(server, token)
        data = server.data_dir
        secret = server.admin_secret
        data.rename(tmp_path / "away")
        wait_until(lambda: server.get("/readyz").status == 503)
        polled = server.get(VERSIONS, token).status
        (tmp_path / "away" / "secrets").rename(tmp_path / "secrets")
        minted = server.ask(
            "POST",
            "/admin/generate_token",
            body=b'{"device_id": "00000000-0000-4000-8000-000000000001", "project": "lamp"}',
            X_Admin_Secret=secret,
            Content_Type="application/json",
        )
        (tmp_path / "secrets").rename(tmp_path / "away" / "secrets")
        made = (data / "ota.sqlite").exists()
        if data.exists():
            data.rename(tmp_path / "stray")
        (tmp_path / "away").rename(data)
        wait_until(lambda: server.get("/readyz").status == 200)
        again = server.mint("lamp")

    assert (minted.status, made) == (503, False)
    assert polled in (200, 503)
    assert again


def _spoil(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as pages:
        pages.write(os.urandom(size))
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        os.truncate(wal, 0)
