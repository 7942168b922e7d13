"""Minting for a device that was revoked: the new token works, or none is given."""

import pytest

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
