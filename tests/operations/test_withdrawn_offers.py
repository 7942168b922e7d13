"""An offer that nobody took up does not stay open once it does not hold any more."""

from dataclasses import replace

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.offer import Hold, Reason
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.operations.report import Told
from ota_http_server.operations.visit import Visit
from tests.operations.fleets import BOARD, Fleet, lamp

SAID = {"version": "1.0.0", "chip": "esp32"}


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    """A board of 1.0.0 that was offered 1.1.0."""
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.0.bin", lamp("1.0.0"))
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(**SAID)
    return fleet


def withdrawn(fleet):
    def withdraw(tx):
        release = tx.releases.get("lamp", "1.1.0")
        tx.releases.change(replace(release, state=ReleaseState.WITHDRAWN))

    fleet.database.change(withdraw)
    fleet.news.refresh()


def states(fleet):
    return [attempt.state for attempt in fleet.attempts()]


def test_who_is_in_use_what_was_withdrawn_is_let_go(fleet):
    withdrawn(fleet)

    answer = fleet.comes(**SAID)

    assert answer.attempt is None
    assert answer.decision == Hold(Reason.UP_TO_DATE, "it runs 1.0.0", answer.decision.release)
    assert states(fleet) == [State.SUPERSEDED]
    assert "up-to-date" in fleet.attempts()[0].detail


def test_who_was_moved_to_another_channel_is_let_go(fleet):
    fleet.database.change(lambda tx: tx.devices.change(replace(fleet.device(), channel="beta")))
    fleet.news.refresh()
    fleet.comes(**SAID)

    assert states(fleet) == [State.SUPERSEDED]


def test_who_took_it_up_may_still_tell_how_it_ended(fleet):
    fleet.tells(Told.DOWNLOADED)
    withdrawn(fleet)
    fleet.comes(**SAID)
    fleet.tells(Told.INSTALLED)
    fleet.comes(version="1.1.0", chip="esp32")

    assert states(fleet) == [State.VERIFIED]


def test_who_installed_it_all_the_same_is_believed(fleet):
    withdrawn(fleet)
    fleet.comes(**SAID)
    fleet.comes(version="1.1.0", chip="esp32")

    assert states(fleet) == [State.VERIFIED]


def test_a_block_for_a_while_ends_no_attempt(fleet):
    fleet.database.change(lambda tx: tx.devices.change(replace(fleet.device(), blocked=True)))
    fleet.news.refresh()
    fleet.comes(**SAID)

    assert states(fleet) == [State.OFFERED]


def test_looking_ends_no_attempt(fleet):
    withdrawn(fleet)
    fleet.check_in(BOARD, opens=False)

    assert states(fleet) == [State.OFFERED]


def test_who_speaks_for_another_project_leaves_no_trace_on_a_device(fleet):
    fleet.registry.write()
    before = fleet.device()
    fleet.clock.pass_seconds(60)

    answer = fleet.comes(Visit("board", "fan", "198.51.100.9"), version="9.9", chip="esp8266")
    fleet.registry.write()

    assert answer.decision.reason is Reason.WRONG_PROJECT
    assert fleet.device() == before
    assert states(fleet) == [State.OFFERED]
