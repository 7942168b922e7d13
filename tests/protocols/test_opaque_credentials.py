"""A device's own credential and a download ticket, in every place where a client can keep one."""

import base64

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.operations.verify_token import credential_of
from ota_http_server.storage.credentials import Credential, Kind
from tests.instance import Instance

LAMP = esp_application(version="1.4.0", project="lamp", payload_bytes=4096)
PATH = "/firmware/lamp/lamp-1.4.0.bin"


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        instance.drop("lamp", "lamp-1.4.0.bin", LAMP)
        instance.drop("fan", "fan-1.0.0.bin", LAMP)
        yield instance


def given_to(ota, device="board", kind=Kind.DEVICE):
    text = ota.ota.opaque.new_credential()
    credential = Credential(credential_of(text).hex(), kind, device, "lamp", 1, "test")
    ota.ota.stores.database.change(lambda tx: tx.credentials.add(credential))
    return text


def digest_of(ota, token):
    return ota.get("/firmware/lamp/latest", token).json["sha256"]


def test_it_works_as_bearer_basic_query_path_and_in_hawkbits_words(ota):
    own = given_to(ota)
    basic = base64.b64encode(f"board:{own}".encode()).decode()

    answers = [
        ota.get(PATH, own),
        ota.get(PATH, Authorization=f"Basic {basic}"),
        ota.get(PATH, Authorization=f"TargetToken {own}"),
        ota.get(f"{PATH}?token={own}"),
        ota.get(f"/firmware/lamp/{own}/lamp-1.4.0.bin"),
    ]

    assert [(a.status_code, a.data) for a in answers] == [(200, LAMP)] * 5


def test_it_opens_its_own_project_alone(ota):
    own = given_to(ota)

    assert ota.get("/firmware/fan/fan-1.0.0.bin", own).status_code == 404


def test_taken_back_it_opens_nothing(ota):
    own = given_to(ota)
    assert ota.get(PATH, own).status_code == 200
    revoked = credential_of(own).hex()
    ota.ota.stores.database.change(lambda tx: tx.credentials.revoke(revoked, tx.second))
    ota.ota.verifier.refresh()

    assert ota.get(PATH, own).status_code == 401


def test_one_that_we_made_and_nobody_was_given_opens_nothing(ota):
    assert ota.get(PATH, ota.ota.opaque.new_credential()).status_code == 401


def test_a_stranger_costs_no_look_at_the_database(ota):
    place = ota.folder / "data" / "ota.sqlite"
    place.rename(place.with_name("elsewhere"))

    assert ota.get(PATH, "A" * 32).status_code == 401


def test_a_new_secret_of_the_tokens_leaves_boards_their_credentials(tmp_path):
    with Instance(tmp_path) as before:
        before.drop("lamp", "lamp-1.4.0.bin", LAMP)
        own = given_to(before)

    with Instance(tmp_path, jwt_secret="another signing secret, long enough too") as after:
        assert after.get(PATH, own).status_code == 200


def test_a_ticket_opens_its_image_whole_and_in_ranges(ota):
    digest = digest_of(ota, given_to(ota))
    ticket = ota.ota.opaque.new_ticket("board", "lamp", digest, ota.clock.second)
    path = f"/firmware/lamp/{ticket}/sha256-{digest[:16]}/lamp-1.4.0.bin"

    assert ota.get(path).data == LAMP
    assert ota.get(path, Range="bytes=100-199").data == LAMP[100:200]
    assert ota.ask("HEAD", path).headers["Content-Length"] == str(len(LAMP))


@pytest.mark.parametrize(
    "place",
    [
        "lamp-1.4.0.bin",
        "latest",
        "versions",
        "sha256-0123456789abcdef/lamp-1.4.0.bin",
    ],
)
def test_a_ticket_opens_nothing_else(ota, place):
    digest = digest_of(ota, given_to(ota))
    ticket = ota.ota.opaque.new_ticket("board", "lamp", digest, ota.clock.second)

    assert ota.get(f"/firmware/lamp/{ticket}/{place}").status_code in (401, 404)
    assert ota.get(f"/firmware/lamp/{place}?token={ticket}").status_code == 401
    assert ota.get(f"/firmware/lamp/{place}", ticket).status_code == 401


def test_the_ticket_of_a_revoked_device_is_dead(ota):
    device = "e6f87d77-4216-4be1-ab83-b5fa6792b747"
    digest = digest_of(ota, given_to(ota))
    ticket = ota.ota.opaque.new_ticket(device, "lamp", digest, ota.clock.second)
    path = f"/firmware/lamp/{ticket}/sha256-{digest[:16]}/lamp-1.4.0.bin"
    assert ota.get(path).status_code == 200
    ota.clock.pass_seconds(1)

    ota.admin("/admin/revoke_token", {"device_id": device})

    assert ota.get(path).status_code == 401
