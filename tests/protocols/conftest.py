"""One running application with two projects, asked many times: nothing here changes it."""

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.instance import Instance

LAMP = esp_application(version="1.4.0", project="lamp", payload_bytes=4096)
OLD_LAMP = esp_application(version="1.3.9", project="lamp", payload_bytes=2048, seed=1)
OPAQUE = bytes(range(256)) * 8
PLUG = esp_application(version="2.0.0", project="plug", payload_bytes=1024, seed=2)


@pytest.fixture(scope="module", name="ota")
def an_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as instance:
        instance.drop("lamp", "lamp-1.4.0.bin", LAMP)
        instance.drop("lamp", "lamp-1.3.9.bin", OLD_LAMP)
        instance.drop("lamp", "notes_v7.dat", OPAQUE)
        instance.drop("plug", "plug.bin", PLUG)
        instance.clock.pass_seconds(3)
        yield instance


@pytest.fixture(scope="module", name="token")
def a_token(ota):
    return ota.mint("lamp")
