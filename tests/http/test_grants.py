"""A verified token is remembered, and forgotten in time."""

import pytest

from ota_http_server.domain.errors import Unauthenticated, Unavailable
from ota_http_server.domain.identity import Identity
from ota_http_server.http.grants import GRANT_SECONDS, Grants
from ota_http_server.operations.visit import JITTER
from ota_http_server.security.claims import Claims
from ota_http_server.settings import Settings

LIFE_SECONDS = 1800


class Verifier:
    """Counts what it verifies; its clocks are the test's."""

    def __init__(self):
        self.verified = 0
        self.revoked = 0
        self.now = 1_760_000_000.0

    def revocations(self):
        return self.revoked

    def verify(self, token, _now):
        self.verified += 1
        if self.revoked:
            raise Unauthenticated("revoked")
        claims = Claims("d", "lamp", int(self.now) + LIFE_SECONDS, int(self.now), "id")
        return Identity("d", "lamp", token.encode()), claims

    def clock(self):
        return self.now


@pytest.fixture(name="verifier")
def a_verifier():
    return Verifier()


@pytest.fixture(name="grants")
def some_grants(verifier):
    return Grants(verifier, wall=verifier.clock, monotonic=verifier.clock)


def test_the_hundred_ranges_of_an_image_cost_one_verification(grants, verifier):
    for _ in range(100):
        assert grants.identify("token").project == "lamp"

    assert verifier.verified == 1


def test_while_the_database_is_away_who_was_let_in_goes_on(grants, verifier, monkeypatch):
    def away(_text, _now):
        raise Unavailable("away")

    grants.identify("credential")
    monkeypatch.setattr(verifier, "verify", away)
    verifier.now += GRANT_SECONDS

    assert grants.identify("credential").subject == "d"
    with pytest.raises(Unavailable):
        grants.identify("another")
    verifier.now += LIFE_SECONDS
    with pytest.raises(Unavailable):
        grants.identify("credential")


def test_two_tokens_are_two_callers(grants):
    assert grants.identify("one") != grants.identify("other")


def test_a_grant_is_renewed_after_some_minutes(grants, verifier):
    grants.identify("token")
    verifier.now += GRANT_SECONDS
    grants.identify("token")

    assert verifier.verified == 2


def test_a_device_that_comes_again_after_its_poll_time_is_still_known(grants, verifier):
    grants.identify("credential")
    verifier.now += (1 + JITTER) * Settings().poll_seconds
    grants.identify("credential")

    assert verifier.verified == 1


def test_a_grant_ends_with_its_token(grants, verifier):
    grants.identify("token")
    verifier.now += LIFE_SECONDS
    verifier.revoked = 0
    grants.identify("token")

    assert verifier.verified == 2


def test_any_revocation_makes_every_grant_doubtful(grants, verifier):
    grants.identify("token")
    verifier.revoked += 1

    with pytest.raises(Unauthenticated):
        grants.identify("token")


def test_what_does_not_hold_is_not_remembered(grants, verifier):
    verifier.revoked = 1
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            grants.identify("token")
    verifier.revoked = 0

    assert grants.identify("token").subject == "d"


def test_a_token_that_is_revoked_while_it_is_verified_is_not_remembered():
    class Slow(Verifier):
        """Somebody revokes in the middle of the first verification."""

        def verify(self, token, now):
            granted = super().verify(token, now)
            self.revoked += 1
            return granted

    verifier = Slow()
    grants = Grants(verifier, wall=lambda: verifier.now, monotonic=lambda: 0.0)

    grants.identify("token")

    with pytest.raises(Unauthenticated):
        grants.identify("token")
