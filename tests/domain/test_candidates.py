"""Who could be offered a release is who is offered it as soon as it has come to all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.candidates import PINNED, Candidates
from ota_http_server.domain.decision import decide
from ota_http_server.domain.offer import Hold, Reason
from ota_http_server.domain.project import Spread, UnknownVersion
from ota_http_server.domain.release import State
from tests.domain.fleet_facts import LAMP, NOW, a_device, a_release, an_image, newest_first

OLD, FLOOR, NEW = a_release("1.0.0"), a_release("2.0.0", floor=True), a_release("3.0.0")

devices = st.builds(
    a_device,
    st.sampled_from(["0.9.0", "1.0.0", "2.0.0", "3.0.0", "4.0.0", "odd", None]),
    chip=st.sampled_from(["esp32", "esp32c3", None]),
    revision=st.sampled_from([None, 0, 300]),
    board=st.sampled_from([None, "lamp-v2"]),
    secure_version=st.sampled_from([None, 1, 5]),
    free_bytes=st.sampled_from([None, 10, 10**9]),
    channel=st.just("stable"),
    id=st.sampled_from(["one", "two"]),
    notes=st.sampled_from(["", "at the window"]),
)
images = st.builds(
    an_image,
    min_chip_revision=st.sampled_from([None, 100]),
    hardware=st.sampled_from([(), ("lamp-v2",)]),
    secure_version=st.sampled_from([None, 3]),
)


@given(devices, images, st.sampled_from(UnknownVersion), st.sampled_from(Spread))
def test_it_is_what_the_decision_says_of_the_newest_release(device, image, unknown, spread):
    project = replace(LAMP, unknown_version=unknown, spread=spread)
    releases = newest_first(OLD, replace(NEW, images=(image,)))
    newest = releases[0]

    why = Candidates(project, newest, releases).why_not(device, "stable")

    decision = decide(device, replace(project, spread=Spread.AT_ONCE), releases, at=NOW)
    if isinstance(decision, Hold) and decision.release is newest:
        assert why == decision.reason
    elif isinstance(decision, Hold):
        assert why is not None
    else:
        assert (why is None) is (decision.release is newest)


def test_what_differs_between_boards_of_a_kind_is_not_looked_at_twice():
    candidates = Candidates(LAMP, NEW, newest_first(OLD, NEW))

    for number in range(1_000):
        board = a_device("1.0.0", id=f"board-{number}", notes=str(number), last_seen=number)
        assert candidates.why_not(board, "stable") is None

    assert len(candidates._judged) == 1


def test_a_draft_is_judged_as_if_it_were_published():
    draft = replace(NEW, number=9, state=State.DRAFT)

    candidates = Candidates(LAMP, draft, [OLD])

    assert candidates.why_not(a_device("1.0.0"), "stable") is None
    assert candidates.why_not(a_device("3.0.0"), "stable") == Reason.UP_TO_DATE


def test_who_has_a_floor_before_it_is_none_yet():
    candidates = Candidates(LAMP, NEW, newest_first(OLD, FLOOR, NEW))

    assert candidates.why_not(a_device("1.0.0"), "stable") == Reason.NEEDS_STEP
    assert candidates.why_not(a_device("2.0.0"), "stable") is None


def test_a_floor_that_was_withdrawn_is_one_all_the_same():
    closed = [replace(FLOOR, number=8, state=State.WITHDRAWN)]

    candidates = Candidates(LAMP, NEW, newest_first(OLD, NEW), closed=closed)

    assert candidates.why_not(a_device("1.0.0"), "stable") == Reason.NEEDS_STEP


@pytest.mark.parametrize("state", [State.DRAFT, State.PUBLISHED])
@pytest.mark.parametrize("why", [*Reason, PINNED, None])
def test_who_may_be_offered_it_before_long_is_expected(why, state):
    release = replace(NEW, number=9, state=state)
    passes = {None, Reason.NEEDS_STEP, *(r for r in Reason if r.startswith("unknown-"))}
    images_come = {Reason.NO_IMAGE, Reason.WRONG_CHIP, Reason.WRONG_BOARD}

    expected = Candidates(LAMP, release, [OLD]).expects(why)

    assert expected is (why in passes or (state is State.DRAFT and why in images_come))


def test_a_pinned_board_follows_no_rollout():
    assert Candidates(LAMP, NEW, [NEW]).why_not(a_device(pinned="1.0.0"), "stable") == PINNED


@pytest.mark.parametrize(
    ("version", "why"), [("3.0.0", None), ("1.0.0", Reason.UP_TO_DATE), ("0.5.0", None)]
)
def test_a_downgrade_is_for_whoever_runs_another_release(version, why):
    candidates = Candidates(LAMP, OLD, newest_first(OLD, NEW), takes_back=True)

    assert candidates.why_not(a_device(version), "stable") == why


def test_a_release_of_file_systems_alone_is_for_the_boards_that_it_fits():
    filesystems = replace(NEW, images=(an_image(part="filesystem", chip="esp32c3"),))
    candidates = Candidates(LAMP, filesystems, [filesystems])

    assert candidates.why_not(a_device(chip="esp32c3"), "stable") is None
    assert candidates.why_not(a_device(chip="esp32"), "stable") == Reason.WRONG_CHIP
