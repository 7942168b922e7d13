"""Words that come late: an old version before the restart, a cancellation after the end."""

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.observation import KnownImage, seen
from ota_http_server.domain.offer import Hold, Offer, Reason
from ota_http_server.domain.sighting import Sighting
from tests.domain.fleet_facts import NOW, a_device, a_release, an_attempt, decided, newest_first

RELEASE = newest_first(a_release("2.0.0"))[0]
NEW = KnownImage(sha256="b" * 64, digests=frozenset({"b" * 64}), version="2.0.0")


@pytest.mark.parametrize(
    ("restart_seconds", "later", "state"),
    [
        (0, 59, None),
        (0, 61, State.ROLLED_BACK),
        (3600, 61, None),
        (3600, 3599, None),
        (3600, 3600, State.ROLLED_BACK),
        (5, 59, None),
    ],
)
def test_the_old_version_is_a_roll_back_only_after_the_time_a_restart_may_take(
    restart_seconds, later, state
):
    attempt = an_attempt(RELEASE, State.INSTALLED, installed_at=NOW)
    sighting = Sighting(version="1.0.0", restart_seconds=restart_seconds)

    assert seen(attempt, sighting, NEW, None, NOW + later) is state


def test_the_new_version_is_proof_at_once():
    attempt = an_attempt(RELEASE, State.INSTALLED, installed_at=NOW)
    sighting = Sighting(version="2.0.0", restart_seconds=3600)

    assert seen(attempt, sighting, NEW, None, NOW) is State.VERIFIED


@pytest.mark.parametrize("state", [State.OFFERED, State.DOWNLOADING, State.DOWNLOADED])
def test_what_can_still_be_given_up_is_called_off(state):
    attempt = an_attempt(RELEASE, state, cancel_asked=True)

    decision = decided(a_device(), a_release("2.0.0"), attempt=attempt)

    assert attempt.is_canceling
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.CANCELING


def test_what_is_installed_already_is_not_called_off():
    attempt = an_attempt(
        RELEASE, State.INSTALLED, cancel_asked=True, installed_at=NOW - 60, changed_at=NOW - 60
    )

    assert not attempt.is_canceling
    decision = decided(a_device(), a_release("2.0.0"), attempt=attempt)
    assert isinstance(decision, Hold)
    assert decision.reason is Reason.AWAITING_RESTART
    later = decided(
        a_device("2.0.0"), a_release("2.0.0"), a_release("2.1.0"), attempt=attempt, at=NOW + 7200
    )
    assert isinstance(later, Offer)


def test_an_ended_attempt_is_not_being_canceled():
    assert not an_attempt(RELEASE, State.CANCELED, cancel_asked=True).is_canceling
