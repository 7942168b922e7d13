"""Unmodified clients get their image from the real server."""

import time
from hashlib import sha256

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.devices.conftest import LAMP
from tests.fleet import ArduinoUpdate, EspHome, EspIdf, Failed, Line
from tests.running import wait_until

PATH = "/firmware/lamp/lamp-1.4.0.bin"


def test_esp_idf_takes_the_whole(server, token):
    assert EspIdf(server.port, PATH, token).plain() == LAMP


@pytest.mark.parametrize("piece_bytes", [4096, 65_536, 1_000_000])
def test_esp_idf_takes_it_in_pieces_on_one_connection(server, token, piece_bytes):
    board = EspIdf(server.port, PATH, token, piece_bytes)

    assert board.partial() == LAMP
    assert board.line.opened == 1


@pytest.mark.parametrize("have", [1024, 65_536, 131_072, len(LAMP) - 1000])
def test_esp_idf_resumes_after_a_reboot(server, token, have):
    assert EspIdf(server.port, PATH, token).resumed(LAMP[:have]) == LAMP


def test_esp_idf_that_has_all_of_it_is_told_the_size(server, token):
    board = EspIdf(server.port, PATH, token)

    with pytest.raises(Failed, match="416"):
        board.piece(len(LAMP), len(LAMP) + 1)
    with pytest.raises(Failed, match=f"bytes 100-.*{len(LAMP)} instead"):
        board.piece(100, len(LAMP) + 1)


@pytest.mark.parametrize("way", ["query", "path"])
def test_esp_idf_may_carry_its_token_in_the_url(server, token, way):
    path = {"query": f"{PATH}?token={token}", "path": f"/firmware/lamp/{token}/lamp-1.4.0.bin"}[way]

    assert EspIdf(server.port, path).partial() == LAMP


def test_a_request_with_the_longest_token_that_is_not_warned_of_fits_its_buffer(server):
    answer = server.admin(
        "/admin/generate_token",
        {
            "device_id": "e6f87d77-4216-4be1-ab83-b5fa6792b747",
            "project": "lamp",
            "current_fw": "v" * 64,
        },
    ).json()
    board = EspIdf(server.port, f"{PATH}?token={answer['token']}")

    if "warning" not in answer:
        assert board.plain() == LAMP
    assert EspIdf(server.port, PATH, answer["token"]).plain() == LAMP


@pytest.mark.parametrize("password_way", ["basic", "path", "query"])
def test_arduino_updates_over_http_1_0(server, token, password_way):
    ways = {
        "basic": (PATH, f"esp:{token}"),
        "path": (f"/firmware/lamp/{token}/lamp-1.4.0.bin", None),
        "query": (f"{PATH}?token={token}", None),
    }
    path, credentials = ways[password_way]

    assert ArduinoUpdate(server.port, path, credentials).update() == LAMP


def test_an_answer_to_http_1_0_ends_with_the_connection(server, token):
    with Line(server.port) as line:
        request = f"GET {PATH} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n"
        answer = line.ask(request.encode())

    assert answer.headers["connection"].lower() == "close"
    assert (answer.status, answer.body) == (200, LAMP)


@pytest.mark.parametrize("way", ["basic", "path"])
def test_esphome_checks_by_a_sidecar(server, token, way):
    base = PATH if way == "basic" else f"/firmware/lamp/{token}/lamp-1.4.0.bin"
    password = token if way == "basic" else None

    assert EspHome(server.port, base, f"{base}.md5", password).update() == LAMP


def test_a_refused_board_costs_few_bytes(server):
    with Line(server.port) as line:
        answer = line.ask(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    assert answer.status == 401
    assert len(answer.body) < 64


def test_a_revoked_board_is_refused_on_its_open_connection(server):
    token = server.mint("lamp", "00000000-0000-4000-8000-000000000002")
    board = EspIdf(server.port, PATH, token, 4096)
    board.piece(0, len(LAMP))
    server.revoke(token=token)

    def refused():
        try:
            board.piece(4096, len(LAMP))
        except Failed as failed:
            return "401" in str(failed)
        return False

    wait_until(refused)
    assert board.line.opened == 1


def test_what_is_dropped_replaced_and_removed_shows_without_a_restart(server):
    token = server.mint("plug")
    first, second = (esp_application(payload_bytes=2000, seed=seed) for seed in (1, 2))
    began = time.monotonic()
    server.drop("plug", "plug.bin", first)
    server.await_served("plug", "plug.bin", first, token)
    shown = server.get("/firmware/plug/plug.bin", token)
    server.drop("plug", "plug.bin", second)
    server.await_served("plug", "plug.bin", second, token)
    replaced = server.get("/firmware/plug/plug.bin", token)
    (server.firmware_dir / "plug" / "plug.bin").unlink()
    wait_until(lambda: server.get("/firmware/plug/plug.bin", token).status == 404)

    assert shown.headers["ETag"] != replaced.headers["ETag"]
    assert time.monotonic() - began < 60


def test_a_board_that_began_goes_on_with_its_image_on_any_worker(server):
    token = server.mint("fan")
    old, new = (esp_application(payload_bytes=200_000, seed=seed) for seed in (3, 4))
    server.drop("fan", "fan.bin", old)
    boards = [EspIdf(server.port, "/firmware/fan/fan.bin", token, 8192) for _ in range(6)]
    image = boards[0].piece(0, len(old))
    time.sleep(0.5)  # a board's next piece comes later than a beginning is written
    server.drop("fan", "fan.bin", new)
    stranger = server.mint("fan")
    server.await_served("fan", "fan.bin", new, stranger)
    while len(image) < len(old):
        image += boards[len(image) // 8192 % 6].piece(len(image), len(old))

    assert image == old
    assert EspIdf(server.port, "/firmware/fan/fan.bin", token).partial() == new


def test_the_ranges_of_one_download_are_one_line_in_the_log(server):
    token = server.mint("clock")
    image = esp_application(payload_bytes=100_000, seed=5)
    server.drop("clock", "clock.bin", image)
    digest = sha256(image).hexdigest()[:16]
    EspIdf(server.port, "/firmware/clock/clock.bin", token, 1024).partial()

    def lines():
        return [line for line in server.log.splitlines() if digest in line]

    wait_until(lines)
    assert len(lines()) == 1
    assert "clock.bin" not in server.log
