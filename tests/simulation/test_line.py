"""The connection of a simulated device: how it reads, breaks, trusts and stops."""

import ssl
from datetime import UTC, datetime

import pytest

from ota_http_server.security.certificates import ensure_own, own_files
from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.failed import Cut, Failed, TooMuch, Unreachable
from ota_http_server.simulation.line import Line, Words, tls_context
from ota_http_server.simulation.redirects import Rules, next_address
from tests.running import free_port
from tests.simulation.conftest import access
from tests.simulation.scripted import chunked, reply

BODY = bytes(range(256)) * 300


def get(line, url, *, bodiless=False, unwanted=None):
    address = Address.of(url)
    request = request_bytes(f"GET {address.target} HTTP/1.1", [("Host", address.host_field)])
    return line.ask(address, request, bodiless=bodiless, unwanted=unwanted)


@pytest.mark.parametrize(
    ("said", "framing"),
    [
        (reply(200, BODY), "length"),
        (chunked(200, BODY), "chunked"),
        (reply(200, BODY, sized=False), "close"),
    ],
)
def test_a_body_is_read_however_its_end_is_told(serve, said, framing):
    server = serve(lambda _: said)

    answer = get(Line(access()), server.url)

    assert (answer.status, answer.body, answer.framing_used) == (200, BODY, framing)


def test_a_connection_serves_as_many_requests_as_the_server_lets_it(serve):
    closes = serve(lambda _: reply(200, b"x", Connection="close"))
    keeps = serve(lambda _: reply(200, b"x"))
    counts = []
    for server in (closes, keeps):
        with Line(access()) as line:
            for _ in range(3):
                get(line, server.url)
            counts.append((line.opened, server.connections))

    assert counts == [(3, 3), (1, 1)]


def test_a_link_breaks_once_behind_the_bytes_that_were_asked_for(serve):
    server = serve(lambda _: reply(206, BODY))
    line = Line(access(), Words(cut="gone"))
    line.cut_after_bytes = 1000

    with pytest.raises(Cut, match="gone") as cut:
        get(line, server.url)

    assert (cut.value.received, cut.value.status) == (BODY[:1000], 206)
    assert get(line, server.url).body == BODY


def test_a_body_that_is_shorter_than_announced_is_a_cut(serve):
    whole = reply(200, BODY, Connection="close")
    server = serve(lambda _: whole[:-5])

    with pytest.raises(Cut) as cut:
        get(Line(access()), server.url)

    assert cut.value.received == BODY[:-5]


def test_no_more_is_fetched_than_is_allowed(serve):
    server = serve(lambda _: reply(200, BODY))
    line = Line(access())
    line.body_bytes_max = len(BODY) + 10

    get(line, server.url)
    with pytest.raises(TooMuch):
        get(line, server.url)


def test_a_body_whose_beginning_is_unwanted_is_left_there(serve):
    server = serve(lambda _: reply(200, BODY * 100))
    line = Line(access())

    answer = get(line, server.url, unwanted=lambda beginning: beginning.startswith(BODY[:256]))

    assert 1024 <= len(answer.body) < len(BODY) * 100
    assert get(line, server.url, unwanted=lambda _: False).body == BODY * 100


def test_a_client_that_redials_survives_a_kept_connection_that_died(serve):
    said = iter([reply(200, b"one"), b"", reply(200, b"two")])
    server = serve(lambda _: next(said))
    line = Line(access(), redials=True)

    answers = [get(line, server.url).body for _ in range(2)]

    assert answers == [b"one", b"two"]
    assert server.connections == 2


def test_what_is_no_http_is_said_to_be_none(serve):
    server = serve(lambda _: b"SSH-2.0-OpenSSH_9.9\r\n\r\n")

    with pytest.raises(Failed, match="no HTTP server"):
        get(Line(access()), server.url)


def test_interim_answers_are_passed_over(serve):
    server = serve(lambda _: b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + reply(200, b"yes"))

    assert get(Line(access()), server.url).body == b"yes"


def test_nobody_at_the_address_is_unreachable():
    with pytest.raises(Unreachable, match="refused"):
        get(Line(access(), Words(refused="refused")), f"http://127.0.0.1:{free_port()}/")


def test_tls_trusts_the_ca_that_it_was_given_and_no_other(serve, tmp_path):
    now = datetime.now(UTC)
    for place in ("ours", "other"):
        (tmp_path / place).mkdir()
        ensure_own(tmp_path / place, ("127.0.0.1",), now)
    own, other = own_files(tmp_path / "ours"), own_files(tmp_path / "other")
    server = serve(lambda _: reply(200, b"secret"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.server_cert, own.server_key)
    server.secure(context)
    url = f"https://127.0.0.1:{server.port}/"

    trusting = get(Line(access(tls=tls_context(own.ca_cert))), url)
    careless = get(Line(access(tls=tls_context(verify=False))), url)
    with pytest.raises(Unreachable):
        get(Line(access(tls=tls_context(other.ca_cert))), url)

    assert trusting.body == careless.body == b"secret"


@pytest.mark.parametrize(
    ("here", "location", "leads_to"),
    [
        ("http://a/x", "/y", "http://a/y"),
        ("https://a/x", "https://b:8443/y?t=1", "https://b:8443/y?t=1"),
        ("https://a/x", "/y", None),
        ("https://a/x", "http://a/y", None),
    ],
)
def test_a_strict_client_follows_absolute_redirects_that_stay_on_tls(here, location, leads_to):
    rules = Rules(most=1, relative_over_tls=False, to_plain=False, complaint="0x700d")
    answer = Answer("HTTP/1.1", 302, {"location": location}, b"", "length", 0.0)

    if leads_to is None:
        with pytest.raises(Failed, match="0x700d"):
            next_address(Address.of(here), answer, rules)
    else:
        assert next_address(Address.of(here), answer, rules).url == leads_to


@pytest.mark.parametrize(
    "url", ["lamp.bin", "ftp://a/x", "http:///x", "http://a:x/", "http://a b/"]
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(Failed, match="invalid URL"):
        Address.of(url)


def test_an_address_is_shown_without_what_may_be_a_credential():
    address = Address.of("https://me:secret@a:8070/firmware/lamp/eyJ0/lamp.bin?token=eyJ1")

    assert address.shown == "https://a:8070/…/lamp.bin"
    assert address.user_and_password == "me:secret"
    assert "secret" not in address.url
