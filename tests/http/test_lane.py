"""The lane as WSGI sees it: any environ gets an answer, and the answer is the one of RFC 9110."""

import io
from wsgiref.validate import validator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.http.exchange import CONNECTION
from tests.http.rfc9110 import answer
from tests.http.test_files_model import headers as conditional_headers
from tests.http.test_files_model import named
from tests.instance import Instance

IMAGE = esp_application(payload_bytes=256)
PATH = "/firmware/lamp/lamp.bin"

unhurried = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(name="ota", scope="module")
def an_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        ota.drop("lamp", "lamp.bin", IMAGE)
        yield ota


@pytest.fixture(name="token", scope="module")
def a_token(ota):
    return ota.mint("lamp")


@pytest.fixture(name="modified", scope="module")
def its_time(ota):
    return int((ota.firmware / "lamp" / "lamp.bin").stat().st_mtime)


def environ(method="GET", path=PATH, query="", **more):
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    } | more


def answered(app, asked):
    """Status, headers and body, read and closed as a server does."""
    started = []
    body = app(asked, lambda status, fields, _error=None: started.append((status, fields)))
    try:
        content = b"".join(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    (status, fields), *_ = started
    return int(status.split()[0]), dict(fields), content


@unhurried
@given(method=st.sampled_from(["GET", "GET", "HEAD"]), data=st.data())
def test_an_answer_of_the_whole_application_is_the_one_of_rfc_9110(
    ota, token, modified, method, data
):
    etag = answered(ota.app, bearing(token))[1]["ETag"]
    fields = data.draw(conditional_headers(etag))

    got = answered(ota.app, bearing(token, method, **named(fields)))

    agrees(got, answer(method, fields, IMAGE, etag, modified), method)


def bearing(token, method="GET", **fields):
    sent = {f"HTTP_{name.upper()}": value for name, value in fields.items()}
    return environ(method, HTTP_AUTHORIZATION=f"Bearer {token}", **sent)


def agrees(got, expected, method):
    status, fields, body = got
    assert status == expected.status
    assert fields.get("Content-Range") == expected.content_range
    if status == 304:
        assert "Content-Length" not in fields
    elif method == "GET":
        assert fields["Content-Length"] == str(len(body))
    if expected.length is not None:
        assert fields["Content-Length"] == str(expected.length)
    if method == "HEAD":
        assert body == b""
    elif not expected.parts:
        assert body == expected.body
    for content_range, part in expected.parts:
        assert content_range.encode() in body
        assert part in body


def latin(**limits):
    return st.text(st.characters(max_codepoint=255), **limits)


segments = st.sampled_from(["lamp", "..", ".", "", "lamp.bin", "latest", "versions", "a.b.c"])
paths = st.lists(segments | latin(max_size=12), max_size=6).map("/".join)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE"]) | latin(max_size=8)
any_fields = st.dictionaries(
    st.sampled_from(
        [
            "HTTP_AUTHORIZATION",
            "HTTP_RANGE",
            "HTTP_IF_RANGE",
            "HTTP_IF_NONE_MATCH",
            "HTTP_HOST",
            "HTTP_X_FORWARDED_FOR",
            "HTTP_X_ADMIN_SECRET",
            "HTTP_TRANSFER_ENCODING",
            "HTTP_COOKIE",
            "CONTENT_TYPE",
            "CONTENT_LENGTH",
            "REMOTE_ADDR",
            "SERVER_PROTOCOL",
        ]
    ),
    latin(max_size=40)
    | st.sampled_from(["application/json", "Bearer a.b.c", "Basic ====", "bytes=0-", "10", "-1"]),
    max_size=6,
)


@unhurried
@given(
    method=methods,
    prefix=st.sampled_from(["/firmware/", "/firmware/lamp/", "/firmware", "/admin/", "/", ""]),
    path=paths,
    query=latin(max_size=30) | st.just("token=%ff%00"),
    more=any_fields,
    body=st.binary(max_size=60),
)
def test_whatever_is_asked_is_no_mistake_of_the_server(
    ota, caplog, method, prefix, path, query, more, body
):
    caplog.clear()
    asked = environ(method, prefix + path, query, **more)
    asked["wsgi.input"] = io.BytesIO(body)

    status, _, content = answered(ota.app, asked)

    assert 200 <= status < 500
    assert b"Traceback" not in content
    assert "Traceback" not in caplog.text


@unhurried
@given(
    path=paths, query=latin(max_size=30), more=any_fields.map(lambda f: f | {"HTTP_HOST": "ota"})
)
def test_a_caller_with_a_token_finds_no_mistake_either(ota, token, caplog, path, query, more):
    caplog.clear()
    asked = environ("GET", "/firmware/lamp/" + path, query, **more)
    asked["HTTP_AUTHORIZATION"] = f"Bearer {token}"

    status, _, content = answered(ota.app, asked)

    assert status < 500
    assert status >= 400 or content == b"" or path.split("/")[-1] not in ("..", ".", "")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../..",
        "../../etc/passwd",
        "../plug/plug.bin",
        "..\\..\\data\\secrets\\jwt",
        "lamp.bin\0",
        "lamp.bin\0.md5",
        "CON",
        "NUL.bin",
        "a:b",
        "lamp.bin:stream",
        "...",
        "\xc0\xae\xc0\xae/secret",
        "lamp.bin/",
        "/lamp.bin",
        "./lamp.bin",
        "lamp.bin ",
        " lamp.bin",
        "LAMP.BIN",
        "lamp.bin\n",
        "%2e%2e/x",
    ],
)
def test_no_spelling_leaves_the_folder(ota, token, name):
    decoded = answered(ota.app, environ(path=f"/firmware/lamp/{name}", query=f"token={token}"))
    as_project = answered(ota.app, environ(path=f"/firmware/{name}", query=f"token={token}"))

    for status, headers, content in (decoded, as_project):
        assert status == 404
        assert dict(headers)["Content-Type"] == "application/problem+json"
        assert b"root:" not in content
        assert str(ota.folder).encode() not in content


def test_the_answers_keep_the_rules_of_wsgi(ota, token):
    app = validator(ota.app)
    for method, range_ in (
        ("GET", "bytes=0-9"),
        ("GET", "bytes=0-1,5-6"),
        ("HEAD", ""),
        ("PUT", ""),
    ):
        asked = bearing(token, method, **({"range": range_} if range_ else {}))
        asked["SCRIPT_NAME"] = ""
        status, _, _ = answered(app, asked)
        assert status in (200, 206, 405)


def test_an_environ_may_lack_what_is_empty(ota):
    asked = environ()
    del asked["PATH_INFO"], asked["QUERY_STRING"], asked["SCRIPT_NAME"]

    assert answered(ota.app, asked)[0] == 404


class Wrapped:
    """What a server's `wsgi.file_wrapper` is given."""

    def __init__(self, file, block_bytes):
        self.start, self.file, self.block_bytes = file.tell(), file, block_bytes

    def __iter__(self):
        while block := self.file.read(self.block_bytes):
            yield block

    def close(self):
        self.file.close()


def test_a_server_that_can_send_files_is_given_the_file_where_it_begins(ota, token):
    asked = bearing(token, range="bytes=100-199") | {"wsgi.file_wrapper": Wrapped}
    kept = []

    body = ota.app(asked, lambda status, _fields: kept.append(status))

    assert isinstance(body, Wrapped)
    assert body.start == 100
    assert body.file.fileno() > 2
    assert b"".join(body) == IMAGE[100:200]
    body.close()


class Connection:
    credentialed = False
    on_transfer = None
    flow = None

    def rest(self, seconds):
        raise AssertionError("there is no rate")


def test_a_good_token_makes_the_connection_known_and_a_bad_one_does_not(ota, token):
    stranger, device = Connection(), Connection()
    answered(ota.app, environ(query="token=x") | {CONNECTION: stranger})
    answered(ota.app, bearing(token) | {CONNECTION: device})

    assert (stranger.credentialed, device.credentialed) == (False, True)


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "a@b", "[::1", "x" * 300, "a\0b"])
def test_a_host_that_is_none_is_a_bad_request(ota, token, host):
    status, _, _ = answered(ota.app, bearing(token, host=host) | {"SERVER_NAME": "h"})

    assert status == (200 if host == "" else 400)


def test_an_image_that_vanished_under_the_answer_is_503(ota, token, monkeypatch):
    def gone(path):
        raise FileNotFoundError(path)

    monkeypatch.setattr("ota_http_server.http.lane.open_blob", gone)

    assert answered(ota.app, bearing(token))[0] == 503


def test_a_mistake_of_ours_is_500_with_an_id_that_the_log_knows(ota, token, monkeypatch, caplog):
    def broken(*_args, **_more):
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(ota.ota.collection, "find", broken)

    status, _, content = answered(ota.app, bearing(token))

    incident = content.split(b'"id":"')[1].split(b'"')[0].decode()
    assert status == 500
    assert b"secret detail" not in content
    assert incident in caplog.text


@pytest.mark.parametrize(
    ("mode", "header"), [("x-sendfile", "X-Sendfile"), ("x-accel-redirect", "X-Accel-Redirect")]
)
def test_a_proxy_may_send_whole_images_for_us(tmp_path, mode, header):
    with Instance(tmp_path, transfer=mode, transfer_prefix="/_blobs") as ota:
        ota.drop("lamp", "lamp.bin", IMAGE)
        token = ota.mint("lamp")

        whole, ranged = ota.get(PATH, token), ota.get(PATH, token, Range="bytes=0-9")

    digest = whole.headers["x-SHA256"]
    assert whole.data == b""
    assert whole.headers[header].endswith(f"/{digest[:2]}/{digest}")
    assert (header in ranged.headers, ranged.data) == (False, IMAGE[:10])
