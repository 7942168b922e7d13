"""Rollouts: which devices a stage has, the same everywhere and for ever; and how they live."""

from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.device import Device
from ota_http_server.domain.rollout import (
    DOWNGRADE_TAG,
    MOVES,
    SALT_BYTES,
    SHARES,
    UNCANARIED_SHARE_MAX,
    UNFINISHED,
    Rollout,
    State,
    Target,
    bucket,
    first_of,
    sizes,
    stage_of,
)
from ota_http_server.domain.rollout_plan import DEFAULT_SHARES, Mode, Policy, Stage
from ota_http_server.domain.selection import Selection

ZEROS, COUNTED = "00" * 16, "000102030405060708090a0b0c0d0e0f"
DIGEST, ONES = "263addb7611158a2c3db7c164a20cc2f", "ff" * 16
# By hashlib and, one of them, by sha256sum and bc: not by the code that is tested.
GOLDEN = [
    (ZEROS, "board", 6284),
    (ZEROS, "24:0a:c4:00:00:01", 1384),
    (ZEROS, "e6f87d77-4216-4be1-ab83-b5fa6792b747", 9714),
    (ZEROS, "a" * 64, 5532),
    (COUNTED, "board", 4281),
    (COUNTED, "24:0a:c4:00:00:01", 843),
    (COUNTED, "e6f87d77-4216-4be1-ab83-b5fa6792b747", 5381),
    (COUNTED, "lampe-küche", 614),
    (DIGEST, "board", 1767),
    (DIGEST, "0", 7563),
    (DIGEST, "a" * 64, 9918),
    (ONES, "board", 1650),
    (ONES, "24:0a:c4:00:00:01", 701),
    (ONES, "0", 8231),
]
FLEET = [f"board-{number}" for number in range(10_000)]
STABLE = "stable"


def a_rollout(*shares: int, **facts) -> Rollout:
    """A rollout of release 1 that has stages of so many ten-thousandths."""
    stages = tuple(map(Stage, shares or DEFAULT_SHARES))
    known = {"id": 1, "project": "lamp", "release": 1, "version": "2.0.0", "salt": bytes(16)}
    return Rollout(**(known | {"stages": stages} | facts))


def a_board(device_id="board", **facts) -> Device:
    return Device(**({"id": device_id, "project": "lamp"} | facts))


def following(*device_ids, channel=STABLE, **facts):
    return [(a_board(device_id, **facts), channel) for device_id in device_ids]


salts = st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES)
ids = st.text("abcdef0123456789:-", min_size=1, max_size=40)
shares = st.integers(0, SHARES)
plans = st.sets(st.integers(1, SHARES - 1), max_size=6).map(lambda some: (*sorted(some), SHARES))
rollouts = st.builds(
    lambda plan, salt, first, canaries: a_rollout(
        *plan, salt=salt, first_device=first, canaries=canaries
    ),
    plans,
    salts,
    st.none() | ids,
    st.frozensets(ids, max_size=3),
)


@pytest.mark.parametrize(("salt", "device_id", "place"), GOLDEN)
def test_the_place_of_a_device_never_changes(salt, device_id, place):
    assert bucket(bytes.fromhex(salt), device_id) == place


@pytest.mark.parametrize("salt", [ZEROS, COUNTED, DIGEST, ONES])
@pytest.mark.parametrize("share", [100, 500, 2_500])
def test_a_stage_has_about_as_many_devices_as_it_says(salt, share):
    has = sum(bucket(bytes.fromhex(salt), one) < share for one in FLEET)

    part = share / SHARES
    assert abs(has - len(FLEET) * part) < 4 * sqrt(len(FLEET) * part * (1 - part))


def test_every_rollout_has_other_canaries():
    first, second = (
        {one for one in FLEET if bucket(bytes.fromhex(salt), one) < 500} for salt in (ZEROS, ONES)
    )

    # By chance 5 % of 5 % are in both: 25 of 10,000, give or take five for each sigma.
    assert len(first & second) < 45


@given(salts, ids)
def test_a_place_is_one_of_ten_thousand(salt, device_id):
    assert 0 <= bucket(salt, device_id) < SHARES


@given(rollouts, ids, shares, shares)
def test_widening_only_adds_devices(rollout, device_id, share, extra):
    device, wider = a_board(device_id), min(SHARES, share + extra)

    if rollout.covers(device, STABLE, share):
        assert rollout.covers(device, STABLE, wider)


@given(rollouts, ids)
def test_each_stage_has_all_devices_of_the_one_before_it(rollout, device_id):
    device = a_board(device_id)
    stages = [replace(rollout, stage=number) for number in range(len(rollout.stages))]
    reached = [one.covers(device, STABLE) for one in stages]

    assert reached == sorted(reached)


@given(rollouts, ids, shares)
def test_what_is_changed_on_the_way_moves_no_device(rollout, device_id, stage):
    changed = replace(
        rollout,
        id=7,
        stage=stage % len(rollout.stages),
        stage_seconds=99,
        state=State.PAUSED,
        is_canaried=True,
        edition=9,
    )

    assert stage_of(changed, device_id) == stage_of(rollout, device_id)


@given(rollouts, ids)
def test_the_stage_of_a_device_is_the_first_that_has_it(rollout, device_id):
    device, its = a_board(device_id), stage_of(rollout, device_id)

    for number in range(len(rollout.stages)):
        assert replace(rollout, stage=number).covers(device, STABLE) == (number >= its)


@given(rollouts, ids)
def test_what_is_finished_has_all_of_its_target(rollout, device_id):
    finished = replace(rollout, state=State.FINISHED)

    assert finished.share == SHARES
    assert finished.covers(a_board(device_id), STABLE)


@given(rollouts, st.frozensets(ids, max_size=30))
def test_sizes_count_each_stage_with_those_before_it(rollout, device_ids):
    fleet = following(*device_ids)

    counted = sizes(rollout, fleet)

    assert counted == sorted(counted)
    assert counted[-1] == len(fleet)
    for number, size in enumerate(counted):
        stage = replace(rollout, stage=number)
        assert size == sum(stage.covers(device, channel) for device, channel in fleet)


@given(plans, salts, st.frozensets(ids, max_size=30))
def test_the_first_device_has_the_lowest_bucket_and_comes_alone(plan, salt, device_ids):
    rollout, fleet = a_rollout(*plan, salt=salt), following(*device_ids)
    before = sizes(rollout, fleet)[0]

    first = first_of(rollout, fleet)

    assert (first is None) is (not fleet)
    if first is not None:
        assert bucket(salt, first) == min(bucket(salt, one) for one in device_ids)
        assert sizes(replace(rollout, first_device=first), fleet)[0] == max(1, before)


def test_named_canaries_are_a_first_stage_and_nobody_else_is():
    rollout = a_rollout(0, SHARES, canaries=frozenset({"desk"}))
    fleet = following("desk", *FLEET[:50])

    assert sizes(rollout, fleet) == [1, 51]
    assert [device.id for device, channel in fleet if rollout.covers(device, channel)] == ["desk"]


def test_of_three_boards_one_is_the_canary():
    rollout, fleet = a_rollout(), following("one", "two", "three")

    rollout = replace(rollout, first_device=first_of(rollout, fleet))

    assert sizes(rollout, fleet)[0] == 1
    assert sizes(rollout, fleet)[-1] == 3


def test_a_target_may_be_named_or_selected_or_both():
    kitchen = Selection.parse("tag==kitchen")
    board, other = a_board(tags=("kitchen",)), a_board("other")

    def meant(**target):
        rollout = a_rollout(SHARES, target=Target(**target))
        return [one.id for one in (board, other) if rollout.is_for(one, STABLE)]

    assert meant() == ["board", "other"]
    assert meant(selection=kitchen) == ["board"]
    assert meant(devices=frozenset({"other"})) == ["other"]
    assert meant(selection=kitchen, devices=frozenset({"other"})) == []


def test_a_canary_is_in_it_whatever_the_target_says():
    rollout = a_rollout(
        0, SHARES, target=Target(Selection.parse("tag==kitchen")), canaries=frozenset({"desk"})
    )

    assert rollout.covers(a_board("desk"), STABLE)
    assert not rollout.is_for(a_board("other"), STABLE)


@pytest.mark.parametrize("state", State)
def test_who_has_no_name_has_only_what_is_finished_and_not_for_others(state):
    nobody, esp32 = a_board(""), a_board("", chip="esp32")
    for_all = a_rollout(SHARES, state=state)
    for_named = replace(for_all, target=Target(devices=frozenset({"other"})))
    for_chip = replace(for_all, target=Target(Selection.parse("chip==esp32")))

    reached = [one.covers(nobody, STABLE) for one in (for_all, for_named, for_chip)]

    is_finished = state is State.FINISHED
    assert reached == [is_finished, False, False]
    assert for_chip.covers(esp32, STABLE) is is_finished


def test_a_downgrade_is_for_devices_that_accept_it_alone():
    rollout = a_rollout(SHARES, takes_back=3, canaries=frozenset({"desk"}))
    fleet = following("one", "desk") + following("two", tags=(DOWNGRADE_TAG,))

    assert [device.id for device, channel in fleet if rollout.is_for(device, channel)] == ["two"]
    assert sizes(rollout, fleet) == [1]


def test_only_its_mode_says_that_it_only_fetches():
    fetching = a_rollout(policy=Policy(mode=Mode.DOWNLOAD_ONLY))

    assert (fetching.only_fetches, a_rollout().only_fetches) == (True, False)


def test_the_first_device_must_be_of_the_target_as_all_but_canaries():
    kitchen = Target(Selection.parse("tag==kitchen"))
    rollout = a_rollout(1, SHARES, target=kitchen, first_device="one", canaries=frozenset({"two"}))

    assert rollout.covers(a_board("one", tags=("kitchen",)), STABLE)
    assert not rollout.covers(a_board("one"), STABLE)
    assert rollout.covers(a_board("two"), STABLE)


def test_what_was_finished_once_has_come_to_all_whatever_state_it_is_in():
    rollout = a_rollout(100, 500, SHARES, reached_all=True, state=State.HALTED)

    assert (rollout.share, rollout.is_for(a_board(""), STABLE)) == (SHARES, True)


def test_each_stage_knows_the_next_one():
    rollout = a_rollout(100, 500, SHARES, first_device="one")

    assert (rollout.share, rollout.next_share) == (100, 500)
    assert replace(rollout, stage=1).next_share == SHARES
    assert replace(rollout, stage=2).next_share is None


# --- its life -----------------------------------------------------------------------------------


def test_the_table_of_its_life_knows_every_state():
    assert set(MOVES) == set(State)
    assert {state for state, to in MOVES.items() if state in to} == set()


def test_what_is_aborted_never_lives_again():
    assert MOVES[State.ABORTED] == frozenset()
    assert all(State.ABORTED in MOVES[state] for state in State if state is not State.ABORTED)


def test_only_what_stands_still_can_run_again():
    can_run = {state for state in State if State.RUNNING in MOVES[state]}

    assert can_run == {State.PAUSED, State.HALTED}
    assert can_run | {State.RUNNING} == UNFINISHED


def test_only_a_running_one_finishes_or_is_paused():
    assert {state for state in State if State.PAUSED in MOVES[state]} == {State.RUNNING}
    # And what was finished before something halted it.
    finishes = {state for state in State if State.FINISHED in MOVES[state]}
    assert finishes == {State.RUNNING, State.HALTED}


def test_whatever_is_paused_or_finished_can_still_be_halted():
    assert {state for state in State if State.HALTED in MOVES[state]} == {
        State.RUNNING,
        State.PAUSED,
        State.FINISHED,
    }


@pytest.mark.parametrize("state", State)
def test_unfinished_is_who_goes_on_or_waits(state):
    rollout = a_rollout(state=state)

    assert rollout.is_unfinished == (state in UNFINISHED)
    assert {to for to in State if rollout.may_become(to)} == MOVES[state]


def test_the_default_plan_canaries_before_it_goes_far():
    assert DEFAULT_SHARES[0] <= UNCANARIED_SHARE_MAX < SHARES == DEFAULT_SHARES[-1]
