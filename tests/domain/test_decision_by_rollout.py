"""Which release a device gets where rollouts, limits and the stop have their say."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.attempt import State as AttemptState
from ota_http_server.domain.decision import decide, verdicts
from ota_http_server.domain.device import Device
from ota_http_server.domain.offer import History, Hold, Offer, Reason, Rule, is_void
from ota_http_server.domain.project import Project, Spread, UnknownVersion
from ota_http_server.domain.reach import Load, Reach, Slots, Stop, by_release
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import DOWNGRADE_TAG, State, Target
from ota_http_server.domain.rollout_plan import Mode, Policy
from ota_http_server.domain.version import version_key
from ota_http_server.domain.windows import windows_of
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
from tests.domain.test_decision import held, offered
from tests.domain.test_rollout import a_rollout

BY_ROLLOUT = replace(LAMP, spread=Spread.BY_ROLLOUT)
BEFORE, BEHIND = 6_284, 6_285
"""The first is the bucket of "board" under a salt of zeros: that share has not come to it."""
OLD, NEW = a_release("1.5.0"), a_release("2.0.0")
ACCEPTS = {"tags": (DOWNGRADE_TAG,)}


def rolled(release: int, *shares: int, **facts):
    """A rollout of the release with this number, which is the rollout's, too, if not said."""
    return a_rollout(*(shares or (10_000,)), **({"id": release, "release": release} | facts))


def reach(*rollouts, **more) -> Reach:
    return Reach(rollouts=by_release(rollouts), **more)


def by(*rollouts, device=None, releases=(OLD, NEW), limits=None, **more):
    """What the device gets; the releases are numbered from 1."""
    return decided(
        device or a_device(), *releases, reach=reach(*rollouts, **(limits or {})), **more
    )


def at_it(state=AttemptState.OFFERED, rollout=2, **facts):
    """An attempt at the newest release by this rollout."""
    return an_attempt(newest_first(OLD, NEW)[0], state, rollout=rollout, **facts)


# --- the rule: the newest that has reached it ---------------------------------------------------


def test_whom_a_rollout_has_reached_gets_its_release_by_it():
    decision = by(rolled(2, BEHIND, 10_000))

    assert offered(decision) == "2.0.0"
    assert decision.rollout.id == 2


def test_the_others_keep_the_newest_finished_one():
    finished = rolled(1, state=State.FINISHED)

    decision = by(finished, rolled(2, BEFORE, 10_000))

    assert (offered(decision), decision.rollout.id) == ("1.5.0", 1)
    keeps = by(finished, rolled(2, BEFORE, 10_000), device=a_device("1.5.0"))
    assert held(keeps) is Reason.UP_TO_DATE
    assert "rollout 2 of 2.0.0 has not come to it" in keeps.detail


@pytest.mark.parametrize("state", [State.PAUSED, State.HALTED, State.ABORTED])
def test_what_stands_still_leaves_everybody_the_release_before(state):
    assert offered(by(rolled(2, state=state))) == "1.5.0"


def test_a_release_without_a_rollout_reaches_all():
    decision = by(rolled(1, 1, 10_000))

    assert (offered(decision), decision.rollout) == ("2.0.0", None)


def test_where_a_project_spreads_by_rollouts_alone_it_reaches_nobody():
    assert held(by(project=BY_ROLLOUT)) is Reason.NO_ROLLOUT
    assert offered(by(rolled(1), project=BY_ROLLOUT)) == "1.5.0"


def test_who_is_not_meant_gets_the_release_before():
    others = rolled(2, target=Target(devices=frozenset({"other"})))

    assert offered(by(others)) == "1.5.0"
    assert held(by(others, device=a_device("1.5.0"))) is Reason.UP_TO_DATE


def test_a_finished_release_stays_with_its_target_for_ever():
    finished = rolled(2, 1, 10_000, state=State.FINISHED)

    assert offered(by(finished)) == "2.0.0"


def test_a_newer_release_overtakes_a_rollout_that_is_on_its_way():
    releases = (OLD, NEW, a_release("3.0.0"))

    assert offered(by(rolled(2), releases=releases)) == "3.0.0"
    assert offered(by(rolled(2), rolled(3, 1, 10_000), releases=releases)) == "2.0.0"


def test_the_pin_of_a_device_counts_more_than_rollouts():
    pinned = a_device(pinned="2.0.0")
    none_of_them = (
        rolled(2, state=State.HALTED),
        rolled(2, 1, 10_000),
        rolled(2, target=Target(devices=frozenset({"other"}))),
        rolled(2, policy=Policy(windows=windows_of(["00:00-00:01 UTC"]))),
    )

    for rollout in none_of_them:
        decision = by(rollout, device=pinned)
        assert (offered(decision), decision.rule) == ("2.0.0", Rule.PINNED)
        assert decision.rollout is None
    assert offered(by(device=pinned, project=BY_ROLLOUT)) == "2.0.0"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"device": a_device(pinned="2.0.0")},
        {"device": a_device(blocked=True)},
        {"device": a_device("2.0.0")},
        {"device": a_device(project="fan")},
        {"attempt": at_it(AttemptState.DOWNLOADING)},
        {"attempt": at_it(cancel_asked=True)},
        {"releases": ()},
    ],
)
def test_the_stop_is_said_before_everything(more):
    decision = by(rolled(2), limits={"stop": Stop("it smokes")}, **more)

    assert held(decision) is Reason.STOPPED
    assert "it smokes" in decision.detail


# --- room and rest ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "load"),
    [
        ({"concurrent_max": 3}, Load(open=3)),
        ({"offers_max": 3}, Load(offered=3)),
        ({"site_tag": "site:"}, Load(by_site={"site:bonn": 1})),
    ],
)
def test_who_must_wait_for_others_gets_no_older_release_instead(policy, load):
    rollout = rolled(2, policy=Policy(**policy))
    here = a_device(tags=("site:bonn",))

    decision = by(rollout, device=here, limits={"loads": {2: load}})

    assert held(decision) is Reason.BUSY
    assert decision.release.version == "2.0.0"
    assert offered(by(rollout, device=here, limits={"loads": {1: load}})) == "2.0.0"


def test_who_has_an_open_offer_keeps_its_room():
    rollout = rolled(2, policy=Policy(concurrent_max=1, offers_max=1))
    full = {"loads": {2: Load(open=1, offered=1)}, "slots": (Slots(most=1, taken=1),)}
    attempt = at_it()

    decision = by(rollout, limits=full, attempt=attempt)

    assert (offered(decision), decision.attempt) == ("2.0.0", attempt)
    assert held(by(rollout, limits=full)) is Reason.BUSY


def test_an_offer_by_another_rollout_has_no_room_in_this_one():
    rollout = rolled(2, policy=Policy(concurrent_max=1))

    decision = by(rollout, limits={"loads": {2: Load(open=1)}}, attempt=at_it(rollout=7))

    assert held(decision) is Reason.BUSY
    assert by(rollout, attempt=at_it(rollout=7)).attempt is None
    assert by(rollout, attempt=at_it(rollout=None)).attempt is None


def test_an_open_offer_does_not_open_a_window():
    closed = rolled(2, policy=Policy(windows=windows_of(["00:00-00:01 UTC"])))

    decision = by(closed, attempt=at_it())

    assert held(decision) is Reason.OUTSIDE_WINDOW
    assert not is_void(at_it(), decision)


def test_a_download_that_has_begun_goes_on_though_the_window_closed():
    closed = rolled(2, policy=Policy(windows=windows_of(["00:00-00:01 UTC"])))

    decision = by(closed, attempt=at_it(AttemptState.DOWNLOADING))

    assert (offered(decision), decision.rollout) == ("2.0.0", closed)


@pytest.mark.parametrize("state", [State.PAUSED, State.HALTED, State.ABORTED])
def test_what_has_begun_goes_on_though_its_rollout_stands_still(state):
    assert offered(by(rolled(2, state=state), attempt=at_it(AttemptState.DOWNLOADING))) == "2.0.0"


def test_an_offer_outlasts_a_pause_but_no_halt():
    running = a_device("1.5.0")

    paused = by(rolled(2, state=State.PAUSED), device=running, attempt=at_it())
    halted = by(rolled(2, state=State.HALTED), device=running, attempt=at_it())

    assert held(paused) is Reason.PAUSED
    assert not is_void(at_it(), paused)
    assert is_void(at_it(), halted)
    nobody_asked = by(rolled(2, state=State.PAUSED), device=running)
    assert held(nobody_asked) is Reason.UP_TO_DATE


def test_downloads_wait_for_a_slot_with_or_without_a_rollout():
    full = {"slots": (Slots(most=2, taken=2),)}

    assert held(by(limits=full)) is Reason.NO_SLOT
    assert held(by(rolled(2), limits=full)) is Reason.NO_SLOT
    assert held(by(device=a_device(pinned="2.0.0"), limits=full)) is Reason.NO_SLOT


def test_who_failed_rests_and_gets_no_older_release_meanwhile():
    history = History({2: 1}, {2: NOW - 60})
    rollout = rolled(2, policy=Policy(retry_seconds=900))

    assert held(by(rollout, history=history)) is Reason.RESTING
    assert offered(by(rollout, history=history, at=NOW + 840)) == "2.0.0"
    assert offered(by(rollout, history=history, at=NOW - 30 * 86_400)) == "2.0.0"


@pytest.mark.parametrize(("failures_max", "why"), [(2, Reason.FAILING), (3, Reason.RESTING)])
def test_who_failed_too_often_is_in_the_penalty_box(failures_max, why):
    history = History({2: 2}, {2: NOW})
    rollout = rolled(2, policy=Policy(failures_max=failures_max))

    assert held(by(rollout, history=history)) is why


def test_what_was_called_off_stays_so_in_a_rollout():
    assert held(by(rolled(2), history=History(canceled=frozenset({2})))) is Reason.CANCELED


# --- only to be fetched -------------------------------------------------------------------------

FETCHING = rolled(2, policy=Policy(mode=Mode.DOWNLOAD_ONLY))


def test_only_who_can_leave_it_uninstalled_is_asked_to_fetch():
    assert held(by(FETCHING)) is Reason.DOWNLOAD_ONLY
    assert offered(by(FETCHING, defers=True)) == "2.0.0"


def test_who_has_fetched_it_waits_for_a_rollout_that_installs():
    has_it = at_it(AttemptState.DOWNLOADED)
    installing = rolled(2, id=3)

    assert held(by(FETCHING, attempt=has_it, defers=True)) is Reason.DOWNLOAD_ONLY
    decision = by(FETCHING, installing, attempt=has_it, defers=True)
    assert (offered(decision), decision.rollout) == ("2.0.0", installing)


# --- floors -------------------------------------------------------------------------------------

FLOOR = a_release("2.0.0", floor=True)
STEPS = (a_release("1.5.0"), FLOOR, a_release("3.0.0"))


@pytest.mark.parametrize(
    ("runs", "gets"), [("1.0.0", "2.0.0"), ("1.5.0", "2.0.0"), ("2.0.0", "3.0.0")]
)
def test_nobody_goes_past_a_floor(runs, gets):
    assert offered(by(device=a_device(runs), releases=STEPS)) == gets


def test_several_floors_are_gone_through_in_order():
    floors = [a_release(f"{number}.0.0", floor=True) for number in range(2, 6)]

    went, runs = [], "1.0.0"
    while isinstance(decision := by(device=a_device(runs), releases=floors), Offer):
        runs = decision.release.version
        went.append(runs)

    assert went == ["2.0.0", "3.0.0", "4.0.0", "5.0.0"]
    assert held(decision) is Reason.UP_TO_DATE


def test_a_floor_that_has_not_come_yet_is_waited_for():
    waiting = rolled(2, BEFORE, 10_000)

    assert offered(by(waiting, releases=STEPS)) == "1.5.0"
    assert held(by(waiting, device=a_device("1.5.0"), releases=STEPS)) is Reason.NEEDS_STEP
    assert offered(by(waiting, device=a_device("2.0.0"), releases=STEPS)) == "3.0.0"


def test_a_floor_that_was_not_made_for_a_device_is_none_for_it():
    for_others = a_release("2.0.0", an_image("s3.bin", chip="esp32s3"), floor=True)

    assert offered(by(releases=(for_others, a_release("3.0.0")))) == "3.0.0"


def test_a_floor_of_another_channel_is_none():
    beta = a_release("2.0.0", floor=True, channel="beta")

    assert offered(by(releases=(beta, a_release("3.0.0")))) == "3.0.0"


def test_nor_does_a_pin_take_a_device_past_a_floor():
    """Whoever pins it meant this release, not to brick the board on the way."""
    assert held(by(device=a_device(pinned="3.0.0"), releases=STEPS)) is Reason.NEEDS_STEP
    past = a_device("2.0.0", pinned="3.0.0")
    assert offered(by(device=past, releases=STEPS)) == "3.0.0"


@pytest.mark.parametrize("runs", ["2.0.0", "3.0.0"])
def test_nor_below_one_that_it_has_come_to(runs):
    device = a_device(runs, pinned="1.5.0")

    decision = by(device=device, releases=STEPS)

    assert held(decision) is Reason.BELOW_FLOOR
    assert decision.detail == "2.0.0 is a floor, and 1.5.0 lies below it"


def test_above_its_floors_a_pin_takes_a_device_back():
    releases = (*STEPS, a_release("4.0.0"))

    assert offered(by(device=a_device("4.0.0", pinned="3.0.0"), releases=releases)) == "3.0.0"
    assert offered(by(device=a_device("4.0.0", pinned="2.0.0"), releases=releases)) == "2.0.0"


@pytest.mark.parametrize("unknown", UnknownVersion)
@pytest.mark.parametrize("pinned", ["1.5.0", "3.0.0"])
def test_who_pins_a_device_that_never_tells_its_version_answers_for_the_step(unknown, pinned):
    project = replace(LAMP, unknown_version=unknown)

    decision = by(device=a_device(None, pinned=pinned), releases=STEPS, project=project)

    assert offered(decision) == pinned


@pytest.mark.parametrize(("runs", "gets"), [("1.0.0", None), ("1.5.0", None), ("2.0.0", "3.0.0")])
def test_a_floor_that_was_withdrawn_is_passed_no_more_easily(runs, gets):
    closed = replace(FLOOR, number=2, state=ReleaseState.WITHDRAWN)
    left = (replace(STEPS[0], number=1), replace(STEPS[2], number=3))
    reached = replace(reach(), closed=[closed])
    # It runs the floor, as the digest says; its header has another version.
    at_the_floor = a_device("1", image_sha256=FLOOR.images[0].sha256)

    decision = decide(a_device(runs), LAMP, left[::-1], at=NOW, reach=reached)

    assert offered(decide(at_the_floor, LAMP, left[::-1], at=NOW, reach=reached)) == "3.0.0"
    if gets is None and runs == "1.0.0":
        assert offered(decision) == "1.5.0"
    elif gets is None:
        assert held(decision) is Reason.NEEDS_STEP
        assert decision.detail.endswith(
            "it is withdrawn: restore it, or `releases set 2.0.0 --no-floor`"
        )
    else:
        assert offered(decision) == gets


# --- who never tells what it runs ----------------------------------------------------------------

OFFERS = replace(LAMP, unknown_version=UnknownVersion.OFFER)
UNKNOWN = a_device(None)
ODD = a_device("arduino-lib-builder")
"""What a framework says of itself is no version of ours."""


def test_an_unknown_board_is_offered_nothing_below_a_floor():
    """It may run the floor, or more."""
    waiting = rolled(2, BEFORE, 10_000)
    closed = replace(FLOOR, number=2, state=ReleaseState.WITHDRAWN)
    left = [replace(STEPS[2], number=3), replace(STEPS[0], number=1)]

    assert offered(by(device=UNKNOWN, releases=STEPS, project=OFFERS)) == "2.0.0"
    held_back = by(waiting, device=UNKNOWN, releases=STEPS, project=OFFERS)
    shut = decide(UNKNOWN, OFFERS, left, at=NOW, reach=replace(reach(), closed=[closed]))

    assert (held(held_back), held(shut)) == (Reason.NEEDS_STEP, Reason.NEEDS_STEP)


@pytest.mark.parametrize("board", [UNKNOWN, ODD], ids=["silent", "odd"])
@pytest.mark.parametrize("state", [State.PAUSED, State.HALTED, State.ABORTED])
def test_an_unknown_board_that_a_rollout_had_reached_is_not_turned_back_when_it_stands(
    state, board
):
    stands = rolled(2, BEHIND, 10_000, state=state)
    others = rolled(2, BEFORE, 10_000, state=state)

    assert str(held(by(stands, device=board, project=OFFERS))) == state.value
    assert offered(by(others, device=board, project=OFFERS)) == "1.5.0"
    assert offered(by(stands, project=OFFERS)) == "1.5.0"  # it runs 1.0.0


def test_nor_is_one_that_was_sent_the_image_before_there_was_a_rollout():
    history = History(deliveries={NEW.images[0].sha256: 1})
    later = rolled(2, BEFORE, 10_000)

    decision = by(later, device=UNKNOWN, project=OFFERS, history=history)

    assert held(decision) is Reason.NOT_YET


# --- downgrades ---------------------------------------------------------------------------------

BACK = rolled(1, takes_back=2)
"""From 2.0.0, or whatever there was when it was decided, to 1.5.0."""


def back(*rollouts, **more):
    """What a device gets that runs 2.0.0 and accepts to go back."""
    return by(*(rollouts or (BACK,)), **({"device": a_device("2.0.0", **ACCEPTS)} | more))


def test_a_downgrade_takes_nobody_below_a_floor():
    later = (*STEPS, a_release("4.0.0"))
    to_the_floor, below = rolled(2, takes_back=4), rolled(1, takes_back=4)
    device = a_device("4.0.0", **ACCEPTS)

    assert offered(by(to_the_floor, device=device, releases=later)) == "2.0.0"
    assert held(by(below, device=device, releases=later)) is Reason.BELOW_FLOOR


@pytest.mark.parametrize("unknown", UnknownVersion)
@pytest.mark.parametrize(
    ("to", "why"), [(1, Reason.BELOW_FLOOR), (3, Reason.NEEDS_STEP), (2, None)]
)
def test_nor_one_of_which_nobody_knows_what_it_runs(unknown, to, why):
    """Nobody pinned it, and so nobody answers for the step."""
    later = (*STEPS, a_release("4.0.0"))
    project = replace(LAMP, unknown_version=unknown)

    decision = by(
        rolled(to, takes_back=4), device=a_device(None, **ACCEPTS), releases=later, project=project
    )

    assert getattr(decision, "reason", None) is why
    if why is None:
        assert offered(decision) == "2.0.0"
    else:
        assert decision.detail.endswith("pin it to the release that it may have")


@pytest.mark.parametrize("state", [State.HALTED, State.PAUSED])
def test_nor_is_an_unknown_board_taken_back_from_what_came_after_the_downgrade(state):
    releases = (OLD, NEW, a_release("3.0.0"))
    device = a_device(None, **ACCEPTS)

    stands = by(BACK, rolled(3, state=state), device=device, releases=releases, project=OFFERS)

    assert str(held(stands)) == state.value


def test_a_downgrade_takes_a_device_back_that_accepts_it():
    decision = back()

    assert (offered(decision), decision.rule) == ("1.5.0", Rule.TAKEN_BACK)
    assert decision.rollout == BACK
    assert held(back(device=a_device("2.0.0"))) is Reason.UP_TO_DATE


def test_a_downgrade_goes_by_its_stages():
    assert held(back(rolled(1, BEFORE, 10_000, takes_back=2))) is Reason.UP_TO_DATE
    assert offered(back(rolled(1, BEHIND, 10_000, takes_back=2))) == "1.5.0"


def test_who_was_taken_back_stays_there():
    there = a_device("1.5.0", **ACCEPTS)

    assert held(back(device=there)) is Reason.UP_TO_DATE


@pytest.mark.parametrize(
    ("state", "why"), [(State.PAUSED, Reason.PAUSED), (State.HALTED, Reason.HALTED)]
)
def test_a_downgrade_that_stands_still_takes_nobody_back_and_lets_nobody_forward(state, why):
    still = rolled(1, takes_back=2, state=state)

    assert held(back(still)) is why
    assert held(back(still, device=a_device("1.5.0", **ACCEPTS))) is Reason.UP_TO_DATE


def test_an_aborted_downgrade_is_none():
    aborted = rolled(1, takes_back=2, state=State.ABORTED)

    assert held(back(aborted)) is Reason.UP_TO_DATE
    assert offered(back(aborted, device=a_device("1.5.0", **ACCEPTS))) == "2.0.0"


def test_nothing_goes_below_the_counter_of_the_device():
    old = a_release("1.5.0", an_image(secure_version=1))
    burnt = a_device("2.0.0", secure_version=2, **ACCEPTS)

    assert held(back(device=burnt, releases=(old, NEW))) is Reason.LOWER_COUNTER


def test_a_release_that_came_after_a_downgrade_wins():
    releases = (OLD, NEW, a_release("2.1.0"))

    assert offered(back(releases=releases)) == "2.1.0"
    assert offered(back(device=a_device("1.5.0", **ACCEPTS), releases=releases)) == "2.1.0"
    assert held(back(device=a_device("2.1.0", **ACCEPTS), releases=releases)) is Reason.UP_TO_DATE


@pytest.mark.parametrize(
    "next_one",
    [
        a_release("2.2.0", min_from="2.1.9"),
        a_release("2.2.0", an_image("boot.bin", part="bootloader")),
        a_release("2.2.0", an_image(hardware=("gateway",))),
        a_release("2.2.0", an_image(min_chip_revision=300)),
    ],
)
def test_who_runs_what_came_after_a_downgrade_is_not_taken_back(next_one):
    releases = (OLD, NEW, a_release("2.1.0"), next_one)
    runs = a_device("2.1.0", **ACCEPTS)

    decision = back(device=runs, releases=releases)

    assert not (isinstance(decision, Offer) and decision.release.version == "1.5.0")


def test_a_release_that_comes_back_later_is_waited_for_on_the_older_one():
    releases = (OLD, NEW, a_release("2.1.0"))
    later = rolled(3, BEFORE, 10_000)

    assert offered(back(BACK, later, releases=releases)) == "1.5.0"


def test_a_downgrade_to_what_is_not_published_holds():
    assert held(back(rolled(7, takes_back=2, version="1.4.0"))) is Reason.TAKEN_BACK


def test_a_downgrade_keeps_the_room_and_rests_like_every_rollout():
    paced = rolled(1, takes_back=2, policy=Policy(concurrent_max=1))

    assert held(back(paced, limits={"loads": {1: Load(open=1)}})) is Reason.BUSY
    assert held(back(history=History({1: 1}, {1: NOW}))) is Reason.RESTING
    assert held(back(limits={"stop": Stop("it smokes")})) is Reason.STOPPED


def test_a_downgrade_hides_its_release_from_nobody_who_comes_from_below():
    first_stage = rolled(1, 1, 10_000, takes_back=2)
    aborted = rolled(2, state=State.ABORTED)

    assert offered(by(first_stage, aborted, device=a_device("1.0.0"))) == "1.5.0"


# --- the words ----------------------------------------------------------------------------------

HALF_OPEN = Policy(windows=windows_of(["00:00-00:01 UTC"]))
WAYS = {
    Reason.STOPPED: lambda: by(limits={"stop": Stop("")}),
    Reason.NO_ROLLOUT: lambda: by(project=BY_ROLLOUT),
    Reason.NOT_TARGETED: lambda: by(
        rolled(1, target=Target(devices=frozenset({"other"}))), releases=(OLD,)
    ),
    Reason.NOT_YET: lambda: by(rolled(1, 1, 10_000), releases=(OLD,)),
    Reason.PAUSED: lambda: by(rolled(1, state=State.PAUSED), releases=(OLD,)),
    Reason.HALTED: lambda: by(rolled(1, state=State.HALTED), releases=(OLD,)),
    Reason.ABORTED: lambda: by(rolled(1, state=State.ABORTED), releases=(OLD,)),
    Reason.BUSY: lambda: by(
        rolled(2, policy=Policy(concurrent_max=1)), limits={"loads": {2: Load(open=1)}}
    ),
    Reason.OUTSIDE_WINDOW: lambda: by(rolled(2, policy=HALF_OPEN)),
    Reason.NO_SLOT: lambda: by(limits={"slots": (Slots(most=0, taken=0),)}),
    Reason.RESTING: lambda: by(rolled(2), history=History({2: 1}, {2: NOW})),
    Reason.TAKEN_BACK: lambda: back(rolled(7, takes_back=2)),
    Reason.DOWNLOAD_ONLY: lambda: by(FETCHING),
}
OLDER_THAN_ROLLOUTS = set(Reason) - set(WAYS)


@pytest.mark.parametrize("reason", WAYS)
def test_each_reason_of_a_rollout_is_given_and_explained(reason):
    decision = WAYS[reason]()

    assert held(decision) is reason
    assert decision.detail


def test_no_reason_came_without_its_test():
    assert {str(reason) for reason in OLDER_THAN_ROLLOUTS} == {
        *("up-to-date", "no-release", "blocked", "wrong-project", "not-registered"),
        *("pin-missing", "unknown-version", "not-newer", "needs-step", "below-floor", "no-image"),
        *("unknown-chip", "wrong-chip", "unknown-revision", "wrong-revision", "unknown-board"),
        *("wrong-board", "too-big", "lower-counter", "other-kind", "awaiting-restart"),
        *("looping", "failing", "canceling", "canceled"),
    }


def test_the_explanation_judges_each_release_by_its_rollout():
    releases = newest_first(OLD, NEW)

    judged = verdicts(
        a_device(), LAMP, releases, at=NOW, reach=reach(rolled(2, state=State.HALTED))
    )

    assert [type(decision) for _, decision in judged] == [Hold, Offer]
    assert judged[0][1].reason is Reason.HALTED
    assert judged[0][1].release == releases[0]


# --- what always holds --------------------------------------------------------------------------

shares = st.sets(st.integers(1, 9_999), max_size=3).map(lambda some: (*sorted(some), 10_000))
policies = st.builds(
    Policy,
    concurrent_max=st.none() | st.integers(1, 3),
    offers_max=st.none() | st.integers(1, 3),
    windows=st.sampled_from([(), HALF_OPEN.windows]),
    failures_max=st.integers(1, 4),
    mode=st.sampled_from(Mode),
)


@st.composite
def rollouts(draw):
    plan = draw(shares)
    return rolled(
        draw(st.integers(1, 4)),
        *plan,
        id=draw(st.integers(1, 9)),
        stage=draw(st.integers(0, len(plan) - 1)),
        state=draw(st.sampled_from(State)),
        salt=draw(st.binary(min_size=16, max_size=16)),
        policy=draw(policies),
        canaries=draw(st.sampled_from([frozenset(), frozenset({"board"})])),
        target=draw(st.sampled_from([Target(), Target(devices=frozenset({"other"}))])),
        takes_back=draw(st.sampled_from([None, None, 2, 4])),
    )


reaches = st.builds(
    lambda some, loads, slots, stop: reach(
        *{one.id: one for one in some}.values(), loads=loads, slots=slots, stop=stop
    ),
    st.lists(rollouts(), max_size=5),
    st.dictionaries(
        st.integers(1, 9), st.builds(Load, st.integers(0, 3), st.integers(0, 3)), max_size=4
    ),
    st.sampled_from([(), (Slots(most=1, taken=0),), (Slots(most=1, taken=1),)]),
    st.sampled_from([None, None, None, Stop("")]),
)
boards = st.builds(
    lambda version, tags, pinned: a_device(version, tags=tags, pinned=pinned),
    st.sampled_from([None, "0.5.0", "1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0"]),
    st.sampled_from([(), (DOWNGRADE_TAG,)]),
    st.sampled_from([None, None, None, "2.0.0"]),
)
RELEASES = tuple(
    a_release(f"{number}.0.0", floor=number == 2, min_from="1" if number == 3 else None)
    for number in range(1, 5)
)
histories = st.builds(History, st.dictionaries(st.integers(1, 4), st.integers(1, 4), max_size=2))


@dataclass(frozen=True)
class Case:
    """Facts of a decision about four releases, 1.0.0 to 4.0.0."""

    board: Device
    reach: Reach
    history: History
    project: Project
    defers: bool

    def decision(self, board=None):
        return decided(
            board or self.board,
            *RELEASES,
            project=self.project,
            history=self.history,
            reach=self.reach,
            defers=self.defers,
        )


cases = st.builds(
    Case, boards, reaches, histories, st.sampled_from([LAMP, BY_ROLLOUT]), st.booleans()
)


@given(cases)
def test_an_offer_by_a_rollout_is_always_within_its_cohort(case):
    decision = case.decision()

    if isinstance(decision, Offer) and decision.rollout is not None:
        rollout = decision.rollout
        assert rollout.covers(case.board, "stable")
        assert rollout.state in (State.RUNNING, State.FINISHED)
        assert rollout.release == decision.release.number
        assert rollout in case.reach.rollouts[decision.release.number]


@given(cases)
def test_without_a_rollout_only_a_pin_or_a_release_that_has_none_is_offered(case):
    decision = case.decision()

    if isinstance(decision, Offer) and decision.rollout is None and case.board.pinned is None:
        known = case.reach.rollouts.get(decision.release.number, ())
        assert all(one.takes_back is not None for one in known)
        assert case.project.spread is Spread.AT_ONCE


@given(cases)
def test_no_cap_is_passed_and_no_stop(case):
    decision = case.decision()

    if isinstance(decision, Offer):
        assert case.reach.stop is None
        assert not any(slots.are_taken for slots in case.reach.slots)
        if decision.rollout is not None:
            policy = decision.rollout.policy
            load = case.reach.loads.get(decision.rollout.id, Load())
            assert policy.concurrent_max is None or load.open < policy.concurrent_max
            assert policy.offers_max is None or load.offered < policy.offers_max
            assert not policy.windows


@given(cases)
def test_nothing_lower_is_offered_but_by_a_pin_or_to_who_accepts_it(case):
    decision = case.decision()

    if isinstance(decision, Offer) and decision.rule not in (Rule.PINNED, Rule.TAKEN_BACK):
        assert version_key(decision.release.version) > version_key(case.board.version)
    if isinstance(decision, Offer) and decision.rule is Rule.TAKEN_BACK:
        assert DOWNGRADE_TAG in case.board.tags
        assert decision.rollout.takes_back is not None


@given(cases)
def test_the_same_facts_give_the_same_answer_and_stay_as_they_are(case):
    rollouts_before, loads_before = dict(case.reach.rollouts), dict(case.reach.loads)

    assert case.decision() == case.decision()
    assert (case.reach.rollouts, case.reach.loads) == (rollouts_before, loads_before)


@given(boards, rollouts(), st.integers(0, 3))
def test_a_rollout_that_went_further_takes_its_release_from_nobody(board, rollout, more):
    rollout = replace(rollout, release=4, takes_back=None)
    wider = replace(rollout, stage=min(len(rollout.stages) - 1, rollout.stage + more))

    before, after = (decided(board, *RELEASES, reach=reach(one)) for one in (rollout, wider))

    if isinstance(before, Offer) and before.rollout is not None:
        assert after == replace(before, rollout=wider)


@given(cases)
def test_a_device_that_takes_what_it_is_offered_comes_to_rest(case):
    board, had = case.board, set()

    while isinstance(decision := case.decision(board), Offer):
        assert decision.release.version not in had
        had.add(decision.release.version)
        board = replace(board, version=decision.release.version, image_sha256=decision.image.sha256)


def test_a_decision_reads_no_clock_and_no_chance(monkeypatch):
    monkeypatch.setattr("time.time", lambda: pytest.fail("a decision asked what time it is"))
    monkeypatch.setattr("random.random", lambda: pytest.fail("a decision was left to chance"))

    decide(a_device(), LAMP, newest_first(OLD, NEW), at=NOW, reach=reach(rolled(2)))
