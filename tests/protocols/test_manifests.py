"""What holds for every document that a client reads before it fetches an image."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_http_server.domain.operator import Operator
from ota_http_server.storage.credentials import Kind
from tests.instance import Instance
from tests.protocols.boards import (
    BOARD,
    DOCUMENTS,
    basic,
    change_device,
    change_release,
    device_row,
    document,
    followed,
    lamp,
    link_in,
    own_credential,
    states,
)
from tests.protocols.controllers import a_credential

NEW = lamp("1.4.0")
documents = pytest.mark.parametrize("name", DOCUMENTS)


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        instance.drop("lamp", "lamp-1.3.0.bin", lamp("1.3.0", seed=1))
        instance.drop("lamp", "lamp-1.4.0.bin", NEW)
        yield instance


@pytest.fixture(name="open_ota")
def an_instance_without_tokens(tmp_path):
    with Instance(tmp_path, no_jwt=True) as instance:
        instance.drop("lamp", "lamp-1.4.0.bin", NEW)
        yield instance


@documents
def test_it_is_for_whoever_has_a_credential_of_the_project(ota, name):
    ota.drop("fan", "fan-1.0.0.bin", lamp("1.0.0"))
    own = own_credential(ota)

    assert ota.get(f"/firmware/lamp/{name}").status_code == 401
    assert ota.get(f"/firmware/fan/{name}", own).status_code == 404
    assert ota.get(f"/firmware/lamp/{name}", own).status_code == 200


@documents
def test_it_is_read_and_nothing_else(ota, name):
    own = own_credential(ota)
    path = f"/firmware/lamp/{name}"
    whole = ota.get(path, own)

    head = ota.ask("HEAD", path, own)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert ota.ask("POST", path, own).status_code == 405


@documents
def test_a_project_that_is_not_there_and_one_that_is_empty_look_alike(open_ota, name):
    (open_ota.firmware / "empty").mkdir()

    answers = [open_ota.get(f"/firmware/{project}/{name}") for project in ("empty", "nowhere")]

    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].data == answers[1].data


@documents
def test_its_link_works_wherever_the_client_keeps_its_credential(ota, name):
    own = own_credential(ota)
    in_header = document(ota, name, Authorization=basic(own))
    in_query = document(ota, name, query=f"token={own}")
    in_path = json.loads(ota.get(f"/firmware/lamp/{own}/{name}").data)

    fetched = [
        ota.get(followed(link_in(name, in_header)), own),
        ota.get(followed(link_in(name, in_query))),
        ota.get(followed(link_in(name, in_path), f"/firmware/lamp/{own}/")),
    ]

    assert [answer.data for answer in fetched] == [NEW] * 3


@documents
def test_no_credential_is_ever_in_it(ota, name):
    own = own_credential(ota)

    for way in (f"/firmware/lamp/{own}/{name}", f"/firmware/lamp/{name}?token={own}"):
        assert own.encode() not in ota.get(way).data


@documents
def test_the_link_of_a_query_ends_within_the_hour_and_with_the_device(ota, name):
    device = "e6f87d77-4216-4be1-ab83-b5fa6792b747"
    token = ota.mint("lamp", device)
    path = followed(link_in(name, document(ota, name, query=f"token={token}")))
    assert ota.get(path).status_code == 200
    ota.clock.pass_seconds(1)
    ota.admin("/admin/revoke_token", {"device_id": device})

    assert ota.get(path).status_code == 401


@documents
def test_reading_it_is_a_check_in_and_opens_no_attempt(ota, name):
    own = own_credential(ota)

    document(ota, name, own)

    assert device_row(ota).created_by == "check-in"
    assert states(ota) == []


@documents
def test_fetching_what_it_offers_opens_the_attempt(ota, name):
    own = own_credential(ota)
    path = followed(link_in(name, document(ota, name, own)))

    head = ota.ask("HEAD", path, own)
    before = states(ota)
    ota.get(path, own, Range="bytes=0-99")
    ota.get(path, own, Range="bytes=100-")
    ota.get(path, own)

    assert (head.status_code, before) == (200, [])
    assert states(ota) == ["offered"]


@documents
def test_a_board_that_tells_its_version_in_the_url_proves_the_update(ota, name):
    own = own_credential(ota)
    path = followed(link_in(name, document(ota, name, own, "version=1.3.0")))
    ota.get(path, own)
    ota.ota.progress.sent(
        BOARD, ota.get("/firmware/lamp/latest", own).json["sha256"], 9, whole=True
    )
    ota.ota.progress.write()
    assert states(ota) == ["downloaded"]

    ota.get(f"/firmware/lamp/{name}?version=1.4.0", own)

    assert states(ota) == ["verified"]
    assert device_row(ota).version == "1.4.0"


def test_fetching_another_image_than_the_offered_one_opens_none(ota):
    own = own_credential(ota)
    document(ota, token=own)
    with ota.ota.stores.database.reading() as rows:
        older = rows.releases.get("lamp", "1.3.0").images[0]

    answer = ota.get(f"/firmware/lamp/sha256-{older.sha256[:16]}/{older.name}", own)

    assert answer.status_code == 200
    assert states(ota) == []


def test_a_device_that_never_asked_for_an_offer_simply_downloads(ota):
    own = own_credential(ota)
    latest = ota.get("/firmware/lamp/latest", own).json

    answer = ota.get(latest["url"].removeprefix("http://localhost"), own)

    assert answer.data == NEW
    assert device_row(ota) is None


def test_the_attempt_of_a_ticket_is_its_devices(ota):
    own = own_credential(ota)
    path = followed(link_in("manifest.json", document(ota, query=f"token={own}")))

    ota.get(path)

    assert states(ota) == ["offered"]


@documents
def test_without_tokens_the_link_says_whose_download_it_is(open_ota, name):
    said = document(open_ota, name, query="device=24-0A-C4-00-00-01")

    answer = open_ota.get(followed(link_in(name, said)))

    assert answer.data == NEW
    assert states(open_ota) == ["offered"]


@documents
def test_without_tokens_and_a_name_nobody_checks_in(open_ota, name):
    path = followed(link_in(name, document(open_ota, name)))

    assert "?" not in path
    assert open_ota.get(path).data == NEW
    with open_ota.ota.stores.database.reading() as rows:
        assert rows.devices.get("") is None


@documents
def test_a_gateways_key_shows_what_there_is_to_boards_that_nobody_knows(ota, name):
    key = a_credential(ota, "", "lamp", Kind.GATEWAY)

    paths = [
        followed(
            link_in(name, json.loads(ota.get(f"/firmware/lamp/{key}/{name}").data)),
            f"/firmware/lamp/{key}/",
        )
        for _ in range(4)
    ]

    assert [ota.get(path).data for path in paths] == [NEW] * 4
    assert states(ota, "") == []


@documents
def test_a_gateways_key_may_say_for_which_device_it_asks(ota, name):
    key = a_credential(ota, "", "lamp", Kind.GATEWAY)
    said = document(ota, name, key, f"device={BOARD}")

    answer = ota.get(followed(link_in(name, said)), key)

    assert answer.data == NEW
    assert states(ota) == ["offered"]


def test_a_query_that_names_no_device_does_not_stop_a_download(open_ota):
    path = followed(link_in("manifest.json", document(open_ota)))

    for junk in ("device=a%20b", "&".join(f"f{n}=1" for n in range(50))):
        assert open_ota.get(f"{path}?{junk}").data == NEW


@documents
def test_a_blocked_device_is_shown_no_image(ota, name):
    own = own_credential(ota)
    document(ota, name, own)
    change_device(ota, blocked=True)

    answer = ota.get(f"/firmware/lamp/{name}", own)

    assert b"sha256-" not in answer.data


@documents
def test_a_pinned_device_is_shown_its_own_release(ota, name):
    own = own_credential(ota)
    document(ota, name, own)
    change_device(ota, pinned="1.3.0")

    assert "lamp-1.3.0.bin" in link_in(name, document(ota, name, own))


@documents
def test_a_device_of_another_channel_is_shown_that_one(ota, name):
    own, other = own_credential(ota), own_credential(ota, "other")
    change_device(ota, channel="beta")
    ota.get(f"/firmware/lamp/{name}", own)
    change_release(ota, "1.3.0", channel="beta")

    assert "lamp-1.3.0.bin" in link_in(name, document(ota, name, own))
    assert "lamp-1.4.0.bin" in link_in(name, document(ota, name, other))


@documents
def test_a_project_that_takes_nobody_in_shows_a_stranger_no_image(ota, name):
    operator = Operator("test", "192.0.2.1")
    ota.ota.projects.settle(operator, "lamp", {"registering": "invited"})
    own = own_credential(ota)

    answer = ota.get(f"/firmware/lamp/{name}", own)

    assert b"sha256-" not in answer.data
    assert device_row(ota) is None


@documents
def test_an_image_that_does_not_fit_is_not_shown(ota, name):
    own = own_credential(ota)

    for said in ("chip=esp32s3", "chip=esp32&free_bytes=100"):
        assert b"sha256-" not in ota.get(f"/firmware/lamp/{name}?{said}", own).data


QUERIES = st.dictionaries(
    st.sampled_from(
        ["version", "chip", "device", "id", "type", "board", "revision", "image_sha256", "x"]
    ),
    st.text(max_size=80),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(name=st.sampled_from(DOCUMENTS), query=QUERIES)
def test_whatever_the_query_says_the_answer_is_none_of_a_broken_server(open_ota, name, query):
    answer = open_ota.client.get(f"/firmware/lamp/{name}", query_string=query)

    assert 200 <= answer.status_code < 500
    json.loads(answer.data)
