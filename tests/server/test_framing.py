"""Requests that could be read in two ways, or in none."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_http_server.server.framing import FIELDS_BYTES_MAX, FIELDS_MAX, Refused, parse
from tests.server.running import Running

SECOND = b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n"
GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /digest HTTP/1.1\r\nHost: x\r\n"

REFUSED = {
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a signed length": POST + b"Content-Length: +5\r\n\r\nhello",
    "a length with an underscore": POST + b"Content-Length: 0_5\r\n\r\nhello",
    "a superscript length": POST + b"Content-Length: \xb2\r\n\r\nhello",
    "a hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "no length after the colon": POST + b"Content-Length:\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab in a value": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: x\n\n",
    "one bare line feed": b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
    "two hosts": GET + b"Host: y\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a folded line": GET + b"X: a\r\n b\r\n\r\n",
    "a field without a colon": GET + b"nonsense\r\n\r\n",
    "a nameless field": GET + b": x\r\n\r\n",
    "a zero byte": GET + b"X: a\0b\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a version to come": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "a small method": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a fragment": b"GET /#a HTTP/1.1\r\nHost: x\r\n\r\n",
    "no leading slash": b"GET hello HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a raw high byte in the target": b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a user in the target": b"GET http://a@b/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a handshake on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "only an end": b"\r\n\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", REFUSED.values(), ids=REFUSED.keys())
def test_a_doubtful_request_is_refused_and_nothing_after_it_is_served(
    shared: Running, request_bytes: bytes
):
    answer = shared.talk(request_bytes + SECOND, then_finish=True)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close" in answer
    assert answer.count(b"HTTP/1.1") == 1


LIMITS = {
    "a request line of 4 kB": (b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 4_096), b"414"),
    "an endless request line": (b"GET /" + b"a" * 100_000, b"414"),
    "too many fields": (GET + b"X: y\r\n" * FIELDS_MAX + b"\r\n", b"431"),
    "too many bytes": (GET + b"X: %s\r\n\r\n" % (b"y" * FIELDS_BYTES_MAX), b"431"),
    "760 kB of fields": (GET + (b"X: %s\r\n" % (b"y" * 8_000)) * 95 + b"\r\n", b"431"),
    "an endless field": (GET + b"X: " + b"y" * 100_000, b"431"),
    "another expectation": (POST + b"Expect: miracles\r\n\r\n", b"417"),
}


@pytest.mark.parametrize(("request_bytes", "status"), LIMITS.values(), ids=LIMITS.keys())
def test_a_request_over_a_limit_is_refused(shared: Running, request_bytes: bytes, status: bytes):
    answer = shared.talk(request_bytes)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1") == 1


ACCEPTED = {
    "an empty line before it": b"\r\nGET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "an absolute target": b"GET http://y/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "an empty host": b"GET /hello HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
    "blanks around a value": GET + b"X: \t a \t\r\nConnection: Close\r\n\r\n",
    "as many fields as allowed": GET
    + b"X: y\r\n" * (FIELDS_MAX - 2)
    + b"Connection: close\r\n\r\n",
    "the longest target": b"GET /hello?a=%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    % (b"a" * (4_096 - len("GET /hello?a= HTTP/1.1"))),
}


@pytest.mark.parametrize("request_bytes", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_an_unusual_but_clear_request_is_served(shared: Running, request_bytes: bytes):
    answer = shared.talk(request_bytes)

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_the_host_of_an_absolute_target_wins():
    head = parse(b"GET http://real:1/p?q HTTP/1.1\r\nHost: other", {})

    assert head.environ["HTTP_HOST"] == "real:1"
    assert (head.environ["PATH_INFO"], head.environ["QUERY_STRING"]) == ("/p", "q")


def test_names_that_could_pose_as_others_never_arrive():
    head = parse(
        b"GET / HTTP/1.1\r\nHost: x\r\nX_Forwarded_For: 1\r\nProxy: 2\r\nCONTENT_LENGTH: 5", {}
    )

    assert head.length == 0
    assert not {"HTTP_X_FORWARDED_FOR", "HTTP_PROXY", "CONTENT_LENGTH"} & head.environ.keys()


names = st.sampled_from(
    ["Host", "Content-Length", "Transfer-Encoding", "Connection", "X", "X_Y", "Expect", "", "a b"]
)
values = st.sampled_from(
    ["x", "5", "+5", "chunked", "gzip", "close", " y ", "", "\x00", "a\tb", "ÿ"]
)
lines = st.sampled_from(
    [
        "GET / HTTP/1.1",
        "POST /a?b HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "GET a://b HTTP/1.1",
        "G / HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET / HTTP/3",
        "",
        "GET /# HTTP/1.0",
    ]
)
ends = st.sampled_from(["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n "])
fields = st.lists(st.tuples(names, values, ends), max_size=5)


@settings(max_examples=300, deadline=None)
@given(lines, ends, fields)
def test_what_we_take_gunicorn_takes_and_reads_alike(line, end, some):
    text = line + end + "".join(f"{name}: {value}{stop}" for name, value, stop in some)
    head = text.removesuffix("\r\n").encode("latin-1")
    try:
        ours = parse(head, {})
    except Refused:
        return

    theirs = gunicorn_reads(head + b"\r\n\r\n")

    assert ours.environ["REQUEST_METHOD"] == theirs.method
    assert ours.chunked == (type(theirs.body.reader).__name__ == "ChunkedReader")
    assert ours.length == getattr(theirs.body.reader, "length", 0)
    assert ours.keep_alive == (not theirs.should_close())


def gunicorn_reads(data: bytes):
    from gunicorn.config import Config
    from gunicorn.http.message import Request
    from gunicorn.http.unreader import IterUnreader

    return Request(Config(), IterUnreader(iter([data])), ("127.0.0.1", 1))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        parse(data, {})
    except Refused as refused:
        assert 400 <= refused.status < 500


junk = st.one_of(
    st.binary(max_size=300),
    st.tuples(lines, fields).map(
        lambda both: (
            both[0] + "\r\n" + "".join(f"{n}: {v}{e}" for n, v, e in both[1]) + "\r\n"
        ).encode("latin-1")
    ),
)


def test_any_bytes_get_a_refusal_or_a_close_and_leave_no_trace_in_the_log(shared: Running):
    before = shared.log

    @settings(max_examples=60, deadline=None)
    @given(st.lists(junk, min_size=1, max_size=3))
    def send(pieces):
        answer = shared.talk(b"".join(pieces), then_finish=True)
        statuses = [line[9:10] for line in io.BytesIO(answer) if line.startswith(b"HTTP/1.1 ")]
        assert not answer or statuses
        assert b"5" not in statuses

    send()

    assert "Traceback" not in shared.log[len(before) :]


def test_an_unfinished_head_is_no_error(shared: Running):
    assert shared.talk(b"GET / HT", then_finish=True) == b""
