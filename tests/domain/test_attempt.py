"""An attempt's life: forward only, and a finished one never reopens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.attempt import (
    FIRST_ID,
    MOVES,
    OPEN,
    State,
    is_good_id,
    next_id,
)
from tests.domain.fleet_facts import NOW, a_release, an_attempt, newest_first

RELEASE = newest_first(a_release("2.0.0"))[0]
states = st.sampled_from(list(State))


def test_every_state_has_its_moves():
    assert set(MOVES) == set(State)


@given(st.lists(states, max_size=12))
def test_whatever_is_reported_in_whatever_order_it_never_goes_back(words):
    order = [State.OFFERED, State.DOWNLOADING, State.DOWNLOADED, State.INSTALLED]
    attempt = an_attempt(RELEASE)

    for at, word in enumerate(words, NOW):
        before, attempt = attempt, attempt.after(word, at)
        if before.state in OPEN and attempt.state in OPEN:
            assert order.index(attempt.state) >= order.index(before.state)
        if before.state in (State.VERIFIED, State.FAILED, State.ROLLED_BACK):
            assert attempt is before


@given(st.lists(states, max_size=12), states)
def test_the_same_word_twice_changes_nothing(words, last):
    attempt = an_attempt(RELEASE)
    for word in (*words, last):
        attempt = attempt.after(word, NOW)

    assert attempt.after(last, NOW + 60) is attempt


def test_what_was_silent_may_still_turn_out_well():
    silent = an_attempt(RELEASE, State.DOWNLOADED).after(State.SILENT, NOW)

    assert silent.after(State.VERIFIED, NOW + 9).state is State.VERIFIED


def test_moments_are_kept():
    attempt = an_attempt(RELEASE).after(State.DOWNLOADED, NOW + 1).after(State.INSTALLED, NOW + 2)
    done = attempt.after(State.VERIFIED, NOW + 3)

    assert (done.downloaded_at, done.installed_at, done.finished_at) == (NOW + 1, NOW + 2, NOW + 3)


@pytest.mark.parametrize(
    ("number", "good"),
    [(1, False), (1000, False), (1001, True), (2000, False), (10_000, False), (10_010, True)],
)
def test_ids_are_those_that_every_client_reads_rightly(number, good):
    assert is_good_id(number) is good


@given(st.integers(0, 10**7))
def test_the_next_id_is_a_good_and_a_larger_one(after):
    assert next_id(after) > after
    assert next_id(after) >= FIRST_ID
    assert is_good_id(next_id(after))
