"""A blocked device is sent no image, whichever door it comes to and whatever it shows there."""

from urllib.parse import urlsplit

import pytest

from ota_http_server.domain.device import Device
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Operator
from ota_http_server.storage.credentials import Kind
from tests.instance import Instance
from tests.protocols.controllers import DEVICE, PROJECT, Target, a_credential, knows

FILE = f"{PROJECT}-1.1.0.bin"


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        ota.drop_old(PROJECT, FILE, esp_application(version="1.1.0", project=PROJECT))
        ota.ota.catalog.of(PROJECT)
        yield ota


def by_name(ota):
    return f"/firmware/{PROJECT}/{FILE}", {"Authorization": f"Bearer {a_credential(ota)}"}


def by_a_credential_in_the_path(ota):
    return f"/firmware/{PROJECT}/{a_credential(ota)}/{FILE}", {}


def by_a_ticket(ota):
    query = f"token={a_credential(ota)}&chip=esp32&version=1.0.0"
    answer = ota.get(f"/api/device/v1/check?{query}").get_json()
    return urlsplit(answer["url"]).path, {}


def by_a_gateway(ota):
    key = a_credential(ota, kind=Kind.GATEWAY)
    return f"/firmware/{PROJECT}/{FILE}?device={DEVICE}", {"Authorization": f"GatewayToken {key}"}


def by_an_action_of_hawkbit(ota):
    credential = a_credential(ota)
    target = knows(Target(ota, DEVICE, credential), chip="esp32")
    url = target.artifact()["_links"]["download"]["href"]
    return urlsplit(url).path, {"Authorization": f"TargetToken {credential}"}


WAYS = [by_name, by_a_credential_in_the_path, by_a_ticket, by_a_gateway, by_an_action_of_hawkbit]


def settle(ota, **wish):
    database = ota.ota.stores.database
    database.change(lambda tx: tx.devices.add(Device(id=DEVICE, project=PROJECT, created_at=1)))
    operator = Operator("test", "")
    ota.ota.look_after.change(operator, DEVICE, wish)


@pytest.mark.parametrize("way", WAYS)
def test_a_device_that_is_blocked_while_it_downloads_is_sent_nothing_more(ota, way):
    path, headers = way(ota)
    first = ota.client.get(path, headers=headers | {"Range": "bytes=0-99"}, buffered=True)

    settle(ota, blocked=True)

    after = ota.client.get(path, headers=headers | {"Range": "bytes=100-199"}, buffered=True)
    assert first.status_code == 206
    assert after.status_code == 403
    assert b"blocked" in after.data


@pytest.mark.parametrize("way", WAYS)
def test_a_device_that_is_let_go_again_goes_on(ota, way):
    path, headers = way(ota)
    settle(ota, blocked=True)

    settle(ota, blocked=False)

    assert ota.client.get(path, headers=headers, buffered=True).status_code == 200
