"""Challenges: ours, fresh, and nobody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.security.challenges import Challenges

CHALLENGES = Challenges("a secret of tests")
NOW = 1_760_000_000


@pytest.mark.parametrize("later", [-60, 0, 1, 299])
def test_a_fresh_challenge_holds(later):
    CHALLENGES.check(CHALLENGES.new(NOW), NOW + later)


@pytest.mark.parametrize("later", [-61, 300, 10**6])
def test_one_of_another_time_does_not(later):
    with pytest.raises(Unauthenticated):
        CHALLENGES.check(CHALLENGES.new(NOW), NOW + later)


def test_one_of_another_server_does_not_either():
    with pytest.raises(Unauthenticated):
        CHALLENGES.check(Challenges("another secret").new(NOW), NOW)


@given(st.integers(0, 30), st.sampled_from("0123456789abcdef.-_Z"))
def test_whatever_is_changed_in_one_breaks_it(place, letter):
    challenge = CHALLENGES.new(NOW)
    changed = challenge[:place] + letter + challenge[place + 1 :]
    if changed == challenge:
        return

    with pytest.raises(Unauthenticated):
        CHALLENGES.check(changed, NOW)


@given(st.text())
def test_any_text_is_no_challenge(text):
    with pytest.raises(Unauthenticated):
        CHALLENGES.check(text, NOW)
