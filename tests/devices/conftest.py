"""One real server for the devices of a module, with the images that they want."""

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.running import Server

LAMP = esp_application(version="1.4.0", project="lamp", payload_bytes=300_000)


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, "--workers", "2", "--stop-delay-seconds", "0") as running:
        running.drop("lamp", "lamp-1.4.0.bin", LAMP)
        yield running


@pytest.fixture(scope="module", name="token")
def a_token(server):
    return server.mint("lamp")
