"""How urgently a rollout asks: softly, at once, or to fetch the image alone."""

import pytest

from ota_http_server.domain.offer import Reason
from ota_http_server.domain.operator import Operator
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.visit import Visit
from tests.instance import Instance
from tests.protocols.controllers import DEVICE, PROJECT, Target, a_credential, knows, publish

SHELL = Operator("shell", None)
ALL_AT_ONCE = [{"percent": 100}]


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        publish(ota, "1.0.0")
        yield ota


@pytest.fixture(name="target")
def a_target(ota):
    target = knows(Target(ota, token=a_credential(ota)))
    publish(ota, "1.1.0")
    ota.ota.release_folder.follow(PROJECT)
    return target


def roll_out(ota, mode):
    wish = {"version": "1.1.0", "stages": ALL_AT_ONCE, "mode": mode}
    wish |= {"override": True, "reason": "a test"}
    return ota.ota.begin_rollout(SHELL, RolloutWish.of(PROJECT, wish)).rollout


def asked_of(target):
    """How the deployment that the poll shows asks: the download, and the update."""
    said = target.deployment()["deployment"]
    return said["download"], said["update"]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("forced", ("forced", "forced")),
        ("soft", ("attempt", "attempt")),
        ("download-only", ("forced", "skip")),
    ],
)
def test_a_rollout_says_how_urgently_it_asks(ota, target, mode, words):
    roll_out(ota, mode)

    assert asked_of(target) == words


def test_who_was_asked_to_fetch_alone_has_done_all_when_it_says_so(ota, target):
    rollout = roll_out(ota, "download-only")
    asked_of(target)

    target.reports(target.attempts[0].id, "closed", "success")

    assert target.state == "downloaded"
    assert "deploymentBase" not in target.poll()["_links"]
    with ota.ota.stores.database.reading() as rows:
        assert rows.rollouts.tally(rollout.id).downloaded == 1


def test_a_later_rollout_asks_it_to_install_what_it_has(ota, target):
    first = roll_out(ota, "download-only")
    asked_of(target)
    target.reports(target.attempts[0].id, "downloaded", "success")
    ota.ota.roll_out.abort(SHELL, first.id, "all have it")

    roll_out(ota, "forced")

    assert asked_of(target) == ("forced", "forced")
    assert [attempt.state.value for attempt in target.attempts] == ["offered", "superseded"]


def test_a_client_that_cannot_fetch_alone_is_offered_nothing(ota, target):
    roll_out(ota, "download-only")
    visit = Visit(DEVICE, PROJECT, "192.0.2.1")

    decision = ota.ota.check_in(visit).decision

    assert decision.reason is Reason.DOWNLOAD_ONLY
