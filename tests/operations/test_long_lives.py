"""What stays right over the life of a device: slates wiped, clocks set, devices removed."""

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.device import VersionFrom
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.offer import Hold, Offer, Reason
from ota_http_server.operations.report import Told
from tests.operations.enrolling import SHELL
from tests.operations.fleets import Fleet, lamp

DAY = 24 * 3_600


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    """A board with an offer to 1.1.0."""
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    assert isinstance(asks(fleet), Offer)
    return fleet


def asks(fleet, **said):
    return fleet.comes(**({"version": "1.0.0", "chip": "esp32"} | said)).decision


def test_who_never_says_its_version_and_takes_its_success_back_may_try_again(fleet):
    fleet.database.change(lambda tx: tx.devices.remove("board"))
    fleet.database.change(lambda tx: tx.attempts.forget_device("board"))
    fleet.registry.forget("board")
    fleet.comes(chip="esp32")
    fleet.look_after.change(SHELL, "board", {"version": "1.0.0"})
    assert isinstance(fleet.comes().decision, Offer)
    fleet.tells(Told.INSTALLED)
    assert fleet.device().version == "1.1.0"

    assert fleet.tells(Told.FAILED, detail="self test").state is State.FAILED

    assert (fleet.device().version, fleet.device().version_from) == ("1.0.0", VersionFrom.REPORT)
    assert isinstance(fleet.comes().decision, Offer)


@pytest.mark.parametrize("moved", [-30 * DAY, 0, 30 * DAY])
def test_failures_after_a_slate_was_wiped_count_whatever_the_clock_does(fleet, moved):
    fleet.tells(Told.FAILED)
    fleet.look_after.wipe(SHELL, "board")
    fleet.clock.pass_seconds(moved)

    for _ in range(3):
        assert isinstance(asks(fleet), Offer)
        fleet.tells(Told.FAILED)

    decision = asks(fleet)
    assert isinstance(decision, Hold) and decision.reason is Reason.FAILING


def test_a_number_of_an_attempt_is_never_given_twice(fleet):
    """A board remembers the last one in its flash, and takes the same for what it did already."""
    number = fleet.attempts()[0].id
    fleet.look_after.remove(SHELL, "board")

    asks(fleet)

    assert fleet.attempts()[0].id > number


@pytest.mark.parametrize("number", [-1, 0, 2**63 - 1, 2**63, 10**30])
def test_a_number_that_is_no_attempts_is_refused(fleet, number):
    with pytest.raises(NotFound):
        fleet.tells(Told.INSTALLED, attempt=number)
