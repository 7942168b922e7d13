"""Leaving politely: nothing that a proxy sends is lost."""

import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field

import pytest

from tests.server.running import Running, free_port, read_answer, wait_until

KEEP = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
READY = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class ProxyClient(threading.Thread):
    """One place of a proxy's pool: if it cannot connect it may go elsewhere, else it is served.

    "Elsewhere" is the same port a little later; a reset or an empty answer is a lost request.
    """

    port: int
    keep: bool
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        sock: socket.socket | None = None
        while not self.done.is_set():
            if sock is None:
                sock = self._connect()
                if sock is None:
                    time.sleep(0.01)
                    continue
            try:
                sock.sendall(KEEP)
                answer = read_answer(sock)
                assert answer.endswith(b"hello"), answer
                self.answered += 1
            except (OSError, AssertionError) as error:
                self.lost.append(repr(error))
                answer = b"Connection: close"
            if not self.keep or b"Connection: close" in answer:
                sock.close()
                sock = None
        if sock is not None:
            sock.close()

    def _connect(self) -> socket.socket | None:
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), 3)
        except (ConnectionRefusedError, TimeoutError):
            return None
        sock.settimeout(30)
        return sock


def test_stops_under_load_lose_no_request(server):
    port = free_port()
    clients = [ProxyClient(port, keep=number % 2 == 0) for number in range(8)]
    for client in clients:
        client.start()
    statuses = []
    for _ in range(5):
        running = server(
            port=port, workers=2, stop_delay_seconds=0.2, keep_alive_seconds=2, header_seconds_max=5
        )
        before = sum(client.answered for client in clients)
        wait_until(lambda b=before: sum(c.answered for c in clients) > b + 200, "some load")
        running.signal(signal.SIGTERM)
        statuses.append(running.wait())
        assert "Traceback" not in running.log
    for client in clients:
        client.done.set()
    for client in clients:
        client.join(30)

    assert [lost for client in clients for lost in client.lost] == []
    assert statuses == [0] * 5


def test_a_stopping_server_says_so_and_still_accepts(server):
    running = server(stop_delay_seconds=3, stop_seconds_max=5)
    before = running.get("/readyz")
    running.signal(signal.SIGTERM)
    wait_until(lambda: b"503" in running.get("/readyz"), "the announcement")
    with running.connect() as sock:
        sock.sendall(READY)
        after = read_answer(sock)

    assert b"200 OK" in before
    assert b"Connection: close" in after


def test_an_idle_connection_is_answered_once_more(server):
    running = server(stop_delay_seconds=0, keep_alive_seconds=20)
    with running.connect() as sock:
        sock.sendall(KEEP)
        read_answer(sock)
        running.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(running), "the close of the port")
        sock.sendall(KEEP)
        last = read_answer(sock)

        assert b"Connection: close" in last
        assert sock.recv(1) == b""
    assert running.wait() == 0


def is_listening(running: Running) -> bool:
    try:
        socket.create_connection(("127.0.0.1", running.port), 0.2).close()
    except (ConnectionRefusedError, TimeoutError):
        return False
    return True


def test_a_download_outlives_the_stop(server, tmp_path):
    image = tmp_path / "image.bin"
    image.write_bytes(os.urandom(20_000_000))
    running = server(stop_delay_seconds=0.1, keep_alive_seconds=1)
    with running.connect() as sock:
        sock.sendall(f"GET /file?path={image} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        first = sock.recv(1_000)
        running.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(running), "the close of the port")
        body = first.partition(b"\r\n\r\n")[2]
        while data := sock.recv(1_000_000):
            body += data

    assert body == image.read_bytes()
    assert running.wait() == 0
    assert "sample: stopped" in running.log
    assert "sample: closed" in running.log


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_download(server, tmp_path, second):
    running = server(stop_delay_seconds=0.1)
    with endless_download(running, tmp_path):
        running.signal(signal.SIGTERM)
        wait_until(lambda: not is_listening(running), "the close of the port")
        running.signal(second)

        assert running.wait() == 0
    assert "False" in running.log


def test_sigint_ends_at_once(server, tmp_path):
    running = server(workers=2)
    with endless_download(running, tmp_path):
        running.signal(signal.SIGINT)

        assert running.wait() == 0


def test_a_download_that_takes_too_long_is_cut_in_the_end(server, tmp_path):
    running = server(stop_delay_seconds=0.1, stop_seconds_max=1, send_stall_seconds_max=60)
    with endless_download(running, tmp_path):
        running.signal(signal.SIGTERM)

        assert running.wait() == 0
    assert "the stop took too long" in running.log


def endless_download(running: Running, tmp_path) -> socket.socket:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(1 << 32)
    sock = running.connect()
    sock.sendall(f"GET /file?path={big} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    sock.recv(1_000)
    return sock


def test_one_worker_that_is_told_to_go_leaves_the_port_to_the_others(server):
    running = server(workers=2, stop_delay_seconds=0.1)
    wait_until(lambda: len(running.workers()) == 2, "the workers")
    leaving, staying = running.workers()
    os.kill(leaving, signal.SIGTERM)
    wait_until(
        lambda: leaving not in running.workers() and len(running.workers()) == 2, "the replacement"
    )

    assert staying in running.workers()
    assert all(running.get("/hello").endswith(b"hello") for _ in range(20))


def test_workers_whose_starter_is_gone_leave_too(server):
    running = server(workers=2, stop_delay_seconds=0.1)
    wait_until(lambda: len(running.workers()) == 2, "the workers")
    running.signal(signal.SIGKILL)
    running.process.wait()

    wait_until(lambda: not is_listening(running), "the close of the port")


def test_a_proxys_connection_that_falls_idle_during_the_stop_does_not_hold_it_up(server, tmp_path):
    image = tmp_path / "image.bin"
    image.write_bytes(bytes(8_000_000))
    running = server(
        workers=1, keep_alive_seconds=0.5, stop_delay_seconds=0, trusted_proxies=["127.0.0.0/8"]
    )

    with running.connect() as sock:
        sock.sendall(f"GET /file?path={image} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"Connection: close" not in sock.recv(1_000)  # it may be used again, it says
        running.signal(signal.SIGTERM)
        time.sleep(1)
        while sock.recv(1_000_000):
            pass

        assert running.wait() == 0
