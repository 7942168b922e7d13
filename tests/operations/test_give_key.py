"""API keys: given, verified, taken back; and what each may do."""

import hashlib
import re

import pytest

from ota_http_server.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.give_key import GiveKey, KeyWish
from ota_http_server.operations.news import News
from ota_http_server.operations.verify_key import KeyVerifier

SHELL = Operator("shell", None)
DAY = 24 * 3600


class Process:
    """What one process has of keys; `monotonic` stands still unless the test moves it."""

    def __init__(self, database):
        self.seconds = 0.0
        self.news = News(database, monotonic=lambda: self.seconds)
        self.keys = GiveKey(database, self.news)
        self.verifier = KeyVerifier(database, self.news)

    def give(self, name="ci", role="publisher", project=None, expires_at=None, by=SHELL):
        return self.keys.create(by, KeyWish.of(name, role, project, expires_at))

    def who(self, text):
        return self.verifier.verify(text, "192.0.2.1")


@pytest.fixture(name="here")
def a_process(database):
    return Process(database)


def test_a_key_makes_an_operator_of_its_name_role_and_project(here):
    text = here.give("ci", "publisher", "lamp").text

    assert re.fullmatch(r"otak_[A-Za-z0-9_-]{43}", text)
    assert here.who(text) == Operator("ci", "192.0.2.1", Role.PUBLISHER, "lamp")


def test_only_the_digest_of_a_key_is_kept(here, database):
    text = here.give().text

    with database.reading() as rows:
        assert rows.api_keys.get("ci").digest == hashlib.sha256(text.encode()).hexdigest()
        told = [str(event.facts) for event in rows.events.page(0, 9)]
    assert told and not any(text in facts for facts in told)
    assert text not in repr(here.give("other"))


@pytest.mark.parametrize("text", ["", "otak_", "otak_" + "A" * 43, "x" * 5000, "é", "otak_é\udcff"])
def test_what_is_no_key_of_ours_is_refused(here, text):
    here.give()

    with pytest.raises(Unauthenticated):
        here.who(text)


def test_a_wrong_key_costs_no_query(here, database, monkeypatch):
    here.give()
    here.who(here.give("second").text)
    monkeypatch.setattr(database, "reading", lambda: pytest.fail("the database was asked"))

    with pytest.raises(Unauthenticated):
        here.who("otak_" + "A" * 43)


def test_a_key_that_another_process_gave_a_moment_ago_opens_here_at_once(here, database):
    there = Process(database)
    there.who(here.give("first").text)

    text = here.give("second").text
    there.seconds += 0.05

    assert there.who(text).name == "second"


def test_guesses_ask_the_database_twenty_times_a_second_at_most(here, database, monkeypatch):
    here.give()
    asked, reading = [], database.reading
    monkeypatch.setattr(database, "reading", lambda: asked.append(here.seconds) or reading())

    for _ in range(1_000):
        here.seconds += 0.001
        with pytest.raises(Unauthenticated):
            here.who("otak_" + "A" * 43)

    assert len(asked) <= 20


def test_a_revoked_key_is_refused_here_at_once_and_elsewhere_within_two_seconds(here, database):
    there = Process(database)
    text = here.give().text
    assert there.who(text).name == "ci"

    here.keys.revoke(SHELL, "ci")
    there.seconds += 1.5

    for process in (here, there):
        with pytest.raises(Unauthenticated):
            process.who(text)


def test_a_key_ends_when_it_was_said_to(here, clock):
    text = here.give(expires_at=clock.second + DAY).text
    clock.pass_seconds(DAY - 1)
    assert here.who(text)

    clock.pass_seconds(1)

    with pytest.raises(Unauthenticated):
        here.who(text)


@pytest.mark.parametrize("end", [-1, 0, 3_661 * DAY])
def test_an_end_lies_ahead_and_not_too_far(here, clock, end):
    with pytest.raises(Invalid):
        here.give(expires_at=clock.second + end)


def test_a_name_is_never_given_twice(here):
    here.give()
    here.keys.revoke(SHELL, "ci")

    with pytest.raises(Conflict):
        here.give()


@pytest.mark.parametrize(
    ("name", "role", "project"),
    [
        ("", "viewer", None),
        ("a b", "viewer", None),
        ("shell", "viewer", None),
        ("server", "viewer", None),
        ("Shared-Secret", "viewer", None),
        ("folder", "viewer", None),  # what the folder withdrew it publishes again
        ("tidy", "viewer", None),
        ("x" * 65, "viewer", None),
        (5, "viewer", None),
        ("a", "root", None),
        ("a", None, None),
        ("a", "viewer", "../etc"),
        ("a", "viewer", 5),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(name, role, project):
    with pytest.raises(Invalid):
        KeyWish.of(name, role, project, None)


@pytest.mark.parametrize(
    ("role", "project", "wanted", "may"),
    [
        (Role.ADMIN, None, None, True),
        (Role.ADMIN, None, "lamp", True),
        (Role.ADMIN, "lamp", "lamp", True),
        (Role.ADMIN, "lamp", None, False),
        (Role.ADMIN, "lamp", "oven", False),
        (Role.OPERATOR, None, None, False),
        (Role.VIEWER, "lamp", "lamp", False),
    ],
)
def test_only_an_admin_gives_keys_and_none_beyond_its_own_project(here, role, project, wanted, may):
    by = Operator("someone", None, role, project)
    if may:
        assert here.give(project=wanted, by=by).key.project == wanted
        return
    with pytest.raises(Forbidden):
        here.give(project=wanted, by=by)


def test_the_admin_of_a_project_does_not_even_see_the_keys_of_others(here):
    here.give("everywhere")
    here.give("mine", project="lamp")
    by = Operator("someone", None, Role.ADMIN, "lamp")

    assert here.keys.revoke(by, "mine").revoked_at
    with pytest.raises(NotFound):
        here.keys.revoke(by, "everywhere")
    with pytest.raises(NotFound):
        here.keys.revoke(by, "nobody")


def test_giving_and_taking_back_are_told_of_once_each(here, database):
    here.give("ci", "viewer", "lamp")
    for _ in range(2):
        here.keys.revoke(SHELL, "ci")

    with database.reading() as rows:
        events = rows.events.page(0, 9)
    assert [event.action for event in events] == ["create_key", "revoke_key"]
    assert events[0].facts == {
        "actor": "shell",
        "key": "ci",
        "project": "lamp",
        "role": "viewer",
    }
