"""`try`: what it prints, how it ends, and that it keeps a token to itself."""

import io
import json
from contextlib import ExitStack

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.simulation.needs import CLIENTS
from tests.running import free_port
from tests.simulation.scripted import Files, Scripted, reply

IMAGE = esp_application(payload_bytes=30_000)


@pytest.fixture(name="serve")
def serving():
    with ExitStack() as running:
        yield lambda answer: running.enter_context(Scripted(answer))


def test_a_good_server_is_one_line_for_each_need_and_status_0(call, serve):
    server = serve(Files({"/lamp.bin": IMAGE}))

    said = call("try", "esp-idf", f"{server.url}/lamp.bin")

    lines = said.out.splitlines()
    assert (said.status, said.err) == (0, "")
    assert len(lines) > 15
    assert {line[:10].strip() for line in lines} == {"ok", "not tried"}


def test_a_broken_need_says_what_then_happens_and_how_to_mend_it(call, serve):
    server = serve(Files({"/lamp.bin": IMAGE}, framing="chunked"))

    said = call("try", "arduino", f"{server.url}/lamp.bin")

    broken = [line for line in said.out.splitlines() if line.startswith("BROKEN")]
    assert said.status == 1
    assert len(broken) == 1
    assert "Server Did Not Report Size" in broken[0]
    assert "Mend: send Content-Length" in broken[0]


def test_programs_get_the_same_as_json(call, serve):
    server = serve(Files({"/lamp.bin": IMAGE}, framing="chunked"))

    said = call("try", "arduino", f"{server.url}/lamp.bin", "--json")

    answer = json.loads(said.out)
    assert (said.status, answer["client"], answer["broken"]) == (1, "arduino", 1)
    assert {one["verdict"] for one in answer["needs"]} == {"ok", "broken", "not tried"}
    assert all(one["need"] and one["mend"] and one["otherwise"] for one in answer["needs"])


@pytest.mark.parametrize("client", CLIENTS)
def test_nobody_at_the_url_is_status_2_and_one_line(call, client):
    said = call("try", client, f"http://127.0.0.1:{free_port()}/x.json")

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("ota_http_server: not tried: ")
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("esp-idf", "lamp.bin"), "invalid URL"),
        (("esp-idf", "http://a/", "--header", "nonsense"), "--header must look like"),
        (("esp-idf", "http://a/", "--header", "A: b\r\nC: d"), "--header must look like"),
        (("esp-idf", "http://a/", "--token", "a b"), "--token must be"),
        (("esp-idf", "http://a/", "--ca", "nowhere.pem"), "cannot be used as a CA"),
        (("esp-idf", "http://a/", "--ca", "x", "--insecure"), "exclude each other"),
        (("tasmota", "http://a/", "--token", "T"), "belongs into the URL's path"),
        (("ota-pull", "http://a/", "--header", "A: b"), "belongs into the URL's path"),
        (("teapot", "http://a/"), "is not one of"),
    ],
)
def test_what_cannot_be_tried_is_said_in_words(call, words, complaint):
    said = call("try", *words)

    assert (said.status, said.out) == (2, "")
    assert complaint in said.err


def test_a_token_from_standard_input_is_shown_to_the_server_and_to_nobody_else(
    call, serve, monkeypatch
):
    server = serve(Files({"/SECRET/lamp.bin": IMAGE}, headers={"x_MD5": "0" * 32}))
    monkeypatch.setattr("sys.stdin", io.StringIO("TOKEN\n"))

    said = call("try", "esp-idf", f"{server.url}/SECRET/lamp.bin", "--token", "-")

    assert {one.headers["authorization"] for one in server.asked} == {"Bearer TOKEN"}
    assert "TOKEN" not in said.out + said.err
    assert "SECRET" not in said.out + said.err


def test_headers_are_added_to_what_the_client_sends(call, serve):
    server = serve(Files({"/lamp.bin": IMAGE}))

    call("try", "arduino", f"{server.url}/lamp.bin", "--header", "X-Device-ID: 42")

    assert server.asked[0].headers["x-device-id"] == "42"


def test_nothing_that_a_server_says_can_forge_a_line(call, serve):
    server = serve(lambda _: reply(200, IMAGE, x_MD5="a\x1b[2Jb\x0bok  all is well"))

    said = call("try", "arduino", f"{server.url}/lamp.bin")

    assert "\x1b" not in said.out
    assert len(said.out.splitlines()) == 10
