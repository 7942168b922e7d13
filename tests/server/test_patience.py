"""How long the server waits, and for what."""

import os
import signal
import threading
import time

import pytest

from tests.server.running import Running, read_all, read_answer, wait_until

KEEP = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


def dribble(running: Running, pieces: bytes) -> tuple[int, bytes]:
    """Send a byte every 50 ms until the server closes; how many it took, and what it said."""
    with running.connect() as sock:
        sent = 0
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(read_all(sock)), daemon=True)
        reader.start()
        for position in range(len(pieces)):
            if not reader.is_alive():
                break
            try:
                sock.sendall(pieces[position : position + 1])
            except OSError:
                break
            sent += 1
            time.sleep(0.05)
        reader.join(20)
        return sent, b"".join(received)


def test_a_silent_connection_is_closed(server):
    running = server(header_seconds_max=0.4, keep_alive_seconds=60)

    with running.connect() as sock:
        assert sock.recv(1) == b""


def test_a_head_that_dribbles_is_not_given_more_time(server):
    running = server(header_seconds_max=0.5, keep_alive_seconds=60)
    sent, answer = dribble(running, KEEP[:-2].ljust(3_000, b"a"))

    assert answer == b""
    assert sent < 2_000


def test_empty_lines_before_a_request_buy_no_time(server):
    running = server(header_seconds_max=60, keep_alive_seconds=60)
    sent, answer = dribble(running, b"\r\n" * 1_000)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert sent < 200


def test_a_request_that_came_in_time_is_read_however_late(server):
    running = server(workers=1, keep_alive_seconds=1)

    with running.connect() as sock:
        sock.sendall(KEEP)
        read_answer(sock)
        (worker,) = running.workers()
        os.kill(worker, signal.SIGSTOP)  # too busy to look
        try:
            sock.sendall(KEEP)
            time.sleep(2)
        finally:
            os.kill(worker, signal.SIGCONT)
        assert read_answer(sock).startswith(b"HTTP/1.1 200 ")


def test_a_proxys_idle_connection_stays_until_the_server_stops(server):
    running = server(
        workers=1, keep_alive_seconds=0.3, stop_delay_seconds=0, trusted_proxies=["127.0.0.0/8"]
    )

    with running.connect() as sock:
        sock.sendall(KEEP)
        read_answer(sock)
        time.sleep(1.5)
        sock.sendall(KEEP)
        assert read_answer(sock).startswith(b"HTTP/1.1 200 ")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert sock.recv(1) == b""


def test_an_idle_connection_has_a_time_of_its_own(server):
    running = server(header_seconds_max=60, keep_alive_seconds=0.4)

    with running.connect() as sock:
        sock.sendall(KEEP)
        read_answer(sock)
        assert sock.recv(1) == b""


def test_a_head_after_an_idle_time_has_the_time_of_a_head(server):
    running = server(header_seconds_max=0.4, keep_alive_seconds=60)

    with running.connect() as sock:
        sock.sendall(KEEP)
        read_answer(sock)
        sock.sendall(KEEP[:10])
        assert sock.recv(1) == b""


def test_a_client_that_greets_and_says_no_more_is_closed(server, pair):
    running = server(handshake_seconds_max=0.4, header_seconds_max=60, **pair)
    running.tls = False

    with running.connect() as sock:
        sock.sendall(b"\x16\x03\x01")
        assert read_all(sock) == b""


def test_a_body_that_dribbles_is_not_served(server):
    running = server(body_seconds_max=0.5)
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n"
    with running.connect() as sock:
        sock.sendall(head)
        sock.sendall(b"half")
        read_all(sock)

    assert "whole body" not in running.log


def test_the_application_may_take_longer_than_any_of_it(server):
    limits = ("header_seconds_max", "body_seconds_max", "keep_alive_seconds")
    running = server(**dict.fromkeys(limits, 0.3), send_stall_seconds_max=0.3)

    assert running.get("/nap?seconds=1.5").endswith(b"rested")


@pytest.mark.parametrize(("bytes_sent", "hinted"), [(450, True), (120, False)])
def test_a_head_that_stops_where_a_transmit_buffer_ends_is_explained(server, bytes_sent, hinted):
    running = server(header_seconds_max=0.3)
    secret = b"Authorization: Bearer " + b"s" * 1_000
    with running.connect() as sock:
        sock.sendall((KEEP[:-2] + secret)[:bytes_sent])
        read_all(sock)
    running.get("/hello")

    if hinted:
        wait_until(lambda: "buffer_size_tx" in running.log, "the hint")
    assert ("buffer_size_tx" in running.log) == hinted
    assert "sss" not in running.log
