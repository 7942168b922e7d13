"""Another process holds the write lock: who only reads does not wait for it."""

import sqlite3
import threading

from ota_http_server.domain.esp_sample import esp_application
from tests.fleet import EspIdf
from tests.running import Server

LAMP = esp_application(payload_bytes=200_000)
PATH = "/firmware/lamp/lamp.bin"


def test_polls_and_downloads_do_not_wait_for_a_locked_database(tmp_path):
    with Server(tmp_path, "--workers", "1") as server:
        server.drop("lamp", "lamp.bin", LAMP)
        token = server.mint("lamp")
        server.await_served("lamp", "lamp.bin", LAMP, token)
        other = server.mint("lamp")
        answered = []

        def mint():
            answered.append(
                server.admin(
                    "/admin/generate_token",
                    {"device_id": "00000000-0000-4000-8000-000000000001", "project": "lamp"},
                )
            )

        minting = threading.Thread(target=mint)
        holder = sqlite3.connect(server.data_dir / "ota.sqlite", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        minting.start()
        polls = [server.get("/firmware/lamp/versions", token).status for _ in range(10)]
        began = EspIdf(server.port, PATH, other, 32_768).partial()
        status = server.get("/status").status
        waited = [answer.status for answer in answered]
        holder.execute("ROLLBACK")
        holder.close()
        minting.join()

    assert (set(polls), began == LAMP, status) == ({200}, True, 200)
    # Minting did wait: it got its turn at the end, or (on a very slow day) gave up before.
    assert waited in ([], [503])
    assert answered[0].status == (503 if waited else 200)
