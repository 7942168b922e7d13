"""A floor stands until somebody takes the mark away: offered, withdrawn, at every instance."""

import pytest

from ota_http_server.domain.offer import Reason
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.operations.change_release import ChangeRelease
from ota_http_server.operations.release_wish import ReleaseWish
from tests.operations.fleets import Fleet
from tests.operations.test_roll_out import ANN, Rolling, offered, reason


@pytest.fixture(name="rolling")
def a_floor_below_the_newest_release(database, clock, tmp_path):
    rolling = Rolling(Fleet(database, clock, tmp_path))
    rolling.publish("3.0.0", "c")
    rolling.release(floor=True)
    return rolling


def test_devices_go_to_the_floor_first(rolling):
    assert offered(rolling.asks("board-00")) == "2.0.0"
    assert offered(rolling.asks("board-01", "2.0.0")) == "3.0.0"


def test_a_withdrawn_floor_is_offered_to_nobody_and_passed_by_nobody(rolling, clock, tmp_path):
    rolling.asks("board-02")
    other = Fleet(rolling.database, clock, tmp_path)
    rolling.release(state=ReleaseState.WITHDRAWN)
    clock.pass_seconds(2)

    for fleet in (rolling.fleet, other):
        rolling.fleet = fleet
        assert reason(rolling.asks("board-00")) is Reason.NEEDS_STEP
        assert offered(rolling.asks("board-01", "2.0.0")) == "3.0.0"


def test_the_way_opens_when_the_mark_is_taken_away(rolling):
    rolling.release(state=ReleaseState.WITHDRAWN)
    assert reason(rolling.asks("board-00")) is Reason.NEEDS_STEP

    change = ChangeRelease(rolling.database, rolling.fleet.news)
    change(ANN, ReleaseWish.of("lamp", "2.0.0", floor=False))

    assert offered(rolling.asks("board-00")) == "3.0.0"
