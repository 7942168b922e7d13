"""What a client gets, byte by byte."""

import json
import re

import pytest

from tests.server.running import Running, read_answer, wait_until

KEEP = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


def test_an_answer_has_a_date_and_names_no_software(shared: Running):
    answer = shared.get("/hello")

    assert answer.startswith(b"HTTP/1.1 200 OK\r\nDate: ")
    assert answer.endswith(b"\r\n\r\nhello")
    assert b"server:" not in answer.lower()


def test_a_connection_serves_one_request_after_another(shared: Running):
    with shared.connect() as sock:
        answers = []
        for _ in range(3):
            sock.sendall(KEEP)
            answers.append(read_answer(sock))

    assert all(answer.endswith(b"hello") and b"Connection" not in answer for answer in answers)


def test_requests_sent_together_are_answered_in_order(shared: Running):
    answer = shared.talk(KEEP + b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"hello" in answer.split(b"HTTP/1.1 ")[1]


def test_http_1_0_is_closed_unless_it_asks(shared: Running):
    closed = shared.talk(b"GET /hello HTTP/1.0\r\n\r\n")
    with shared.connect() as sock:
        sock.sendall(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        kept = read_answer(sock)
        sock.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
        again = read_answer(sock)

    assert b"Connection: close" in closed
    assert b"Connection: keep-alive" in kept
    assert again.endswith(b"hello")


def test_head_sends_the_length_and_no_body(shared: Running):
    answer = shared.get("/hello", method="HEAD")

    assert b"Content-Length: 5" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_says_no_length(shared: Running, status: str):
    answer = shared.get("/status?is_=" + status.replace(" ", "%20"))

    assert answer.startswith(b"HTTP/1.1 " + status.encode())
    assert b"ontent-Length" not in answer
    assert b"chunked" not in answer


def test_a_body_of_unknown_length_is_chunked_or_ended_by_the_close(shared: Running):
    chunked = shared.get("/pieces")
    closed = shared.talk(b"GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")

    assert chunked.endswith(b"4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert closed.endswith(b"Connection: close\r\n\r\none,two")


def test_a_body_shorter_than_announced_ends_the_connection(shared: Running):
    answer = shared.talk(b"GET /short HTTP/1.1\r\nHost: x\r\n\r\n" + KEEP)

    assert answer.endswith(b"only this")


@pytest.mark.parametrize("path", ["/boom", "/split", "/file-error"])
def test_a_failing_application_gives_a_number_that_is_in_the_log(shared: Running, path: str):
    answer = shared.get(path)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"private" not in answer
    assert b"Set-Cookie" not in answer
    number = re.search(rb"\(([0-9a-f]{12})\)\n\Z", answer)
    assert number is not None
    wait_until(lambda: number[1].decode() in shared.log, "the log line")


def test_a_failure_half_way_is_not_mistaken_for_the_end(shared: Running):
    answer = shared.talk(b"GET /boom-late HTTP/1.1\r\nHost: x\r\n\r\n" + KEEP)

    assert answer.endswith(b"12345")


def test_the_environ_says_who_calls_and_where(shared: Running):
    answer = shared.get("//a%20b/../%00?x=%41")
    facts = json.loads(
        shared.get("/facts", "X-Two: 1", "X_Two: 2", "x-two: 3").split(b"\r\n\r\n")[1]
    )

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert facts["REMOTE_ADDR"] == "127.0.0.1"
    assert facts["SERVER_PORT"] == str(shared.port)
    assert facts["wsgi.url_scheme"] == "http"
    assert facts["HTTP_X_TWO"] == "1,3"


def test_files_are_made_for_nobody_else(shared: Running):
    facts = json.loads(shared.get("/facts").split(b"\r\n\r\n")[1])

    assert facts["umask"] == 0o077


def test_a_failure_on_a_thread_reaches_its_caller_and_nobody_else(shared: Running):
    before = len(shared.log)
    answer = shared.get("/thread-failure")

    assert answer.endswith(b"caught 'found nothing'")
    assert "Traceback" not in shared.log[before:]


def test_writes_never_overlap_wherever_they_are_asked_for(shared: Running):
    assert shared.get("/one-writer").endswith(b"at most 1")


def test_blocking_work_runs_on_threads_and_writes_on_one(shared: Running):
    assert shared.get("/threads").endswith(b"False 1")
