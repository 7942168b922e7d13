"""Revocations are known in time, and no request waits for a database that is silent."""

import threading

import pytest

from ota_http_server.domain.errors import Unavailable
from ota_http_server.operations.verify_token import LATE_SECONDS, TokenVerifier
from ota_http_server.security.tokens import Tokens

PATIENCE_SECONDS = 60
SECRET = "a signing secret that only tests know, long enough"


class Ticks:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture(name="ticks")
def some_ticks():
    return Ticks()


@pytest.fixture(name="verifier")
def a_verifier(database, ticks):
    return TokenVerifier(Tokens(SECRET, "HS256", 3_600), database, monotonic=ticks)


def revoke(database):
    database.change(lambda tx: tx.revocations.revoke_token("jti:a", at=1, until=9))


def silent(database, monkeypatch):
    """From now on nobody gets an answer until the second event is set; the first says: asked."""
    asked, let_go = threading.Event(), threading.Event()
    probing = database.probing

    def waiting():
        asked.set()
        let_go.wait(PATIENCE_SECONDS)
        return probing()

    monkeypatch.setattr(database, "probing", waiting)
    return asked, let_go


def test_a_chore_brings_the_news_and_requests_read_no_row(verifier, database, monkeypatch):
    revoke(database)
    verifier.refresh()
    monkeypatch.setattr(database, "probing", None)

    assert verifier.revocations() == 1


def test_where_no_chore_ran_a_request_asks_before_it_is_answered(verifier, database, ticks):
    revoke(database)
    before = verifier.revocations()
    ticks.now += LATE_SECONDS

    assert (before, verifier.revocations()) == (0, 1)


def test_no_request_waits_for_a_chore_that_gets_no_answer(verifier, database, ticks, monkeypatch):
    revoke(database)
    asked, let_go = silent(database, monkeypatch)
    chore = threading.Thread(target=verifier.refresh)
    chore.start()
    assert asked.wait(PATIENCE_SECONDS)
    ticks.now += 10

    during = verifier.revocations()
    let_go.set()
    chore.join()

    assert (during, verifier.revocations()) == (0, 1)


def test_a_request_waits_a_moment_for_an_answer_that_is_on_its_way(
    verifier, database, ticks, monkeypatch
):
    revoke(database)
    asked, let_go = silent(database, monkeypatch)
    ticks.now += LATE_SECONDS
    found = []
    first, second = (
        threading.Thread(target=lambda: found.append(verifier.revocations())) for _ in range(2)
    )
    first.start()
    assert asked.wait(PATIENCE_SECONDS)
    monkeypatch.setattr("ota_http_server.operations.verify_token.PATIENCE_SECONDS", 50)
    second.start()
    let_go.set()
    first.join()
    second.join()

    assert found == [1, 1]


def test_while_the_database_fails_what_was_known_holds_and_is_said_once(
    verifier, database, ticks, monkeypatch, caplog
):
    def away():
        raise Unavailable("the database is damaged")

    with monkeypatch.context() as patch:
        patch.setattr(database, "probing", away)
        for _ in range(3):
            verifier.refresh()
        during = verifier.revocations()
    revoke(database)
    verifier.refresh()

    assert (during, verifier.revocations()) == (0, 1)
    assert caplog.text.count("the database is damaged; revocations are as they were") == 1
