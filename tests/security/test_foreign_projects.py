"""Nobody is told what another project has, or what it is called."""

from ota_http_server.domain.device import Device
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.storage.credentials import Kind
from tests.instance import Instance
from tests.protocols.controllers import PROJECT, a_credential


def test_a_key_of_one_project_does_not_learn_the_name_of_another_one(tmp_path):
    with Instance(tmp_path) as ota:
        ota.drop_old(PROJECT, "gateway-1.1.0.bin", esp_application(version="1.1.0"))
        told = _told_of_a_foreign_device(ota)

    assert all(b"another project" in one for one in told)
    assert not any(b"codename" in one for one in told)


def _told_of_a_foreign_device(ota):
    secret = Device(id="gate-9", project="codename", created_at=1)
    ota.ota.stores.database.change(lambda tx: tx.devices.add(secret))
    bearer = {"Authorization": f"Bearer {a_credential(ota, kind=Kind.GATEWAY)}"}

    paths = (
        "/api/device/v1/check?device=gate-9&chip=esp32&version=1.0.0",
        f"/firmware/{PROJECT}/manifest.json?device=gate-9",
    )
    return [ota.client.get(path, headers=bearer, buffered=True).data for path in paths]
