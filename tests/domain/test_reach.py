"""How far a release has come to a device, and whether there is room for it now."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.clocks import CLOCKS_DIFFER_SECONDS
from ota_http_server.domain.offer import History, Hold, Reason
from ota_http_server.domain.project import Spread
from ota_http_server.domain.reach import (
    Load,
    Reach,
    Slots,
    by_release,
    percent,
    place_in,
    reaching,
    resting,
    room,
    sites_of,
)
from ota_http_server.domain.rollout import DOWNGRADE_TAG, State, Target
from ota_http_server.domain.rollout_plan import Policy
from ota_http_server.domain.selection import Selection
from ota_http_server.domain.windows import windows_of
from tests.domain.fleet_facts import LAMP, NOW, a_device, a_release
from tests.domain.test_rollout import a_rollout

RELEASE = a_release("2.0.0", number=1)
MINE = 6_284  # the bucket of "board" under a salt of zeros
BEFORE, BEHIND = MINE, MINE + 1
BY_ROLLOUT = replace(LAMP, spread=Spread.BY_ROLLOUT)
DAY = 86_400


def reached(*rollouts, device=None, project=LAMP, release=RELEASE):
    reach = Reach(rollouts=by_release(rollouts))
    return reaching(reach, project, release, device or a_device(), "stable")


def reason(found) -> Reason:
    assert isinstance(found, Hold), found
    return found.reason


def has_room(rollout=None, device=None, at=NOW, **facts):
    return room(Reach(**facts), rollout, device or a_device(), at)


def paced(load, device=None, **policy):
    rollout = a_rollout(policy=Policy(**policy))
    return has_room(rollout, device, loads={rollout.id: load})


# --- how far it has come ------------------------------------------------------------------------


def test_without_a_rollout_a_release_reaches_all_or_nobody_as_its_project_says():
    assert reached() is None
    assert reason(reached(project=BY_ROLLOUT)) is Reason.NO_ROLLOUT


@pytest.mark.parametrize("project", [LAMP, BY_ROLLOUT])
def test_with_a_rollout_it_reaches_its_stages_and_no_further(project):
    near, far = a_rollout(BEFORE, 10_000), a_rollout(BEHIND, 10_000)

    assert reason(reached(near, project=project)) is Reason.NOT_YET
    assert reached(far, project=project) == far


def test_a_rollout_says_nothing_about_other_releases():
    other = replace(a_rollout(1, 10_000), release=2)

    assert reached(other) is None


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.PAUSED, Reason.PAUSED),
        (State.HALTED, Reason.HALTED),
        (State.ABORTED, Reason.ABORTED),
    ],
)
def test_what_stands_still_reaches_nobody_and_says_why(state, why):
    hold = reached(a_rollout(BEHIND, 10_000, state=state, reason="it smokes"))

    assert reason(hold) is why
    assert "it smokes" in hold.detail
    assert "rollout 1 of 2.0.0" in hold.detail


@pytest.mark.parametrize("state", [State.PAUSED, State.HALTED])
def test_whom_it_had_not_come_to_hears_of_no_pause(state):
    assert reason(reached(a_rollout(BEFORE, 10_000, state=state))) is Reason.NOT_YET


def test_what_is_finished_reaches_all_of_its_target_and_nobody_else():
    kitchen = Target(Selection.parse("tag==kitchen"))
    finished = a_rollout(1, 10_000, state=State.FINISHED, target=kitchen)

    assert reached(finished, device=a_device(tags=("kitchen",))) == finished
    assert reason(reached(finished)) is Reason.NOT_TARGETED


@pytest.mark.parametrize("state", State)
def test_who_is_not_meant_hears_nothing_else(state):
    others = a_rollout(1, 10_000, state=state, target=Target(devices=frozenset({"other"})))

    assert reason(reached(others)) is Reason.NOT_TARGETED


def test_of_several_rollouts_that_have_come_to_it_the_latest_counts():
    first = a_rollout(10_000, state=State.FINISHED)
    second = replace(a_rollout(BEHIND, 10_000), id=2)

    assert reached(first, second) == second
    assert reached(first, replace(second, state=State.HALTED)) == first
    assert reached(first, replace(second, stages=a_rollout(1, 10_000).stages)) == first


def test_of_several_that_have_not_the_one_to_act_upon_is_told():
    others = a_rollout(10_000, target=Target(devices=frozenset({"other"})))
    aborted = a_rollout(10_000, state=State.ABORTED)
    waiting = a_rollout(BEFORE, 10_000)
    paused = a_rollout(BEHIND, 10_000, state=State.PAUSED)
    halted = a_rollout(BEHIND, 10_000, state=State.HALTED)
    told = []

    for number in range(1, 6):
        some = (others, aborted, waiting, paused, halted)[:number]
        told.append(reason(reached(*some)))

    assert told == [
        Reason.NOT_TARGETED,
        Reason.ABORTED,
        Reason.NOT_YET,
        Reason.PAUSED,
        Reason.HALTED,
    ]


def test_a_downgrade_takes_nobody_forward():
    back = a_rollout(10_000, takes_back=2)

    assert reached(back, device=a_device(tags=(DOWNGRADE_TAG,))) is None
    assert reason(reached(back, project=BY_ROLLOUT)) is Reason.NO_ROLLOUT


def test_a_device_that_waits_is_told_its_place():
    rollout = a_rollout(100, 500, 10_000, stage=1)

    assert place_in(rollout, a_device()) == (
        "its bucket 6284 comes with stage 3; stage 2 of 3 goes to 5 %"
    )
    canary = replace(rollout, canaries=frozenset({"board"}))
    assert place_in(canary, a_device()) == "it is a canary; stage 2 of 3 goes to 5 %"


@pytest.mark.parametrize(("share", "text"), [(10_000, "100 %"), (1, "0.01 %"), (0, "0 %")])
def test_shares_are_told_as_percentages(share, text):
    assert percent(share) == text


# --- who is taken back --------------------------------------------------------------------------


def taking_back(*rollouts, **device):
    reach = Reach(rollouts=by_release(rollouts))
    return reach.taking_back(a_device(**({"tags": (DOWNGRADE_TAG,)} | device)), "stable")


def test_only_who_accepts_it_is_taken_back():
    back = a_rollout(10_000, takes_back=3)

    assert taking_back(back) == back
    assert taking_back(back, tags=()) is None
    assert taking_back(a_rollout(10_000)) is None


def test_a_downgrade_goes_by_stages_too():
    assert taking_back(a_rollout(BEFORE, 10_000, takes_back=3)) is None
    assert taking_back(a_rollout(BEFORE, 10_000, takes_back=3, state=State.FINISHED)) is not None


def test_what_stands_still_takes_nobody_back_and_lets_nobody_forward_again():
    for state in (State.PAUSED, State.HALTED):
        back = a_rollout(10_000, takes_back=3, state=state)
        assert taking_back(back) == back
    assert taking_back(a_rollout(10_000, takes_back=3, state=State.ABORTED)) is None


def test_the_latest_downgrade_counts():
    first, second = (replace(a_rollout(10_000, takes_back=3), id=n, release=n) for n in (1, 2))

    assert taking_back(second, first) == second


# --- whether there is room ----------------------------------------------------------------------


def test_without_limits_there_is_room():
    assert has_room() is None
    assert has_room(a_rollout()) is None


@pytest.mark.parametrize(
    ("load", "waits"), [(Load(), False), (Load(open=2), False), (Load(open=3), True)]
)
def test_only_so_many_devices_update_at_a_time(load, waits):
    hold = paced(load, concurrent_max=3)

    assert (hold is not None) is waits
    if waits:
        assert (hold.reason, hold.detail) == (Reason.BUSY, "3 of 3 devices update now")


@pytest.mark.parametrize(("offered", "waits"), [(4, False), (5, True), (6, True)])
def test_only_so_many_are_asked_in_a_period(offered, waits):
    hold = paced(Load(offered=offered), offers_max=5, period_seconds=600)

    assert (hold is not None) is waits
    if waits:
        assert hold.reason is Reason.BUSY and "600 seconds" in hold.detail


def test_only_so_many_of_a_site_update_at_a_time():
    here = a_device(tags=("red", "site:bonn"))
    load = Load(open=2, by_site={"site:bonn": 2, "site:graz": 1})

    assert reason(paced(load, here, site_tag="site:", site_max=2)) is Reason.BUSY
    assert paced(load, here, site_tag="site:", site_max=3) is None
    assert paced(load, a_device(tags=("site:graz",)), site_tag="site:", site_max=2) is None
    assert paced(load, a_device(), site_tag="site:", site_max=1) is None


def test_the_sites_of_a_device_are_its_tags_of_that_beginning():
    board = a_device(tags=("site:bonn", "site:graz", "sitting"))

    assert sites_of(a_rollout(policy=Policy(site_tag="site:")), board) == (
        "site:bonn",
        "site:graz",
    )
    assert sites_of(a_rollout(), board) == ()


@pytest.mark.parametrize(("taken", "waits"), [(1, False), (2, True), (3, True)])
def test_downloads_have_their_slots_with_or_without_a_rollout(taken, waits):
    slots = (Slots(most=10, taken=0), Slots(most=2, taken=taken))

    for rollout in (None, a_rollout()):
        hold = has_room(rollout, slots=slots)
        assert (hold is not None) is waits
        if waits:
            assert hold.reason is Reason.NO_SLOT and f"{taken} of 2" in hold.detail


def test_outside_of_its_window_a_rollout_waits_and_says_for_how_long():
    nights = Policy(windows=windows_of(["22:00-04:00 UTC"]))
    rollout, midnight = a_rollout(policy=nights), NOW - NOW % DAY

    hold = has_room(rollout, at=midnight + 21 * 3_600)

    assert (hold.reason, "3,600 seconds" in hold.detail) == (Reason.OUTSIDE_WINDOW, True)
    for hours in (22, 23.99, 27.99):
        assert has_room(rollout, at=int(midnight + hours * 3_600)) is None
    assert has_room(rollout, at=midnight + 28 * 3_600) is not None
    assert has_room(None, at=midnight + 12 * 3_600) is None


def test_the_hour_is_told_before_the_crowd():
    rollout = a_rollout(policy=Policy(windows=windows_of(["22:00-23:00 UTC"]), concurrent_max=1))
    noon = NOW - NOW % DAY + 12 * 3_600

    hold = has_room(rollout, at=noon, loads={1: Load(open=1)}, slots=(Slots(most=1, taken=1),))

    assert hold.reason is Reason.OUTSIDE_WINDOW


# --- who rests after a failure ------------------------------------------------------------------


def rests(failures, since, release=1, **policy):
    history = History({release: failures}, {release: NOW - since})
    return resting(a_rollout(policy=Policy(**policy)), history, a_device(), NOW)


@pytest.mark.parametrize(
    ("failures", "since", "waits"),
    [
        (1, 0, True),
        (1, 899, True),
        (1, 900, False),
        (2, 900, True),
        (2, 1_799, True),
        (2, 1_800, False),
        (3, 3_599, True),
        (3, 3_600, False),
        (1, -CLOCKS_DIFFER_SECONDS, True),  # another server's clock is a little ahead
        (1, -CLOCKS_DIFFER_SECONDS - 1, False),  # a clock that was set back keeps nobody waiting
        (1, -30 * DAY, False),
        (1, 30 * DAY, False),
    ],
)
def test_after_each_failure_it_rests_twice_as_long(failures, since, waits):
    hold = rests(failures, since, retry_seconds=900, failures_max=9)

    assert (hold is not None) is waits
    if waits:
        assert hold.reason is Reason.RESTING


def test_the_time_that_is_left_is_told():
    assert "600 seconds" in rests(1, 300, retry_seconds=900).detail
    assert "900 seconds" in rests(1, -30, retry_seconds=900).detail


def test_who_never_failed_on_it_does_not_rest():
    assert rests(0, 0) is None
    assert rests(3, 0, release=2) is None


@pytest.mark.parametrize(("failures", "why"), [(2, Reason.RESTING), (3, Reason.FAILING)])
def test_who_failed_too_often_is_left_out_until_somebody_says_otherwise(failures, why):
    hold = rests(failures, 0, failures_max=3)

    assert hold.reason is why
    if why is Reason.FAILING:
        assert "devices retry board" in hold.detail
        assert rests(failures, 365 * DAY, failures_max=3).reason is Reason.FAILING


@given(st.integers(1, 49), st.integers(-(10**9), 10**9), st.integers(0, 10**7))
def test_nobody_rests_longer_than_the_rest_that_is_meant(failures, since, retry_seconds):
    hold = rests(failures, since, retry_seconds=retry_seconds, failures_max=50)

    if since >= retry_seconds * 2 ** (failures - 1):
        assert hold is None
