"""hawkBit's clients poll: who may, what they are told to do, and when to come again."""

import logging
import re
from dataclasses import replace

import pytest

from ota_http_server.domain.project import Project, Registering
from ota_http_server.storage.credentials import Kind
from tests.instance import DEVICE as UUID
from tests.instance import Instance
from tests.protocols.controllers import PROJECT, Target, a_credential, knows, publish


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        publish(ota, "1.0.0")
        yield ota


@pytest.fixture(name="target")
def a_target(ota):
    return Target(ota, token=a_credential(ota))


def settle(ota, **settings):
    project = Project(name=PROJECT, edition=1, **settings)
    ota.ota.stores.database.change(lambda tx: tx.projects.put(project))
    ota.ota.news.refresh()


def test_a_target_is_registered_by_its_first_poll_and_asked_what_it_is(target):
    assert set(target.links()) == {"configData"}
    assert (target.row.project, target.row.created_by) == (PROJECT, "check-in")


def test_a_target_is_asked_no_more_once_it_said_what_it_is(target):
    target.poll()
    answer = target.says(version="1.0.0")

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "0"
    assert target.links() == {}


def test_attributes_may_come_before_the_first_poll(target):
    assert target.says(version="1.0.0").status_code == 200
    assert dict(target.row.attributes) == {"version": "1.0.0"}


def test_a_newer_release_is_offered_until_its_end_is_reported(ota, target):
    knows(target)
    publish(ota, "1.1.0")

    action = target.offered()

    assert set(target.links()) == {"deploymentBase"}
    assert target.offered() == action


def test_ids_of_actions_begin_where_every_client_reads_them_rightly(ota, target):
    knows(target)
    publish(ota, "1.1.0")

    assert target.offered() == 1001
    assert target.deployment()["id"] == "1001"


def test_sleep_is_eight_characters_and_each_targets_own(ota):
    sleeps = set()
    for number in range(5):
        target = Target(ota, f"board-{number}", a_credential(ota, f"board-{number}"))
        sleeps.add(target.poll()["config"]["polling"]["sleep"])

    assert all(re.fullmatch(r"00:0[3-6]:[0-5]\d", sleep) for sleep in sleeps)
    assert len(sleeps) > 1


def test_sleep_ends_before_a_day(tmp_path):
    with Instance(tmp_path, poll_seconds=86_399) as ota:
        for number in range(8):
            name = f"board-{number}"
            sleep = Target(ota, name, a_credential(ota, name)).poll()["config"]["polling"]["sleep"]
            assert sleep <= "23:59:59"


@pytest.mark.parametrize("tenant", ["default", "Default", "DEFAULT"])
def test_the_tenant_counts_in_any_case_and_links_echo_it_in_capitals(ota, tenant):
    target = Target(ota, token=a_credential(ota), tenant=tenant)

    assert target.links()["configData"].startswith("http://localhost/DEFAULT/controller/v1/")


def test_another_tenant_is_not_found(ota):
    assert Target(ota, token=a_credential(ota), tenant="acme").ask("GET").status_code == 404


def test_links_are_absolute_and_begin_with_the_public_url(tmp_path):
    with Instance(tmp_path, public_url="https://ota.example.com") as ota:
        target = Target(ota, token=a_credential(ota))

        assert target.links()["configData"].startswith("https://ota.example.com/DEFAULT/")


def test_links_spell_the_controller_as_the_client_does(ota):
    target = Target(ota, UUID.upper(), a_credential(ota, UUID))

    assert f"/v1/{UUID.upper()}/" in target.links()["configData"]
    with ota.ota.stores.database.reading() as rows:
        assert rows.devices.get(UUID) is not None


def test_a_token_of_ours_opens_its_devices_controller(ota):
    assert Target(ota, UUID, ota.mint(PROJECT)).ask("GET").status_code == 200


@pytest.mark.parametrize("scheme", ["TargetToken", "GatewayToken"])
def test_a_gateways_credential_opens_every_controller_of_its_project(ota, scheme):
    token = a_credential(ota, kind=Kind.GATEWAY)

    for name in ("one", "two"):
        assert Target(ota, name, token, scheme).ask("GET").status_code == 200


def test_a_gateway_sees_no_target_of_another_project(ota):
    knows(Target(ota, token=a_credential(ota)))
    token = a_credential(ota, project="other", kind=Kind.GATEWAY)
    stranger = Target(ota, token=token, scheme="GatewayToken")

    assert stranger.ask("GET").status_code == 404
    assert stranger.says(version="9.9.9").status_code == 404
    assert stranger.row.version == "1.0.0"


@pytest.mark.parametrize(
    ("scheme", "token"),
    [
        (None, None),
        ("TargetToken", "x" * 32),
        ("GatewayToken", ""),
        ("TargetToken", "eyJhbGciOiJub25lIn0.e30."),
        ("Negotiate", "x"),
    ],
)
def test_without_a_good_credential_the_answer_is_401_and_empty(ota, scheme, token):
    answer = Target(ota, token=token, scheme=scheme).ask("GET")

    assert (answer.status_code, answer.data) == (401, b"")
    assert answer.headers["Content-Length"] == "0"
    assert "WWW-Authenticate" in answer.headers


def test_another_targets_token_is_401_as_at_hawkbit(ota):
    answer = Target(ota, "gateway-2", a_credential(ota, "gateway-1")).ask("GET")

    assert (answer.status_code, answer.data) == (401, b"")


def test_a_target_that_nobody_invited_comes_again_and_is_told_nothing(ota, target):
    settle(ota, registering=Registering.INVITED)

    assert target.links() == {}
    assert target.says(version="1.0.0").status_code == 404
    assert target.row is None


def test_a_blocked_target_is_told_nothing(ota, target):
    knows(target)
    publish(ota, "1.1.0")
    target.offered()
    database = ota.ota.stores.database
    database.change(lambda tx: tx.devices.change(_blocked(tx.devices.get(target.device))))
    ota.ota.registry.forget(target.device)

    assert target.links() == {}


def test_with_tokens_off_the_only_project_is_everybodys(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        publish(ota, "1.0.0")
        target = Target(ota)
        target.poll()

        assert target.row.project == PROJECT


def test_with_tokens_off_and_two_projects_the_registry_decides(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with Instance(tmp_path, no_jwt=True) as ota:
        publish(ota, "1.0.0")
        known = Target(ota)
        known.poll()
        publish(ota, "1.0.0", project="other")

        assert known.ask("GET").status_code == 200
        answer = Target(ota, "stranger").ask("GET")
        assert answer.status_code == 404
        assert "add it to the registry" in answer.get_json(force=True)["detail"]
        assert "add it to the registry" in caplog.records[-1].facts["reason"]


def test_a_poll_that_changes_nothing_writes_nothing(ota, target):
    knows(target)
    target.poll()
    before = target.row
    with ota.ota.stores.database.reading() as rows:
        counters = rows.counters.all()
    ota.clock.pass_seconds(30)

    target.poll()

    with ota.ota.stores.database.reading() as rows:
        assert rows.counters.all() == counters
    assert target.row == before


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/hal+json"),
        ("*/*", "application/hal+json"),
        ("application/json", "application/json"),
        ("application/json;charset=UTF-8", "application/json"),
        ("application/cbor, application/hal+json;q=0.5", "application/hal+json"),
    ],
)
def test_the_answer_is_of_the_kind_that_the_client_takes(target, accept, media_type):
    answer = target.ask("GET", **({"Accept": accept} if accept else {}))

    assert answer.headers["Content-Type"] == media_type


def test_a_client_that_takes_cbor_alone_is_told_what_there_is(target):
    assert target.ask("GET", Accept="application/cbor").status_code == 406


def test_a_poll_that_a_client_remembers_is_not_sent_again(target):
    etag = target.ask("GET").headers["ETag"]

    again = target.ask("GET", If_None_Match=etag)

    assert (again.status_code, again.data) == (304, b"")


def test_head_is_a_poll_without_its_body(target):
    answer = target.ask("HEAD")

    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0


def _blocked(device):
    return replace(device, blocked=True)
