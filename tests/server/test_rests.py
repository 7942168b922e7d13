"""Blocks that go out no faster than they may: the server rests between them, and nobody suffers."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.server.conftest import make_pair
from tests.server.running import Running, end, read_answer, start, wait_until

SIZE = 100_000
STALL_SECONDS = 0.5


@pytest.fixture(scope="module", params=["plain", "tls"])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp(request.param)
    pair = make_pair(folder / "tls", "x") if request.param == "tls" else {}
    running = start(folder, send_stall_seconds_max=STALL_SECONDS, **pair)
    yield running
    end(running)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def paced(image: Path, block: int, seconds: float) -> str:
    return f"/paced?path={image}&block={block}&seconds={seconds}"


def asking(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_a_rest_that_is_ours_is_no_stall_of_the_peers(either: Running, image: Path):
    begin = time.monotonic()
    answer = either.get(paced(image, 50_000, 3 * STALL_SECONDS))

    assert answer.partition(b"\r\n\r\n")[2] == image.read_bytes()
    assert time.monotonic() - begin >= 2 * 3 * STALL_SECONDS


def test_without_a_rate_no_block_asks_for_its_turn(either: Running, image: Path):
    answer = either.get(paced(image, 10, 60) + "&rate=no")

    assert answer.partition(b"\r\n\r\n")[2] == image.read_bytes()
    wait_until(lambda: f"transfer {SIZE} True 0" in either.log, "the report of no turn")


def test_the_others_are_served_meanwhile(either: Running, image: Path):
    with either.connect() as sock:
        sock.sendall(asking(paced(image, SIZE, 60)))

        assert either.get("/hello").endswith(b"hello")


def test_the_head_of_an_answer_does_not_wait_for_its_first_block(either: Running, image: Path):
    with either.connect() as sock:
        sock.sendall(asking(paced(image, SIZE, 60)))

        assert sock.recv(12) == b"HTTP/1.1 200"


def test_a_receiver_that_takes_nothing_is_cut_off_all_the_same(either: Running, tmp_path: Path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    before = either.log.count("False")
    with either.connect() as sock:
        sock.sendall(asking(paced(big, 1 << 20, 0.001)))

        wait_until(lambda: either.log.count("False") > before, "the end of the transfer")


def test_a_block_that_the_peer_takes_in_bits_has_one_turn(either: Running, tmp_path: Path):
    image = tmp_path / "image.bin"
    image.write_bytes(os.urandom(8_000_000))
    with either.connect() as sock:
        sock.sendall(asking(paced(image, 50_000, 0)))
        time.sleep(STALL_SECONDS / 4)  # until no more goes into the kernel
        answer = read_answer(sock)

    assert answer.partition(b"\r\n\r\n")[2] == image.read_bytes()
    wait_until(lambda: "transfer 8000000 True 160" in either.log, "the report of 160 turns")


@pytest.mark.parametrize("path", ["paced", "paced_pieces"])
@pytest.mark.parametrize("ways", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)])
def test_a_stop_at_once_ends_a_rest(server, image, path, ways):
    running = server(stop_delay_seconds=0.1)
    asked = paced(image, 10, 300) if path == "paced" else f"/{path}?seconds=300"
    with running.connect() as sock:
        sock.sendall(asking(asked))
        sock.recv(12)
        for number in ways:
            running.signal(number)
            time.sleep(0.5)

        assert running.wait() == 0
    assert "False" in running.log
    assert "Traceback" not in running.log


def test_a_polite_stop_waits_for_a_rest_no_longer_than_for_other_downloads(server, image):
    running = server(stop_delay_seconds=0.1, stop_seconds_max=1)
    with running.connect() as sock:
        sock.sendall(asking(paced(image, 10, 300)))
        sock.recv(12)
        running.signal(signal.SIGTERM)

        assert running.wait() == 0
    assert "the stop took too long" in running.log
    assert "transfer 0 False" in running.log
