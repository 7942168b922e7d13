"""A try that has begun goes on with its image, as long as that is still right for the device."""

from dataclasses import replace

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.decision import DELIVERIES_MAX, STAYS_SECONDS, verdicts
from ota_http_server.domain.offer import History, Hold, Offer, Reason
from tests.domain.fleet_facts import (
    LAMP,
    NOW,
    a_device,
    a_release,
    an_attempt,
    an_image,
    decided,
    newest_first,
)

RELEASE = newest_first(a_release("2.0.0"))[0]
BEGUN = an_attempt(RELEASE, State.DOWNLOADING)


def reason(decision) -> Reason:
    assert isinstance(decision, Hold), decision
    return decision.reason


def test_it_goes_on_with_the_attempt_that_it_began():
    assert decided(a_device(), RELEASE, attempt=BEGUN).attempt == BEGUN


@pytest.mark.parametrize(
    ("facts", "image", "why"),
    [
        ({"chip": "esp32s3"}, {}, Reason.WRONG_CHIP),
        ({"free_bytes": 10}, {}, Reason.TOO_BIG),
        ({"secure_version": 4}, {"secure_version": 3}, Reason.LOWER_COUNTER),
    ],
)
def test_what_turns_out_not_to_fit_is_not_gone_on_with(facts, image, why):
    release = newest_first(a_release("2.0.0", an_image("lamp-2.0.0.bin", **image)))[0]
    attempt = an_attempt(release, State.DOWNLOADING)

    assert reason(decided(a_device(**facts), release, attempt=attempt)) is why


def test_a_board_that_was_flashed_by_cable_meanwhile_is_not_taken_back():
    decision = decided(a_device("3.0.0"), RELEASE, attempt=BEGUN)

    assert reason(decision) is Reason.NOT_NEWER


def test_a_pinned_board_goes_on_with_an_older_one():
    decision = decided(a_device("3.0.0", pinned="2.0.0"), RELEASE, attempt=BEGUN)

    assert decision.attempt == BEGUN


def test_who_asks_for_another_part_is_not_given_the_program():
    decision = decided(a_device(), RELEASE, attempt=BEGUN, parts=("filesystem",))

    assert reason(decision) is Reason.NO_IMAGE


def test_a_loop_ends_at_once_where_a_newer_release_came():
    looping = replace(BEGUN, state=State.DOWNLOADED, deliveries=DELIVERIES_MAX)

    assert reason(decided(a_device(), RELEASE, attempt=looping)) is Reason.LOOPING
    fixed = decided(a_device(), RELEASE, a_release("2.0.1"), attempt=looping)
    assert isinstance(fixed, Offer)
    assert fixed.release.version == "2.0.1"


def test_a_loop_of_the_attempt_that_was_let_try_again_ends_too():
    looping = replace(BEGUN, state=State.DOWNLOADED, deliveries=DELIVERIES_MAX)

    later = decided(
        a_device(), RELEASE, attempt=looping, history=History(), at=NOW + 2 * STAYS_SECONDS
    )

    assert reason(later) is Reason.LOOPING


def test_a_clock_that_was_set_back_keeps_nobody_waiting_for_a_restart():
    installed = replace(BEGUN, state=State.INSTALLED, installed_at=NOW)

    decision = decided(a_device(), RELEASE, attempt=installed, at=NOW - 30 * 86_400)

    assert isinstance(decision, Offer)


def test_a_release_may_follow_one_whose_boards_tell_another_version():
    old = a_release("1.5.0", an_image("lamp-1.5.0.bin", header_version="c873579-dirty"))
    new = a_release("2.0.0", min_from="1.5.0")

    decision = decided(a_device("c873579-dirty"), old, new)

    assert isinstance(decision, Offer)


def test_the_explanation_judges_a_pinned_release_as_the_decision_does():
    releases = newest_first(a_release("1.9.0"), a_release("3.0.0"))
    device = a_device("2.0.0", pinned="1.9.0")

    judged = {
        release.version: decision for release, decision in verdicts(device, LAMP, releases, at=NOW)
    }

    assert isinstance(judged["1.9.0"], Offer)
    assert judged["1.9.0"] == decided(device, a_release("1.9.0"), a_release("3.0.0"))


def test_a_patch_is_offered_to_nobody_who_did_not_ask_for_patches():
    patch = an_image("lamp-2.0.0.patch", part="patch", format="esp-delta")

    assert reason(decided(a_device(), a_release("2.0.0", patch))) is Reason.NO_IMAGE
