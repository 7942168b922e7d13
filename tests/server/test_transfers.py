"""Files on their way: whole, in part, cut off."""

import os
import socket
from pathlib import Path

import pytest

from tests.server.conftest import make_pair
from tests.server.running import Running, end, read_answer, start, wait_until

SIZE = 1_500_000


@pytest.fixture(scope="module", params=["plain", "tls"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(request.param)
    pair = make_pair(folder / "tls", "x") if request.param == "tls" else {}
    running = start(folder, send_stall_seconds_max=1, **pair)
    yield running
    end(running)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def test_a_file_arrives_as_it_is(either: Running, image: Path):
    assert body(either.get(f"/file?path={image}")) == image.read_bytes()


def test_a_part_of_a_file_is_that_part(either: Running, image: Path):
    answer = either.get(f"/file?path={image}&begin=1000001&count=70000")

    assert body(answer) == image.read_bytes()[1_000_001:1_070_001]


def test_the_head_of_a_file_has_no_body_and_the_connection_goes_on(either: Running, image: Path):
    request = f"HEAD /file?path={image} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    answer = either.talk(request + b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert f"Content-Length: {SIZE}".encode() in answer
    assert answer.endswith(b"hello")
    assert len(answer) < 1_000


def test_a_file_shorter_than_announced_is_cut_not_padded(either: Running, image: Path):
    answer = either.talk(
        f"GET /file?path={image}&count=2000000 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    )

    assert body(answer) == image.read_bytes()
    wait_until(lambda: f"transfer {SIZE} False" in either.log, "the report")


def test_the_application_learns_that_all_was_sent(either: Running, image: Path):
    either.get(f"/file?path={image}&count=12345")

    wait_until(lambda: "transfer 12345 True" in either.log, "the report")


def test_the_application_learns_how_much_was_sent_to_one_who_left(either: Running, tmp_path: Path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    before = either.log.count("False")
    with either.connect() as sock:
        sock.sendall(f"GET /file?path={big} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        sock.recv(1_000)

    wait_until(lambda: either.log.count("False") > before, "the report")


def test_a_receiver_that_takes_nothing_is_cut_off(either: Running, tmp_path: Path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    before = either.log.count("False")
    with either.connect() as sock:
        sock.sendall(f"GET /file?path={big} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        wait_until(lambda: either.log.count("False") > before, "the end of the transfer")


def test_a_slow_receiver_that_goes_on_gets_everything(either: Running, tmp_path: Path):
    image = tmp_path / "image.bin"
    image.write_bytes(os.urandom(100_000))
    with either.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.sendall(f"GET /file?path={image} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = read_answer(sock)

    assert body(answer) == image.read_bytes()
