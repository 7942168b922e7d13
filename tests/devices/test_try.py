"""`try` finds nothing wrong with the product itself, over HTTP and over its own TLS."""

import uuid

import pytest

from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.simulation.line import Access, tls_context
from ota_http_server.simulation.needs import Verdict, examine
from tests.running import Server
from tests.simulation.looking import LATE

LAMP = esp_application(version="1.4.0", project="lamp", payload_bytes=300_000)
SENSOR = esp8266_application(payload_bytes=100_000)
ESP8266 = ("esp8266", "tasmota")


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), tls=True) as running:
        running.drop("lamp", "lamp-1.4.0.bin", LAMP)
        running.drop("sensor", "sensor-1.4.0.bin", SENSOR)
        yield running


def minted(server, client):
    """The client's project, and a token of a device of its own."""
    project = "sensor" if client in ESP8266 else "lamp"
    return project, server.mint(project, str(uuid.uuid4()))


def broken(client, url, server, token=None):
    access = Access(token=token, tls=tls_context(server.ca))
    findings = examine(client, url, access)
    assert Verdict.OK in {one.verdict for one in findings}
    found = [one for one in findings if one.verdict is Verdict.BROKEN]
    return [one for one in found if not one.need.says.startswith(LATE)]


@pytest.mark.parametrize("client", ["esp-idf", "arduino", "esp8266", "esphome"])
def test_a_client_that_can_show_a_token_gets_what_it_needs(server, client):
    project, token = minted(server, client)
    url = f"{server.url}/firmware/{project}/{project}-1.4.0.bin"

    assert broken(client, url, server, token) == []


@pytest.mark.parametrize("client", ["esp-idf", "arduino", "esp8266", "esphome", "tasmota"])
def test_with_the_token_in_the_path_no_header_is_needed(server, client):
    project, token = minted(server, client)
    url = f"{server.url}/firmware/{project}/{token}/{project}-1.4.0.bin"

    found = broken(client, url, server)

    # A JWT makes the URL longer than Tasmota can keep.
    assert [one.need.says[:7] for one in found] == (["the URL"] if client == "tasmota" else [])


def test_a_wrong_token_is_named(server):
    url = f"{server.url}/firmware/lamp/lamp-1.4.0.bin"

    assert "200" in broken("esp-idf", url, server, "wrong")[0].need.says
