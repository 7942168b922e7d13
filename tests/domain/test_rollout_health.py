"""What halts a rollout, at each exact edge, and what a stage waits for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.rollout_health import Tally, goes_far, successes, what_lacks, why_halt
from ota_http_server.domain.rollout_plan import Mode, Policy, Stage
from tests.domain.test_rollout import a_rollout

ROLLOUT = a_rollout()
WORDS = tuple(Tally.__dataclass_fields__)
UNDER_WAY = ("offered", "downloading", "downloaded", "installed")
BAD = ("failed", "rolled_back", "silent")


def halts(tally, **policy) -> bool:
    return why_halt(replace(ROLLOUT, policy=Policy(**policy)), tally) is not None


def in_stage(*stages, **facts):
    """In the first of these stages, and nothing is known of canaries."""
    return replace(ROLLOUT, stages=stages, **facts)


tallies = st.builds(Tally, **dict.fromkeys(WORDS, st.integers(0, 60)))
policies = st.builds(
    Policy,
    failed_share_max=st.integers(1, 10_000),
    finished_min=st.integers(1, 60),
    silent_share_max=st.integers(1, 10_000),
    rolled_back_share_max=st.integers(1, 10_000),
    halting_devices_min=st.integers(1, 10),
    counts_installed=st.booleans(),
)


# --- what it is halted by -----------------------------------------------------------------------


@pytest.mark.parametrize("what", BAD)
def test_one_of_two_never_halts(what):
    assert not halts(Tally(verified=1, **{what: 1}))
    assert not halts(Tally(**{what: 1}))


@pytest.mark.parametrize(
    ("tally", "halted"),
    [
        (Tally(verified=98, failed=2), True),  # exactly 2 %
        (Tally(verified=99, failed=2), False),
        (Tally(verified=97, failed=1), False),  # more than 1 %, but one device
        (Tally(verified=7, failed=2), False),  # 22 % of nine, and ten must have finished
        (Tally(verified=8, failed=2), True),
        (Tally(verified=7, failed=2, silent=1), True),  # who fell silent has finished, too
        (Tally(verified=8, failed=2, downloading=90), True),  # who has not finished says nothing
        (Tally(verified=98, failed=1, rolled_back=1), True),  # who rolled back has failed
        (Tally(failed=10), True),
    ],
)
def test_it_halts_where_too_many_of_those_that_finished_failed(tally, halted):
    assert halts(tally, failed_share_max=200, finished_min=10, rolled_back_share_max=10_000) is (
        halted
    )


@pytest.mark.parametrize(
    ("tally", "halted"),
    [
        (Tally(verified=198, rolled_back=2), True),  # exactly 1 %
        (Tally(verified=199, rolled_back=2), False),
        (Tally(rolled_back=2), True),  # however few have finished
        (Tally(verified=10, rolled_back=1), False),
        (Tally(verified=198, failed=101, rolled_back=2), True),  # what failed otherwise hides none
    ],
)
def test_it_halts_where_devices_run_the_old_image_again(tally, halted):
    assert halts(tally, rolled_back_share_max=100, failed_share_max=10_000) is halted


@pytest.mark.parametrize(
    ("tally", "halted"),
    [
        (Tally(offered=8, silent=2), True),  # exactly 20 %
        (Tally(offered=9, silent=2), False),
        (Tally(offered=1, silent=1), False),
        (Tally(verified=4, downloading=2, installed=2, silent=2), True),
        (Tally(offered=8, silent=2, excused=90), True),  # those say nothing, for or against
    ],
)
def test_it_halts_where_too_many_of_those_that_were_asked_fell_silent(tally, halted):
    assert halts(tally, silent_share_max=2_000) is halted


def test_a_fleet_that_bricks_without_a_word_is_halted_within_its_first_stage():
    tallies_on_the_way = [Tally(offered=10 - n, silent=n) for n in range(11)]

    assert [halts(tally) for tally in tallies_on_the_way].index(True) == 2


def test_three_percent_of_failures_halt_it_with_the_report_that_reaches_the_threshold():
    reports = [Tally(verified=97 * n // 100, failed=n - 97 * n // 100) for n in range(1, 201)]

    first = next(tally for tally in reports if halts(tally))

    assert (first.failed, first.verified + first.failed) == (2, 34)


@pytest.mark.parametrize("what", BAD)
def test_what_was_excused_halts_nothing(what):
    assert not halts(Tally(verified=10, excused=10))
    assert halts(Tally(verified=10, excused=10, **{what: 10}))


def test_a_rollout_says_why_it_halts():
    said = why_halt(ROLLOUT, Tally(verified=8, failed=2))

    assert said == "2 of 10 devices failed (20.0 %)"


def test_reports_of_success_count_where_devices_tell_no_version():
    tally = Tally(installed=98, failed=2)

    assert halts(tally, counts_installed=True)
    assert not halts(replace(tally, installed=99), counts_installed=True)
    assert not halts(tally)  # two have finished; the others will have to show what they run


@given(tallies, policies)
def test_who_was_seen_running_it_never_halts_it(tally, policy):
    good = Tally(verified=tally.verified, installed=tally.installed, excused=tally.excused)

    assert why_halt(replace(ROLLOUT, policy=policy), good) is None


@given(tallies, policies, st.sampled_from(UNDER_WAY), st.sampled_from(BAD))
def test_one_more_bad_end_never_lets_it_go_on(tally, policy, before, end):
    rollout = replace(ROLLOUT, policy=policy)
    under_way = replace(tally, **{before: getattr(tally, before) + 1})
    ended = replace(tally, **{end: getattr(tally, end) + 1})

    if why_halt(rollout, under_way) is not None:
        assert why_halt(rollout, ended) is not None


@pytest.mark.parametrize(
    ("tally", "end"),
    [
        (Tally(verified=198, rolled_back=2, offered=1), "failed"),
        (Tally(verified=98, failed=2, offered=1), "silent"),
        (Tally(offered=8, silent=2), "failed"),
    ],
)
def test_one_kind_of_bad_end_does_not_hide_another(tally, end):
    ended = replace(tally, offered=tally.offered - 1, **{end: getattr(tally, end) + 1})

    assert halts(tally)
    assert halts(ended)


@given(tallies, policies, st.integers(0, 9))
def test_a_few_devices_never_halt_it(tally, policy, few):
    harmless = replace(tally, failed=few // 3, rolled_back=few // 3, silent=few // 3)
    policy = replace(policy, halting_devices_min=few + 1)

    assert why_halt(replace(ROLLOUT, policy=policy), harmless) is None


# --- what a stage waits for ---------------------------------------------------------------------


def test_a_stage_waits_for_its_time_then_for_successes_then_for_word_of_the_rest():
    stage = Stage(100, dwell_seconds=60, verified_min=5)
    young = in_stage(stage, Stage(500))
    old = replace(young, stage_seconds=60)

    assert what_lacks(young, Tally(verified=9)) == "60 more seconds in this stage"
    assert what_lacks(replace(young, stage_seconds=59), Tally(verified=9)) is not None
    assert "3 more devices that run it (2 do)" in what_lacks(old, Tally(verified=2, installed=9))
    assert "2 of 7 devices" in what_lacks(old, Tally(verified=5, installed=2))
    assert what_lacks(old, Tally(verified=5)) is None


@pytest.mark.parametrize("what", ["downloading", "downloaded", "installed", "failed", "silent"])
@pytest.mark.parametrize(("open_ends", "lacks"), [(1, False), (2, False), (3, True)])
def test_a_fifth_of_those_that_began_may_be_without_a_good_end(what, open_ends, lacks):
    rollout = in_stage(Stage(100, 0, 1), Stage(500))

    assert (what_lacks(rollout, Tally(verified=8, **{what: open_ends})) is not None) is lacks


def test_who_has_not_begun_keeps_no_stage_waiting():
    rollout = in_stage(Stage(100, 0, 1), Stage(500))

    assert what_lacks(rollout, Tally(verified=1, offered=100)) is None


def test_who_was_excused_keeps_no_stage_waiting():
    rollout = in_stage(Stage(100, 0, 1), Stage(500))

    assert what_lacks(rollout, Tally(verified=1, excused=100)) is None


def test_nothing_goes_beyond_ten_percent_that_no_canary_was_seen_running():
    asks_nothing = in_stage(Stage(100, 0, 0), Stage(2_500))

    assert goes_far(asks_nothing)
    assert what_lacks(asks_nothing, Tally()) is not None
    assert what_lacks(asks_nothing, Tally(verified=1)) is None
    assert what_lacks(replace(asks_nothing, is_canaried=True), Tally()) is None


@pytest.mark.parametrize(("share", "far"), [(1_000, False), (1_001, True), (10_000, True)])
def test_far_is_beyond_ten_percent(share, far):
    assert goes_far(in_stage(Stage(100), Stage(share))) is far


def test_behind_the_last_stage_nothing_is_far():
    assert not goes_far(in_stage(Stage(10_000)))


def test_an_image_that_is_only_to_be_fetched_is_a_success_once_it_was():
    fetching = replace(ROLLOUT, policy=Policy(mode=Mode.DOWNLOAD_ONLY))

    assert successes(fetching, Tally(downloaded=3, verified=1)) == 4
    assert successes(ROLLOUT, Tally(downloaded=3, verified=1)) == 1


@given(tallies)
def test_every_device_is_counted_once(tally):
    assert tally.devices == sum(getattr(tally, word) for word in WORDS)


@given(tallies, policies, st.integers(1, 60))
def test_one_more_success_never_makes_a_stage_wait(tally, policy, more):
    rollout = in_stage(Stage(100, 0, 30), Stage(2_500), policy=policy)

    if what_lacks(rollout, tally) is None:
        assert what_lacks(rollout, replace(tally, verified=tally.verified + more)) is None
