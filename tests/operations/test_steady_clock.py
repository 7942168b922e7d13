"""The clock's steps: seen once, said once, and what lies before one proves nothing."""

import logging

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.observation import RESTART_SECONDS
from ota_http_server.operations.report import Told
from ota_http_server.operations.steady_clock import STEP_SECONDS_MAX, SteadyClock
from tests.operations.fleets import Fleet, lamp
from tests.operations.test_lease import DAY, Time


@pytest.fixture(name="time")
def both_clocks(clock):
    return Time(clock)


@pytest.fixture(name="steady")
def steady_clock(time):
    return SteadyClock(lambda: time.clock.now.timestamp(), time.monotonic)


def test_it_is_steady_since_the_process_began(clock, time, steady):
    began = clock.second

    time.passes(3 * DAY)

    assert steady.since() == began


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY, STEP_SECONDS_MAX + 1])
def test_a_step_is_seen_by_whoever_asks_next_and_said_once(clock, time, steady, caplog, step):
    time.passes(100)
    time.steps(step)

    with caplog.at_level(logging.WARNING):
        assert steady.since() == clock.second
        time.passes(50)
        steady.look()

    assert steady.since() == clock.second - 50
    way = "on" if step > 0 else "back"
    assert [record.getMessage() for record in caplog.records] == [
        f"the clock was set {way} by {abs(step)} seconds"
    ]


def test_what_a_time_server_corrects_is_no_step(clock, time, steady):
    began = clock.second

    for _ in range(100):
        time.passes(2)
        time.steps(0.01)
        steady.look()

    assert steady.since() == began


@pytest.fixture(name="restarting")
def a_board_between_its_report_and_its_restart(database, clock, time, tmp_path):
    fleet = Fleet(database, clock, tmp_path, monotonic=time.monotonic)
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    time.passed += 2
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.tells(Told.INSTALLED)
    return fleet


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY, 600, -600])
def test_a_step_between_report_and_restart_makes_no_healthy_board_rolled_back(
    restarting, time, step
):
    time.passes(5)
    time.steps(step)
    restarting.comes(version="1.0.0")
    time.passes(20)
    restarting.comes(version="1.1.0")

    assert restarting.attempts()[0].state is State.VERIFIED


@pytest.mark.parametrize("step", [30 * DAY, -30 * DAY, 0])
def test_a_board_that_went_back_is_found_out_all_the_same(restarting, time, step):
    time.steps(step)
    restarting.comes(version="1.0.0")
    time.passes(RESTART_SECONDS)
    restarting.comes(version="1.0.0")

    assert restarting.attempts()[-1].state is State.ROLLED_BACK
