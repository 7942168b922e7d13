"""The brief's admin endpoints with API keys, and with the admin secret switched off."""

import pytest

from ota_http_server.domain.operator import Operator
from ota_http_server.operations.give_key import KeyWish
from tests.instance import ADMIN_SECRET, DEVICE, Instance

MINT = "/admin/generate_token"
WISH = {"device_id": DEVICE, "project": "lamp"}


def a_key(ota, role, project=None):
    name = f"{role}-{project}"
    return ota.ota.keys.create(Operator("shell", None), KeyWish.of(name, role, project, None)).text


def mint(ota, **headers):
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return ota.client.post(MINT, json=WISH, headers=said)


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        yield ota


@pytest.fixture(name="without")
def an_instance_without_the_secret(tmp_path):
    with Instance(tmp_path, shared_secret=False) as ota:
        yield ota


@pytest.mark.parametrize(
    ("role", "project", "status"),
    [
        ("admin", None, 200),
        ("operator", None, 200),
        ("operator", "lamp", 200),
        ("operator", "oven", 403),
        ("publisher", None, 403),
        ("viewer", "lamp", 403),
    ],
)
def test_an_operator_of_the_project_may_mint(ota, role, project, status):
    key = a_key(ota, role, project)

    assert mint(ota, X_API_Key=key).status_code == status
    assert mint(ota, Authorization=f"Bearer {key}").status_code == status


def test_the_audit_names_the_key(ota):
    mint(ota, X_API_Key=a_key(ota, "operator"))

    line = (ota.folder / "ota_audit.log").read_text().splitlines()[-1]
    assert "Action=generate_token" in line
    assert line.endswith("actor=operator-None")


def test_a_wrong_key_is_401_and_a_wrong_secret_decides_alone(ota):
    good = a_key(ota, "admin")

    assert mint(ota, X_API_Key="otak_" + "A" * 43).status_code == 401
    assert mint(ota, X_API_Key=good, X_Admin_Secret="wrong").status_code == 403
    assert mint(ota, Authorization="Basic Zm9vOmJhcg==").status_code == 403
    assert mint(ota).status_code == 403


def test_an_operator_of_a_project_revokes_what_is_known_to_be_of_it(ota):
    token = ota.mint("lamp")
    key = a_key(ota, "operator", "lamp")

    def revoke(**what):
        return ota.client.post("/admin/revoke_token", json=what, headers={"X-API-Key": key})

    assert revoke(jti="any").status_code == 403
    assert revoke(token=ota.mint("oven")).status_code == 403
    assert revoke(device_id="00000000-0000-4000-8000-00000000000f").status_code == 403
    assert revoke(token=token).status_code == 200


def test_switched_off_the_secret_opens_nothing_and_a_key_still_does(without):
    assert mint(without, X_Admin_Secret=ADMIN_SECRET).status_code == 403
    assert mint(without).status_code == 403
    assert mint(without, X_API_Key=a_key(without, "operator")).status_code == 200
