"""An update that an operator called off stays so until he lets the device try again."""

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.offer import Hold, Offer, Reason
from ota_http_server.operations.report import Told
from tests.operations.enrolling import SHELL
from tests.operations.fleets import BOARD, Fleet, lamp


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    """A board with an offer to 1.1.0; 1.0.5 would fit, too."""
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.5.bin", lamp("1.0.5"))
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    assert isinstance(asks(fleet), Offer)
    return fleet


def asks(fleet):
    return fleet.comes(version="1.0.0", chip="esp32").decision


def called_off(fleet) -> State:
    fleet.look_after.cancel(SHELL, "board")
    asks(fleet)
    return fleet.attempts()[0].state


@pytest.mark.parametrize("began", [False, True])
def test_what_was_called_off_is_not_offered_again_nor_is_an_older_one(fleet, began):
    if began:
        fleet.tells(Told.DOWNLOADING)

    assert called_off(fleet) is State.CANCELED
    decision = asks(fleet)
    assert isinstance(decision, Hold) and decision.reason is Reason.CANCELED
    assert "1.1.0" in decision.detail
    assert len(fleet.attempts()) == 1


def test_a_newer_release_is_offered_nevertheless(fleet):
    called_off(fleet)
    fleet.drop("lamp-1.2.0.bin", lamp("1.2.0"))

    decision = asks(fleet)

    assert isinstance(decision, Offer) and decision.release.version == "1.2.0"


def test_the_operator_lets_it_try_again(fleet):
    called_off(fleet)

    fleet.look_after.wipe(SHELL, "board")

    assert isinstance(asks(fleet), Offer)


def test_the_operator_need_not_wait_until_the_device_agrees(fleet):
    fleet.tells(Told.DOWNLOADING)
    fleet.look_after.cancel(SHELL, "board")

    fleet.look_after.wipe(SHELL, "board")

    assert isinstance(asks(fleet), Offer)
    assert [attempt.state for attempt in fleet.attempts()] == [State.OFFERED, State.CANCELED]


def test_who_can_be_asked_to_stop_is_waited_for(fleet):
    fleet.tells(Told.DOWNLOADING)
    fleet.look_after.cancel(SHELL, "board")

    decision = fleet.check_in(BOARD, converses=True).decision

    assert isinstance(decision, Hold) and decision.reason is Reason.CANCELING
    assert fleet.attempts()[0].state is State.DOWNLOADING


def test_a_device_that_gives_up_by_itself_is_not_offered_the_same_for_ever(fleet):
    for _ in range(3):
        assert isinstance(asks(fleet), Offer)
        fleet.tells(Told.CANCELED)

    decision = asks(fleet)

    assert isinstance(decision, Hold) and decision.reason is Reason.FAILING


def test_what_was_installed_before_the_word_came_is_verified(fleet):
    called_off(fleet)

    fleet.comes(version="1.1.0", chip="esp32")

    assert fleet.attempts()[0].state is State.VERIFIED
