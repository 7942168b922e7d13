"""While the database is known not to answer, nobody waits to find that out again."""

import pytest

from ota_http_server.domain.errors import Unavailable
from ota_http_server.storage.pulse import BELIEVED_SECONDS, SILENT_SECONDS_MAX, Pulse


class Ticks:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture(name="ticks")
def some_ticks():
    return Ticks()


@pytest.fixture(name="pulse")
def a_pulse(ticks):
    return Pulse(ticks)


def fail(pulse):
    with pytest.raises(Unavailable), pulse.felt():
        raise Unavailable("the database is damaged")


def test_without_probes_everybody_may_ask(pulse):
    pulse.check()


def test_a_probe_that_gets_no_answer_tells_the_others(pulse, ticks):
    with pulse.felt():
        ticks.now += SILENT_SECONDS_MAX
        pulse.check()
        ticks.now += 1
        with pytest.raises(Unavailable, match="does not answer"):
            pulse.check()
    pulse.check()


def test_a_probe_that_fails_tells_why_until_the_next_one_succeeds(pulse):
    fail(pulse)

    with pytest.raises(Unavailable, match="the database is damaged"):
        pulse.check()
    with pulse.felt():
        pass
    pulse.check()


def test_a_failure_is_forgotten_where_nobody_probes(pulse, ticks):
    fail(pulse)
    ticks.now += BELIEVED_SECONDS + 1

    pulse.check()
