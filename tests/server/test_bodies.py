"""Request bodies: whole, or not at all."""

from hashlib import sha256

import pytest

from tests.server.running import Running, read_answer

DATA = bytes(range(256)) * 600
CHUNKED = b"POST /digest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
AGAIN = b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def expected(data: bytes) -> bytes:
    return f"{len(data)} {sha256(data).hexdigest()}".encode()


def chunks(data: bytes, size: int) -> bytes:
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"


def test_a_body_with_a_length_arrives_and_the_connection_goes_on(shared: Running):
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(DATA)
    answer = shared.talk(head + DATA + AGAIN)

    assert expected(DATA) in answer
    assert answer.count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("size", [1_000, 100_000])
def test_a_chunked_body_arrives_joined_and_the_connection_goes_on(shared: Running, size: int):
    answer = shared.talk(CHUNKED + b"\r\n" + chunks(DATA, size) + b"X-Trailer: y\r\n\r\n" + AGAIN)

    assert expected(DATA) in answer
    assert answer.count(b"HTTP/1.1 200") == 2


def test_a_framework_can_tell_that_a_chunked_body_has_an_end(shared: Running):
    head = b"POST /facts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = shared.talk(head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")

    assert b'"wsgi.input_terminated": true' in answer


BROKEN = {
    "a prefixed size": b"0x5\r\nhello\r\n0\r\n\r\n",
    "an empty size": b"\r\nhello\r\n0\r\n\r\n",
    "a signed size": b"+5\r\nhello\r\n0\r\n\r\n",
    "a blank before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a line feed in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a bad extension": b"5;=\r\nhello\r\n0\r\n\r\n",
    "an endless extension": b"5;" + b"a" * 1_000,
    "an endless size": b"0" * 1_000 + b"5\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": b"5\r\nhello!\r\n0\r\n\r\n",
    "a bare line feed after a chunk": b"5\r\nhello\n0\r\n\r\n",
    "a bad trailer": b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n",
    "endless trailers": b"0\r\n" + b"a: b\r\n" * 100 + b"\r\n",
    "a missing last chunk": b"5\r\nhello\r\n",
    "half a chunk": b"5\r\nhel",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_chunk_is_the_clients_fault_and_ends_the_connection(shared: Running, body: bytes):
    before = shared.log.count("whole body")
    answer = shared.talk(CHUNKED + b"\r\n" + body, then_finish=True)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer
    assert shared.log.count("whole body") == before


def test_a_body_cut_short_never_passes_for_the_whole(shared: Running):
    before = shared.log.count("whole body")
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    answer = shared.talk(head + b"half", then_finish=True)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert shared.log.count("whole body") == before


def test_a_framework_that_swallows_the_error_still_answers_400(shared: Running):
    head = b"POST /swallow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    answer = shared.talk(head + b"half", then_finish=True)

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_small_unread_body_is_skipped(shared: Running):
    head = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
    answer = shared.talk(head + b"GET /x HTTP/1.1\r\n\r\n".ljust(60_000) + AGAIN)

    assert answer.count(b"HTTP/1.1 200") == 2


def test_a_big_unread_body_ends_the_connection_after_the_answer(shared: Running):
    head = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    answer = shared.talk(head + b"GET /x HTTP/1.1\r\n\r\n".ljust(900_000) + AGAIN)

    assert answer.endswith(b"hello")
    assert b"Connection: close" in answer


def test_who_asks_before_sending_is_told_to_go_on(shared: Running):
    with shared.connect() as sock:
        sock.sendall(
            b"POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        asked = read_answer(sock)
        sock.sendall(b"body")
        answer = read_answer(sock)

    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert expected(b"body") in answer


def test_who_asks_before_sending_may_be_refused_without_a_body(shared: Running):
    answer = shared.talk(
        b"POST /missing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        then_finish=True,
    )

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"Connection: close" in answer
