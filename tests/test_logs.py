"""Log lines: one event a line whatever the values are, and no credential in any of them."""

import base64
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server import logs
from ota_http_server.domain.esp_sample import esp_application
from tests.fleet import EspIdf
from tests.instance import ADMIN_SECRET, Instance
from tests.running import Server

FORMS = {"text": logs.TextLine(), "json": logs.JsonLine()}
TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJlNmY4N2Q3Ny00MjE2IiwicHJvamVjdCI6ImxhbXAi"
    "fQ.c2lnbmF0dXJlLW9mLXRoaXMtdG9rZW4tMzItYnl0ZXM"
)
BLANKS = base64.urlsafe_b64encode(b'{ "alg" : "HS256", "typ" : "JWT" }').decode().rstrip("=")
FOREIGN = BLANKS + TOKEN[TOKEN.index(".") :]
BASIC = base64.b64encode(f"esp:{TOKEN}".encode()).decode()


def line_of(form, message, exception=None, **facts):
    error = (type(exception), exception, None) if exception else None
    record = logging.LogRecord("ota_http_server.lane", 20, "", 1, message, (), error)
    record.facts = facts
    return FORMS[form].format(record)


OPAQUE = "Zq8vXr2LmN4tYc7WbH1kDs5GfJ0pRaE3"
TICKET = "t6912ab34.MjQ6MGE6YzQ.Hq3vXr2LmN4tYc7WbH1kDs"
API_KEY = "otak_" + "Kw9Zq8vXr2LmN4tYc7WbH1kDs5GfJ0pRaE3-_aBcDeF"


forms = pytest.mark.parametrize("form", FORMS)


@forms
@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        FOREIGN,
        f"/firmware/lamp/{TOKEN}/lamp.bin",
        f"/firmware/lamp/{FOREIGN}/lamp.bin",
        f"/firmware/lamp/{TOKEN}/lamp.bin"[:120],
        f"/firmware/lamp/{FOREIGN}/lamp.bin"[:120],
        f"/firmware/lamp/lamp.bin?token={TOKEN}&x=1",
        f"GET /x?TOKEN={TOKEN} HTTP/1.1",
        "/x?token=opaque-credential-of-a-board",
        f"Authorization: Bearer {TOKEN}",
        f"authorization: bEaReR   {FOREIGN}",
        f"Authorization: Basic {BASIC}",
        "{'HTTP_X_ADMIN_SECRET': 'opaque-credential-of-a-board'}",
        "X-Admin-Secret: opaque-credential-of-a-board",
        "postgresql://ota:opaque-credential-of-a-board@db/ota",
        f"/firmware/lamp/{OPAQUE}/manifest.json",
        f"/firmware/lamp/{TICKET}/sha256-0123456789abcdef/lamp.bin",
        f"/firmware/lamp/{OPAQUE}",
        f"/default/controller/v1/{OPAQUE}",
        f"lamp has no file {OPAQUE}",
        f"/firmware/lamp/{OPAQUE}.bin",
        f"/flash/{TICKET}",
        f"Authorization: TargetToken {OPAQUE}",
        f"Authorization: GatewayToken {OPAQUE}",
        f"Authorization: Bearer {API_KEY}",
        f"the key {API_KEY} of a pipeline",
        f"X-API-Key: {API_KEY}",
    ],
)
@pytest.mark.parametrize("where", ["message", "fact", "traceback"])
def test_no_credential_reaches_a_line(form, text, where):
    line = {
        "message": lambda: line_of(form, text),
        "fact": lambda: line_of(form, "refused", path=text),
        "traceback": lambda: line_of(form, "incident", ValueError(text)),
    }[where]()

    secret = [OPAQUE, TICKET.split(".")[2], API_KEY[5:]]
    for part in [*TOKEN.split(".")[1:], BASIC, "opaque-credential", *secret]:
        assert part[:20] not in line


@pytest.mark.parametrize(
    "path",
    [
        "/firmware/lamp/lamp-1.4.0.bin",
        "/firmware/ewallet-controller/ewallet-controller.factory.bin",
        "/firmware/p/sha256-0123456789abcdef/some-long-image-name-v1.22.333-rc.4.bin",
        "/default/controller/v1/0123456789abcdef0123456789abcdef",
        "/firmware/lamp/0123456789ABCDEF0123456789ABCDEF.bin",
    ],
)
@forms
def test_ordinary_names_are_shown_as_they_are(form, path):
    assert path in line_of(form, "refused", path=path)


NASTY = [
    "a\r\n2026-01-31T12:00:00Z info server: stopped",
    "a\nb",
    "a\rb",
    "a\x00b",
    "a\x1b[2Jb",
    "a\u2028b\u2029c\x85d\x0b\x0c\x1c\x1d\x1e",
    "a\udcffb",
    'a" ip=1.2.3.4 status=200',
    "a\\nb",
    "a token=x\"y'",
]


@forms
@pytest.mark.parametrize("nasty", NASTY)
def test_a_value_cannot_make_a_second_line(form, nasty):
    for line in (line_of(form, "refused", path=nasty), line_of(form, f"not served: {nasty}")):
        assert len(line.splitlines()) == 1
        assert line.isprintable()


@given(st.text())
def test_no_text_makes_a_second_line_and_every_json_line_is_json(text):
    for form in FORMS:
        assert len(line_of(form, text, path=text).splitlines()) == 1
    assert set(json.loads(line_of("json", text, path=text))) >= {"time", "level", "event", "path"}


@given(st.text())
def test_a_text_that_holds_no_credential_comes_through_json_unchanged(text):
    line = json.loads(line_of("json", "refused", path=text))

    assert line["path"] == logs.masked(text)


@pytest.mark.parametrize("nasty", NASTY)
def test_a_traceback_is_indented_so_that_it_forges_nothing(nasty):
    first, *others = line_of("text", "incident 1", ValueError(nasty)).split("\n")

    assert first.endswith("incident 1")
    assert others
    assert all(line.startswith("  ") and line.isprintable() for line in others)


@pytest.mark.parametrize("nasty", NASTY)
def test_a_traceback_in_json_stays_on_its_line(nasty):
    line = line_of("json", "incident 1", ValueError(nasty))

    assert len(line.splitlines()) == 1
    assert "ValueError" in json.loads(line)["traceback"]


def test_facts_are_fields(capsys):
    logs.configure("text", "info")
    try:
        logs.say(logs.logger("lane"), logging.INFO, "refused", path="/a b", status=404, none=None)
    finally:
        logging.getLogger(logs.ROOT).handlers.clear()
        logging.getLogger(logs.ROOT).propagate = True

    assert capsys.readouterr().err.endswith(' info lane: refused path="/a b" status=404\n')


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_server_at_its_most_talkative_tells_no_credential(tmp_path, form):
    options = ("--log-level", "debug", "--log-format", form, "--access-log", "all")
    with Server(tmp_path, *options) as server:
        server.drop("lamp", "lamp.bin", esp_application(payload_bytes=20_000))
        token = server.mint("lamp")
        basic = base64.b64encode(f"x:{token}".encode()).decode()
        path = "/firmware/lamp/lamp.bin"
        EspIdf(server.port, path, token, 4096).partial()
        server.get(f"{path}?token={token}")
        server.get(f"/firmware/lamp/{token}/lamp.bin")
        server.get(f"/firmware/lamp/{token}/nothing.bin")
        server.get(f"/elsewhere/{token}?token={token}")
        server.get(path, Authorization=f"Basic {basic}")
        server.get(path, Authorization=f"Digest {basic}")
        server.admin("/admin/generate_token", {}, X_Admin_Secret="a wrong guess of somebody")
        server.revoke(token=token)
        server.get(path, token)
        secrets = [file.read_text().strip() for file in (server.data_dir / "secrets").iterdir()]
        log = server.log + "".join(server.audit_lines)

    for secret in [*token.split(".")[1:], basic, "a wrong guess", *secrets]:
        assert secret not in log


def test_a_mistake_of_ours_tells_no_credential_either(tmp_path, caplog, monkeypatch):
    with Instance(tmp_path) as ota:
        ota.drop("lamp", "lamp.bin", esp_application(payload_bytes=100))
        token = ota.mint("lamp")

        def broken(*_args):
            raise ValueError(f"cannot do that with {token} and X-Admin-Secret: {ADMIN_SECRET}")

        monkeypatch.setattr(ota.ota.collection, "find", broken)
        assert ota.get("/firmware/lamp/lamp.bin", token).status_code == 500

    for formatter in FORMS.values():
        lines = "".join(formatter.format(record) for record in caplog.records)
        assert "ValueError" in lines
        assert token.split(".")[1] not in lines
        assert ADMIN_SECRET not in lines


def test_the_mask_looks_at_each_character_a_few_times_at_most():
    """A quadratic search would take minutes for this, and the whole worker waits meanwhile."""
    text = "a" * 1_000_000

    assert logs.masked(text) == text
