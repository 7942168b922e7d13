"""What strangers try: other spellings of a path, and two requests that look like one."""

import contextlib
import socket
import ssl

import pytest

from ota_http_server.domain.esp_sample import esp_application

pytestmark = pytest.mark.needs("apache2")

IMAGE = esp_application()

UPWARDS = [
    "../../etc/passwd",
    "../../../../../../etc/passwd",
    "..",
    "./",
    "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%2f..%2fetc/passwd",
    "..%5c..%5cetc%5cpasswd",
    "..\\..\\etc\\passwd",
    "%252e%252e%252fetc",
    "..%c0%af..%c0%afetc/passwd",
    "%00",
    "lamp.bin%00.txt",
    "CON",
    "NUL.bin",
    "a:b",
    "...",
    "../../data/ota.sqlite",
    "../../../data/secrets/jwt",
    "lamp.bin/../../../data/secrets/admin",
    ";/lamp.bin",
    "/etc/passwd",
    "~root",
    ".lamp.bin.part",
]

# Where two readers may see different requests, none may be served behind the first.
SMUGGLED = "GET /firmware/smuggled-{n}/x HTTP/1.1\r\nHost: localhost\r\n\r\n"
FRAMING = [
    "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{inner}",
    "Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{inner}",
    "Content-Length: +{length}\r\n\r\n{inner}",
    "Content-Length: 0_5\r\n\r\n{inner}",
    "Content-Length: -1\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n5\r\nabc\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nab\r\n0\r\n\r\n{inner}",
    "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{inner}",
    "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
    "X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
    " folded: yes\r\nContent-Length: 0\r\n\r\n{inner}",
    "Host: other\r\n\r\n{inner}",
]


@pytest.mark.parametrize("through", ["apache", "direct"])
def test_no_spelling_of_a_path_leaves_the_project(cluster, apache, project, through):
    _, token = cluster.publish(project, "lamp.bin", IMAGE)
    door = apache if through == "apache" else cluster.any

    statuses = {}
    for path in UPWARDS:
        said = (
            f"GET /firmware/{project}/{path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        answer = door.raw(said.encode("latin-1"))
        statuses[path] = int(answer[9:12])
        assert b"root:" not in answer and b"SQLite" not in answer

    assert not {p: s for p, s in statuses.items() if s not in (400, 404)}


@pytest.mark.parametrize("through", ["apache", "direct"])
@pytest.mark.parametrize("n", range(len(FRAMING)))
def test_a_request_hidden_in_another_is_not_served(cluster, apache, through, n):
    door = apache if through == "apache" else cluster.any
    inner = SMUGGLED.format(n=f"{through}-{n}")
    outer = "POST /admin/generate_token HTTP/1.1\r\nHost: localhost\r\n"
    said = outer + FRAMING[n].format(length=len(inner), inner=inner)

    answer = door.raw(said.encode("latin-1"))

    assert answer.count(b"HTTP/1.1 ") <= 1
    assert int(answer[9:12] or 400) in range(400, 500)
    assert not any(f"smuggled-{through}-{n}/" in i.log for i in cluster.instances)


def test_the_limits_of_apache_and_of_the_instances_agree(cluster, apache):
    def answers(said):
        return [int(door.raw(said.encode())[9:12]) for door in (apache, cluster.any)]

    end = "Host: localhost\r\nConnection: close\r\n\r\n"

    assert answers(f"GET /status?{'a' * 3_900} HTTP/1.1\r\n{end}") == [200, 200]
    assert answers(f"GET /status?{'a' * 4_200} HTTP/1.1\r\n{end}") == [414, 414]
    many = "".join(f"X-{n}: 1\r\n" for n in range(101))
    assert set(answers(f"GET /status HTTP/1.1\r\n{many}{end}")) <= {400, 431}


def test_a_hundred_half_headers_keep_nobody_out(cluster, apache, project):
    path, token = cluster.publish(project, "lamp.bin", IMAGE)
    trusting = ssl.create_default_context(cafile=apache.ca)

    with contextlib.ExitStack() as lines:
        for _ in range(40):
            lines.enter_context(socket.create_connection(("127.0.0.1", apache.port)))
        for _ in range(60):
            plain = lines.enter_context(socket.create_connection(("127.0.0.1", cluster.any.port)))
            plain.sendall(b"GET / HTTP/1.1\r\nHos")
        for _ in range(20):
            plain = socket.create_connection(("127.0.0.1", apache.port))
            line = lines.enter_context(trusting.wrap_socket(plain, server_hostname="127.0.0.1"))
            line.sendall(b"GET / HTTP/1.1\r\nHos")

        assert apache.get(path, token).body == IMAGE
        assert cluster.any.get(path, token).body == IMAGE
