"""The plan of a rollout: what it refuses, and what it is where nobody says more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.rollout_plan import (
    COUNT_MAX,
    DEFAULT_DWELL_SECONDS,
    DEFAULT_SHARES,
    SECONDS_MAX,
    SHARE_MAX,
    STAGES_MAX,
    VERIFIED_MORE_MAX,
    Plan,
    Policy,
    Stage,
    default_shares,
    default_stages,
)

SHARES_OF_BAD = ("failed_share_max", "silent_share_max", "rolled_back_share_max")
COUNTS = ("finished_min", "halting_devices_min", "site_max", "failures_max")
LIMITS = ("concurrent_max", "offers_max")
TIMES = ("silent_seconds", "period_seconds")


def stages(*shares):
    return tuple(map(Stage, shares))


@pytest.mark.parametrize(
    "facts",
    [
        *({"share": share} for share in (-1, SHARE_MAX + 1)),
        *({"dwell_seconds": value} for value in (-1, SECONDS_MAX + 1, 1.5, "60", True, None)),
        *({"verified_min": value} for value in (-1, COUNT_MAX + 1, 1.5, "1", False, None)),
    ],
)
def test_a_stage_that_cannot_be_meant_is_refused(facts):
    with pytest.raises(Invalid):
        Stage(**({"share": 100} | facts))


@pytest.mark.parametrize("facts", [{"share": 0}, {"dwell_seconds": 0}, {"verified_min": 0}])
def test_a_stage_may_ask_for_nothing(facts):
    Stage(**({"share": 100} | facts))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in SHARES_OF_BAD for value in (0, -1, SHARE_MAX + 1, 2.5, "2")),
        *((name, value) for name in COUNTS for value in (0, -1, COUNT_MAX + 1, True, None)),
        *((name, value) for name in LIMITS for value in (0, -1, COUNT_MAX + 1, 1.0, "3")),
        *((name, value) for name in TIMES for value in (0, SECONDS_MAX + 1, None)),
        *(("retry_seconds", value) for value in (-1, SECONDS_MAX + 1, None)),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_its_name(name, value):
    with pytest.raises(Invalid, match=name):
        Policy(**{name: value})


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_not_limited_is_none(name):
    assert getattr(Policy(**{name: None}), name) is None


def test_only_a_policy_that_can_make_a_device_wait_is_paced():
    paced = [{"concurrent_max": 1}, {"offers_max": 1}, {"site_tag": "site:"}]

    assert all(Policy(**facts).is_paced for facts in paced)
    assert not Policy(site_max=3, period_seconds=60).is_paced


@pytest.mark.parametrize(
    ("wished", "why"),
    [
        (stages(100, 100, SHARE_MAX), "further"),
        (stages(500, 100, SHARE_MAX), "further"),
        (stages(SHARE_MAX, SHARE_MAX), "further"),
        (stages(100, 500), "100 percent"),
        (stages(0), "100 percent"),
        (stages(*range(STAGES_MAX), SHARE_MAX), "at most"),
    ],
)
def test_a_plan_goes_further_with_each_stage_and_to_the_end(wished, why):
    with pytest.raises(Invalid, match=why):
        Plan(wished)


@given(st.sets(st.integers(0, SHARE_MAX - 1), max_size=STAGES_MAX - 1))
def test_any_way_upwards_is_a_plan(some):
    wished = stages(*sorted(some), SHARE_MAX)

    assert Plan(wished).stages == wished


def test_a_canary_that_is_named_takes_the_place_of_one_percent():
    assert default_shares(has_canaries=False) == (100, 500, 2_500, 5_000, 10_000)
    assert default_shares(has_canaries=True) == (0, 500, 2_500, 5_000, 10_000)


@pytest.mark.parametrize(
    ("size", "needed"), [(0, 1), (1, 1), (3, 1), (4, 2), (99, 49), (100, 50), (9_999, 50)]
)
def test_half_of_a_stage_must_be_seen_running_it_but_never_many(size, needed):
    (stage,) = default_stages([SHARE_MAX], [size])

    assert stage == Stage(SHARE_MAX, DEFAULT_DWELL_SECONDS, needed)
    assert stage.verified_min <= VERIFIED_MORE_MAX


@given(st.lists(st.integers(0, 100_000), min_size=5, max_size=5).map(sorted))
def test_a_default_stage_never_needs_more_devices_than_it_has(sizes):
    planned = default_stages(default_shares(has_canaries=False), sizes)

    assert Plan(planned).stages == planned
    for stage, size in zip(planned, sizes, strict=True):
        assert stage.verified_min <= max(1, size)


def test_each_stage_of_a_big_fleet_needs_new_successes():
    planned = default_stages(DEFAULT_SHARES, [500, 2_500, 12_500, 25_000, 50_000])

    assert [stage.verified_min for stage in planned] == [50, 100, 150, 200, 250]
