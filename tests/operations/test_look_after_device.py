"""Looking after one device: its settings, its open update, its end."""

from dataclasses import replace

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.edition import Expected
from ota_http_server.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Outdated,
    Unauthenticated,
)
from ota_http_server.domain.offer import Hold, Offer, Reason
from ota_http_server.operations.report import Told
from tests.operations.enrolling import SHELL, Process, operator
from tests.operations.fleets import BOARD, Fleet, lamp


@pytest.fixture(name="here")
def a_process(database, clock):
    here = Process(database, clock)
    here.enroll.register(SHELL, "lamp", "board", {"version": "1.0.0", "chip": "esp32"})
    return here


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    """A board with an offer to 1.1.0."""
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    assert isinstance(offered(fleet), Offer)
    return fleet


def offered(fleet, version="1.0.0"):
    return fleet.comes(version=version, chip="esp32").decision


def test_what_is_settled_is_kept_and_told_of(here):
    wish = {"tags": ["b", "a"], "channel": "Beta", "notes": "a", "pinned": "v1.0.0", "board": "b1"}

    after = here.look_after.change(operator(), "board", {**wish, "revision": 301})

    assert here.device() == after
    assert (after.tags, after.channel, after.pinned) == (("a", "b"), "beta", "1.0.0")
    assert (after.revision, after.edition) == (301, 2)
    assert here.events("change_device")[0].facts == {
        "IP": "192.0.2.1",
        "actor": "someone",
        "changed": "board+channel+notes+pinned+revision+tags",
        "device": "board",
        "project": "lamp",
    }


def test_what_is_so_already_is_no_change(here):
    before = here.everything()

    assert here.look_after.change(SHELL, "board", {"blocked": False, "chip": "ESP32"}).edition == 1
    assert here.everything() == before


def test_a_change_for_another_edition_is_refused(here):
    here.look_after.change(SHELL, "board", {"notes": "first"}, Expected(frozenset({1})))

    for call in (
        lambda: here.look_after.change(SHELL, "board", {"notes": "b"}, Expected(frozenset({1}))),
        lambda: here.look_after.remove(SHELL, "board", Expected(frozenset({1}))),
    ):
        with pytest.raises(Outdated):
            call()
    assert here.device().notes == "first"


@pytest.mark.parametrize("wish", [{"edition": 7}, {"tags": "x"}, {"project": "../x"}, {"id": "b"}])
def test_a_wish_that_makes_no_sense_changes_nothing(here, wish):
    before = here.everything()

    with pytest.raises(Invalid):
        here.look_after.change(SHELL, "board", {"notes": "a", **wish})
    assert here.everything() == before


def test_a_device_is_found_in_any_spelling(here):
    here.enroll.register(SHELL, "lamp", "aa:bb:cc:dd:ee:ff", {})

    assert here.look_after.change(SHELL, "AA-BB-CC-DD-EE-FF", {"notes": "a"}).notes == "a"


def test_moved_to_another_project_it_takes_its_credentials_along(here, database, clock):
    text = here.enroll.issue(SHELL, "lamp", "board").text
    there = Process(database, clock)
    grants = there.verifier.revocations()

    here.look_after.change(SHELL, "board", {"project": "fan"})

    assert here.who(text).project == "fan"
    there.verifier.refresh()
    assert there.verifier.revocations() > grants


def test_who_may_see_one_project_moves_no_device_into_another(here):
    by = operator(project="lamp")

    with pytest.raises(Forbidden):
        here.look_after.change(by, "board", {"project": "fan"})
    assert here.device().project == "lamp"


@pytest.mark.parametrize(
    ("by", "refusal"),
    [
        (operator("publisher"), Forbidden),
        (operator("viewer", "lamp"), Forbidden),
        (operator("admin", "fan"), NotFound),
    ],
)
def test_only_an_operator_of_its_project_looks_after_a_device(here, by, refusal):
    before = here.everything()

    for call in (
        lambda: here.look_after.change(by, "board", {"notes": "a"}),
        lambda: here.look_after.wipe(by, "board"),
        lambda: here.look_after.cancel(by, "board"),
        lambda: here.look_after.remove(by, "board"),
    ):
        with pytest.raises(refusal):
            call()
    with pytest.raises(NotFound):
        here.look_after.wipe(SHELL, "nobody")
    assert here.everything() == before


def test_a_removed_device_is_gone_with_all_that_it_had(here, clock):
    text = here.enroll.issue(SHELL, "lamp", "board").text
    others = here.enroll.issue(SHELL, "lamp", "another").text

    here.look_after.remove(SHELL, "board")

    with pytest.raises(Unauthenticated):
        here.who(text)
    assert here.who(others).subject == "another"
    assert (here.device(), here.given()) == (None, [])
    assert here.verifier.is_device_revoked("board", clock.second)
    with pytest.raises(NotFound):
        here.look_after.remove(SHELL, "board")


def test_a_blocked_device_gets_nothing_at_once_and_something_again_later(fleet):
    fleet.look_after.change(SHELL, "board", {"blocked": True})
    assert offered(fleet).reason is Reason.BLOCKED

    fleet.look_after.change(SHELL, "board", {"blocked": False})

    assert isinstance(offered(fleet), Offer)


def test_an_offer_that_nothing_followed_is_called_off_at_once(fleet):
    attempt = fleet.look_after.cancel(SHELL, "board")

    assert (attempt.state, attempt.finished_at) == (State.CANCELED, fleet.clock.second)
    with pytest.raises(Conflict):
        fleet.look_after.cancel(SHELL, "board")


def test_one_that_has_begun_is_called_off_when_the_device_agrees(fleet):
    fleet.tells(Told.DOWNLOADING)

    for _ in range(2):
        attempt = fleet.look_after.cancel(SHELL, "board")

    assert (attempt.state, attempt.cancel_asked) == (State.DOWNLOADING, True)
    assert fleet.check_in(BOARD, converses=True).decision.reason is Reason.CANCELING
    assert fleet.tells(Told.CANCELED).state is State.CANCELED
    with fleet.database.reading() as rows:
        told = [event for event in rows.events.page(0, 99) if event.action == "cancel_attempt"]
    assert [event.facts["attempt"] for event in told] == [attempt.id]


def test_what_is_installed_is_not_called_off(fleet):
    fleet.tells(Told.INSTALLED)

    with pytest.raises(Conflict, match="too late"):
        fleet.look_after.cancel(SHELL, "board")


def test_an_update_to_the_old_projects_release_ends_with_a_move(fleet):
    fleet.look_after.change(SHELL, "board", {"project": "fan"})

    assert [attempt.state for attempt in fleet.attempts()] == [State.SUPERSEDED]
    assert offered(fleet).reason is Reason.WRONG_PROJECT


def test_a_device_on_which_a_release_failed_may_try_it_again(fleet):
    for _ in range(3):
        offered(fleet)
        fleet.tells(Told.FAILED)
    assert offered(fleet).reason is Reason.FAILING

    fleet.look_after.wipe(SHELL, "board")

    assert isinstance(offered(fleet), Offer)


def test_a_device_in_a_loop_may_try_again(fleet):
    attempt = fleet.attempts()[0]
    fleet.database.change(
        lambda tx: tx.attempts.change(replace(attempt, state=State.DOWNLOADED, deliveries=3))
    )
    fleet.registry.forget("board")
    assert offered(fleet).reason is Reason.LOOPING

    fleet.look_after.wipe(SHELL, "board")

    assert isinstance(offered(fleet), Offer)
    again, looped = fleet.attempts()[:2]
    assert (looped.id, looped.state, again.state) == (attempt.id, State.FAILED, State.OFFERED)


def test_a_removed_device_may_come_back_by_itself_without_its_past(fleet):
    fleet.tells(Told.FAILED)
    fleet.look_after.remove(SHELL, "board")
    assert fleet.attempts() == []

    decision = fleet.comes(BOARD, version="1.1.0", chip="esp32").decision

    assert isinstance(decision, Hold) and decision.reason is Reason.UP_TO_DATE
    assert fleet.device().created_by == "check-in"
