"""Bytes that no device sends: answered with 4xx or a closed line, never a mistake of ours."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fleet import Hostile

SECRETS = (b"root:", b"SQLite format", b"BEGIN PRIVATE")


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


@pytest.mark.parametrize(
    "name",
    [
        "../../data/secrets/jwt",
        "%2e%2e/%2e%2e/data/ota.sqlite",
        "%2e%2e%2f%2e%2e%2fdata%2fsecrets%2fadmin",
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "..%5c..%5cdata%5csecrets%5cjwt",
        "..\\..\\data\\secrets\\jwt",
        "%00",
        "lamp-1.4.0.bin%00.md5",
        "CON",
        "NUL.bin",
        "a:b",
        "lamp-1.4.0.bin::$DATA",
        "...",
        "....//....//etc/passwd",
        "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
        "%e0%80%ae%e0%80%ae/etc/passwd",
        "%252e%252e/%252e%252e/etc/passwd",
        "%u002e%u002e/etc/passwd",
        "/etc/passwd",
        "./lamp-1.4.0.bin",
        "lamp-1.4.0.bin/",
        "lamp-1.4.0.bin%20",
        "lamp-1.4.0.bin%0d%0aX-Injected:%20yes",
        "~root/.ssh/id_rsa",
        "sha256-0000000000000000/../../../../etc/passwd",
    ],
)
@pytest.mark.parametrize(
    "place", ["/firmware/lamp/", "/firmware/", "/", "/admin/", "/favicon.ico/"]
)
def test_no_spelling_on_the_wire_leaves_the_folder(server, token, place, name):
    asked = f"GET {place}{name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"

    answer = Hostile(server.port).say(f"{asked}Connection: close\r\n\r\n".encode())

    assert statuses(answer) in ([400], [404])
    assert not any(secret in answer for secret in SECRETS)
    assert b"X-Injected" not in answer.partition(b"\r\n\r\n")[0]
    assert str(server.folder).encode() not in answer


@pytest.mark.parametrize(
    "target",
    [
        "http://elsewhere/firmware/lamp/../../data/secrets/jwt",
        "http://x/../../../etc/passwd",
        "//etc/passwd",
        "file:///etc/passwd",
        "*",
        "x:443",
    ],
)
def test_a_target_in_another_form_leaks_nothing(server, token, target):
    asked = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"

    answer = Hostile(server.port).say(f"{asked}Connection: close\r\n\r\n".encode())

    assert all(400 <= status < 500 for status in statuses(answer))
    assert not any(secret in answer for secret in SECRETS)


lines = st.sampled_from(
    [
        b"GET /firmware/lamp/lamp-1.4.0.bin HTTP/1.1\r\n",
        b"HEAD /firmware/lamp/latest HTTP/1.0\r\n",
        b"POST /admin/generate_token HTTP/1.1\r\n",
        b"GET / HTTP/9.9\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
)
fields = st.sampled_from(
    [
        b"Host: x\r\n",
        b"Host: x\r\nHost: y\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Range: bytes=0-\r\n",
        b"Range: bytes=" + b"0-0," * 200 + b"\r\n",
        b"Authorization: Bearer a.b.c\r\n",
        b"Authorization: Basic \xff\xfe\r\n",
        b"Expect: 100-continue\r\n",
        b"Upgrade: h2c\r\n",
        b"X-Forwarded-For: ' OR 1=1\r\n",
        b"Content-Type: application/json\r\n",
        b"X-Admin-Secret: \x00\r\n",
        b"Connection: keep-alive\r\n",
        b" folded\r\n",
        b"NoColon\r\n",
    ]
)
requests = st.builds(
    lambda line, listed, body: line + b"".join(listed) + b"\r\n" + body,
    lines,
    st.lists(fields, max_size=5),
    st.binary(max_size=40) | st.just(b"5\r\nhello\r\n0\r\n\r\n"),
)
said = (
    st.binary(max_size=300)
    | requests
    | st.lists(requests, max_size=3).map(b"".join)
    | st.builds(lambda whole, cut: whole[:cut], requests, st.integers(0, 100))
)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=said)
def test_any_bytes_on_the_wire_are_refused_or_dropped(server, data):
    answer = Hostile(server.port).say(data)

    assert all(100 <= status < 500 for status in statuses(answer))
    assert b"Traceback" not in answer


def test_after_all_of_it_the_server_is_well_and_its_log_has_no_traceback(server, token):
    assert server.get("/firmware/lamp/versions", token).status == 200
    assert "Traceback" not in server.log
