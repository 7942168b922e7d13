"""The admin API in the running server: big bodies, cut lines, several workers."""

import http.client
import re
import socket
from pathlib import Path

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.running import Server, wait_until

MIB = 2**20
IMAGE = "/api/v1/projects/lamp/releases/1.4.0/images/lamp.bin"


@pytest.fixture(name="server", scope="module")
def a_server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("ota"), "--workers", "2") as server:
        yield server


def send(server, content, path=IMAGE):
    return server.ask("PUT", path, body=content, X_Admin_Secret=server.admin_secret)


def workers(server):
    pid = server.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def peak_bytes(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def test_a_big_image_takes_little_memory(server):
    # What is loaded at the first image of all is not this one's.
    for _ in range(4):
        first = "/api/v1/projects/warm/releases/1.4.0/images/warm.bin"
        send(server, esp_application(version="1.4.0", project="warm"), first)
    before = {pid: peak_bytes(pid) for pid in workers(server)}

    answer = send(server, esp_application(version="1.4.0", project="lamp", payload_bytes=15 * MIB))

    assert answer.status == 200, answer.body
    grown = max(peak_bytes(pid) - before[pid] for pid in before)
    assert grown < 12 * MIB


def test_a_line_that_is_cut_leaves_no_release_and_no_incident(server):
    path = IMAGE.replace("1.4.0", "2.0.0")
    head = (
        f"PUT {path} HTTP/1.1\r\nHost: x\r\nX-Admin-Secret: {server.admin_secret}\r\n"
        f"Content-Length: 1000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(head.encode() + bytes(100_000))
        line.shutdown(socket.SHUT_WR)
        while line.recv(65_536):
            pass

    wait_until(lambda: "broke off" in server.log, lambda: server.log)
    assert "incident" not in server.log
    secret = server.admin_secret
    assert server.get(path.rpartition("/images")[0], X_Admin_Secret=secret).status == 404


def test_a_revoked_key_is_refused_by_every_worker_within_two_seconds(server):
    given = server.ask(
        "POST",
        "/api/v1/keys",
        body=b'{"name": "ci", "role": "viewer"}',
        Content_Type="application/json",
        X_Admin_Secret=server.admin_secret,
    ).json()
    key = given["text"]

    def statuses():
        return {server.get("/api/v1/projects", key).status for _ in range(16)}

    wait_until(lambda: statuses() == {200})
    server.ask("DELETE", "/api/v1/keys/ci", X_Admin_Secret=server.admin_secret)

    # How soon is held with a clock of the test's own in tests/operations; here, that all hear it.
    wait_until(lambda: statuses() == {401})
    assert key not in server.log


def test_a_refused_body_does_not_keep_the_connection_from_the_next_call(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        for _ in range(3):
            connection.request("PUT", IMAGE, body=bytes(20_000), headers={"X-API-Key": "wrong"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 401
    finally:
        connection.close()


def test_everything_is_stopped_at_every_worker_with_the_database_away(server):
    token = server.mint("lamp")

    def reasons():
        path = "/api/device/v1/check?version=0.1.0&chip=esp32"
        return {server.get(path, token).json().get("reason") for _ in range(16)}

    def say(path):
        said = b'{"reason": "it burns"}'
        secret, kind = server.admin_secret, "application/json"
        return server.ask("POST", path, body=said, Content_Type=kind, X_Admin_Secret=secret)

    assert "stopped" not in reasons()
    database = server.data_dir / "ota.sqlite"
    away = database.rename(database.with_name("away"))
    try:
        wait_until(lambda: server.get("/readyz").status == 503)
        answer = say("/api/v1/stop")
    finally:
        away.rename(database)

    assert (answer.status, answer.json()["everywhere"]) == (200, False), answer.body
    wait_until(lambda: reasons() == {"stopped"})
    wait_until(lambda: say("/api/v1/stop/lift").status == 200)
    wait_until(lambda: "stopped" not in reasons())
    assert "incident" not in server.log
