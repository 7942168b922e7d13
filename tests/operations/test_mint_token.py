"""Minting: a token that works or none at all, and the device that comes in by it."""

import pytest

from ota_http_server.domain.device import VersionFrom
from ota_http_server.operations.give_key import KeyWish
from tests.api.calling import SHELL
from tests.instance import DEVICE, Clock, Instance

WISH = {"device_id": DEVICE, "project": "lamp"}


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


@pytest.fixture(name="ota")
def an_instance(tmp_path, clock):
    with Instance(tmp_path, clock) as ota:
        (ota.firmware / "lamp").mkdir()
        yield ota


def revoke_with_the_clock_ahead(ota, seconds):
    ota.clock.pass_seconds(seconds)
    assert ota.admin("/admin/revoke_token", {"device_id": DEVICE}).status_code == 200
    ota.clock.pass_seconds(-seconds)


@pytest.mark.parametrize("seconds", [0, 1, 50])
def test_a_token_for_a_device_that_was_revoked_a_moment_ago_works(ota, seconds):
    revoke_with_the_clock_ahead(ota, seconds)

    assert ota.get("/firmware/lamp/versions", ota.mint("lamp")).status_code == 200


@pytest.mark.parametrize("seconds", [70, 30 * 86_400])
def test_no_token_that_could_not_work_is_given_out(ota, seconds):
    revoke_with_the_clock_ahead(ota, seconds)

    refused = ota.admin("/admin/generate_token", WISH)

    assert (refused.status_code, refused.json["code"]) == (409, "conflict")
    assert "still to come" in refused.json["detail"]
    assert "generate_token" not in (ota.folder / "ota_audit.log").read_text()


def test_once_the_moment_of_the_revocation_has_passed_tokens_are_given_again(ota, clock):
    revoke_with_the_clock_ahead(ota, 3600)
    clock.pass_seconds(3601)

    assert ota.get("/firmware/lamp/versions", ota.mint("lamp")).status_code == 200


def device_of(ota, device=DEVICE):
    with ota.ota.stores.database.reading() as rows:
        return rows.devices.get(device)


def test_a_minted_token_puts_its_device_into_the_registry(ota):
    ota.mint("lamp", current_fw="1.2.0")

    device = device_of(ota)
    assert (device.project, device.created_by) == ("lamp", "token")
    assert (device.version, device.version_from) == ("1.2.0", VersionFrom.OPERATOR)


def test_a_version_that_nobody_told_is_no_fact_about_the_device(ota):
    ota.mint("lamp")

    assert (device_of(ota).version, device_of(ota).version_from) == (None, None)


def test_a_device_that_is_there_stays_as_it_is(ota):
    ota.ota.enroll.register(SHELL, "lamp", DEVICE, {"notes": "mine", "version": "1.0.0"})
    before = device_of(ota)

    ota.mint("lamp", current_fw="9.9.9")

    assert device_of(ota) == before


def test_a_device_of_another_project_gets_its_token_and_a_warning_and_is_not_moved(ota):
    ota.mint("lamp")

    answer = ota.admin("/admin/generate_token", {**WISH, "project": "fan"})

    assert answer.status_code == 200
    assert "registered for lamp" in answer.json["warning"]
    assert device_of(ota).project == "lamp"
    assert "warning" not in ota.admin("/admin/generate_token", WISH).json


def test_to_a_key_for_one_project_the_other_has_no_name(ota):
    ota.mint("lamp")
    key = ota.ota.keys.create(SHELL, KeyWish.of("of-fan", "operator", "fan", None)).text
    headers = {"Authorization": f"Bearer {key}"}

    answer = ota.client.post(
        "/admin/generate_token", json={**WISH, "project": "fan"}, headers=headers
    )

    assert "registered for another project" in answer.json["warning"]
    assert "lamp" not in answer.json["warning"]


def test_a_full_registry_is_told_of_and_the_token_works(tmp_path):
    with Instance(tmp_path, devices_max=1) as ota:
        (ota.firmware / "lamp").mkdir()
        ota.ota.enroll.register(SHELL, "lamp", "another", {})

        answer = ota.admin("/admin/generate_token", WISH)

        assert "devices_max" in answer.json["warning"]
        assert ota.get("/firmware/lamp/versions", answer.json["token"]).status_code == 200
        assert device_of(ota) is None


def test_no_device_comes_in_by_a_token_that_was_not_given(ota):
    revoke_with_the_clock_ahead(ota, 3600)
    assert ota.admin("/admin/generate_token", WISH).status_code == 409

    assert device_of(ota) is None
