"""Operators let devices in, give them credentials, and take those back."""

import pytest

from ota_http_server.domain.device import VersionFrom
from ota_http_server.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from ota_http_server.operations.issue_credential import LIVE_MAX, REVOKED_KEPT
from ota_http_server.storage.credentials import Kind
from tests.operations.enrolling import SHELL, Process, operator

MAC = "AA-BB-CC-DD-EE-FF"


@pytest.fixture(name="here")
def a_process(database, clock):
    return Process(database, clock)


def test_a_device_comes_into_the_registry_with_a_credential_that_opens(here):
    facts = {"chip": "ESP32-S3", "board": "b2", "tags": ["x"], "channel": "beta", "version": "1.2"}

    issued = here.enroll.issue(SHELL, "lamp", MAC, facts)

    device = here.device("aa:bb:cc:dd:ee:ff")
    assert (device.project, device.chip, device.board) == ("lamp", "esp32s3", "b2")
    assert (device.tags, device.channel, device.created_by) == (("x",), "beta", "shell")
    assert (device.version, device.version_from) == ("1.2", VersionFrom.OPERATOR)
    identity = here.who(issued.text)
    assert (identity.subject, identity.project) == ("aa:bb:cc:dd:ee:ff", "lamp")
    assert issued.is_first and len(issued.text) == 32


def test_only_the_digest_of_a_credential_is_kept(here):
    issued = here.enroll.issue(SHELL, "lamp", "board")

    assert issued.text not in repr(issued) + repr(here.everything())
    assert here.given() == [issued.credential]
    facts = {**here.events("issue_credential")[0].facts}
    assert facts == {
        "actor": "shell",
        "credential": issued.credential.digest[:16],
        "device": "board",
        "project": "lamp",
    }


def test_a_device_that_is_there_gets_one_more_and_stays_as_it_is(here):
    first = here.enroll.issue(SHELL, "lamp", "board", {"chip": "esp32"})

    second = here.enroll.issue(SHELL, "lamp", "board", {"chip": "esp32c3"})

    assert here.device().chip == "esp32"
    assert here.who(first.text).subject == here.who(second.text).subject == "board"
    assert not second.is_first


def test_a_device_may_be_put_into_the_registry_once(here):
    assert here.enroll.register(SHELL, "lamp", "board", {"notes": "a"}).notes == "a"

    with pytest.raises(Conflict):
        here.enroll.register(SHELL, "lamp", "board", {})
    with pytest.raises(Conflict):
        here.enroll.issue(SHELL, "lamp", "board", must_be_new=True)
    assert here.given() == []


def test_a_device_of_another_project_stays_there(here):
    here.enroll.issue(SHELL, "lamp", "board")

    with pytest.raises(Conflict):
        here.enroll.issue(SHELL, "fan", "board")
    assert (here.device().project, len(here.given())) == ("lamp", 1)


def test_a_full_registry_takes_nobody(database, clock):
    here = Process(database, clock, devices_max=1)
    here.enroll.issue(SHELL, "lamp", "board")

    with pytest.raises(Unavailable):
        here.enroll.issue(SHELL, "lamp", "another")
    here.enroll.issue(SHELL, "lamp", "board")


@pytest.mark.parametrize(
    ("project", "device", "facts"),
    [
        ("../x", "board", {}),
        ("lamp", "urn:uuid:e6f87d77-4216-4be1-ab83-b5fa6792b747", {}),
        ("lamp", "a b", {}),
        ("lamp", "", {}),
        ("lamp", "board", {"project": "fan"}),
        ("lamp", "board", {"id": "another"}),
        ("lamp", "board", {"chip": "no chip!"}),
    ],
)
def test_a_wish_that_makes_no_sense_writes_nothing(here, project, device, facts):
    before = here.everything()

    with pytest.raises(Invalid):
        here.enroll.issue(SHELL, project, device, facts)
    assert here.everything() == before


def test_a_gateway_speaks_for_the_whole_project_and_that_is_said_loudly(here):
    given = here.enroll.gateway(SHELL, "lamp")

    identity = here.who(given.text)
    assert identity.is_gateway and (identity.subject, identity.project) == ("", "lamp")
    assert given.credential.kind is Kind.GATEWAY
    assert "every device of the project" in given.warning
    assert "device" not in here.events("issue_credential")[0].facts


def test_a_credential_is_revoked_by_the_beginning_of_its_digest_here_and_elsewhere(
    here, database, clock
):
    there = Process(database, clock)
    one, other = (here.enroll.issue(SHELL, "lamp", "board") for _ in range(2))
    assert there.who(one.text)

    for _ in range(2):
        revoked = here.enroll.revoke(SHELL, one.credential.digest[:12])
    there.verifier.refresh()

    assert revoked.revoked_at == clock.second
    for process in (here, there):
        with pytest.raises(Unauthenticated):
            process.who(one.text)
        assert process.who(other.text).subject == "board"
    assert len(here.events("revoke_credential")) == 1
    assert here.verifier.revocations() == there.verifier.revocations() > 0


@pytest.mark.parametrize(
    "digest", ["", "0123456", "g" * 16, "A" * 16, "a" * 65, "%" * 8, "________"]
)
def test_a_digest_that_is_none_is_refused(here, digest):
    here.enroll.issue(SHELL, "lamp", "board")

    with pytest.raises(Invalid):
        here.enroll.revoke(SHELL, digest)


def test_all_of_a_device_ends_at_once(here, clock):
    texts = [here.enroll.issue(SHELL, "lamp", "board").text for _ in range(3)]
    others = here.enroll.issue(SHELL, "lamp", "another").text

    assert here.enroll.revoke_all(SHELL, "board") == 3
    assert here.enroll.revoke_all(SHELL, "board") == 0

    for text in texts:
        with pytest.raises(Unauthenticated):
            here.who(text)
    assert here.who(others).subject == "another"
    assert here.verifier.is_device_revoked("board", clock.second)
    assert here.events("revoke_credential")[0].facts["count"] == 3


def test_good_credentials_have_a_limit_and_old_ones_are_forgotten(here):
    for _ in range(2 * REVOKED_KEPT):
        digest = here.enroll.issue(SHELL, "lamp", "board").credential.digest
        here.clock.pass_seconds(1)
        here.enroll.revoke(SHELL, digest)
    assert len(here.given()) <= REVOKED_KEPT + 1

    texts = [here.enroll.issue(SHELL, "lamp", "board").text for _ in range(LIVE_MAX)]

    with pytest.raises(Conflict):
        here.enroll.issue(SHELL, "lamp", "board")
    assert all(here.who(text) for text in texts)


@pytest.mark.parametrize(
    ("role", "project"), [("viewer", None), ("publisher", "lamp"), ("operator", "fan")]
)
def test_only_an_operator_of_the_project_lets_devices_in(here, role, project):
    by = operator(role, project)
    given = here.enroll.issue(SHELL, "lamp", "board")
    before = here.everything()

    for call in (
        lambda: here.enroll.issue(by, "lamp", "new"),
        lambda: here.enroll.register(by, "lamp", "new", {}),
        lambda: here.enroll.gateway(by, "lamp"),
    ):
        with pytest.raises(Forbidden):
            call()
    for call in (
        lambda: here.enroll.revoke(by, given.credential.digest),
        lambda: here.enroll.revoke_all(by, "board"),
    ):
        with pytest.raises((Forbidden, NotFound)):
            call()
    assert here.everything() == before


def test_to_a_key_for_another_project_a_device_is_not_there(here):
    here.enroll.issue(SHELL, "lamp", "board")

    for device in ("board", "nobody"):
        with pytest.raises(NotFound, match="no such device"):
            here.enroll.revoke_all(operator(project="fan"), device)
