"""What a process remembers of devices: nothing is read without need, and nothing stale told."""

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.offer import Offer
from ota_http_server.operations.registry import SETTLED_SECONDS
from ota_http_server.operations.report import Told
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.counters import of_device
from tests.operations.fleets import Fleet, lamp


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.0.bin", lamp("1.0.0"))
    return fleet


@pytest.fixture(name="reads")
def reading(fleet, monkeypatch):
    """The transactions that read, but for those of the news."""
    reads, reading = [], fleet.database.reading

    def noted():
        reads.append(1)
        return reading()

    monkeypatch.setattr(fleet.database, "reading", noted)
    return reads


def settled(fleet, visit, **said):
    """The device after all that follows from its first visit, and the process up to date."""
    fleet.comes(visit, **said)
    fleet.news.refresh()
    return fleet.comes(visit, **said)


ONE = Visit("one", "lamp", "192.0.2.1")
SAID = {"version": "1.0.0", "chip": "esp32"}


def test_a_device_that_has_nothing_to_do_is_looked_up_in_memory(fleet, reads):
    settled(fleet, ONE, **SAID)
    reads.clear()

    fleet.comes(ONE, **SAID)

    assert reads == []


def test_one_that_installed_and_never_tells_its_version_too(fleet, reads):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    settled(fleet, ONE, **SAID)
    fleet.tells(Told.INSTALLED, ONE)
    fleet.clock.pass_seconds(2 * SETTLED_SECONDS)
    settled(fleet, ONE)
    reads.clear()

    assert fleet.comes(ONE).attempt.state is State.INSTALLED
    assert reads == []


def test_a_change_of_one_device_is_no_reason_to_read_the_others(fleet, reads):
    others = [Visit(f"b{n}", "lamp", "192.0.2.2") for n in range(20)]
    others = [other for other in others if of_device(other.device) != of_device("one")]
    for visit in (ONE, *others):
        settled(fleet, visit, **SAID)
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.catalog.of("lamp")
    assert isinstance(fleet.comes(ONE, **SAID).decision, Offer)
    fleet.news.refresh()
    reads.clear()

    for visit in others:
        fleet.registry.find(visit.device)

    assert reads == []


def test_another_process_learns_of_a_change(fleet, database, clock, tmp_path):
    other = Fleet(database, clock, tmp_path)
    settled(other, ONE, **SAID)
    device = fleet.device("one")
    fleet.comes(ONE, version="0.9.0", chip="esp32")

    other.news.refresh()

    assert device.version == "1.0.0"
    assert other.registry.find("one").device.version == "0.9.0"


def test_visits_wait_while_the_database_is_away(fleet, monkeypatch):
    settled(fleet, ONE, **SAID)
    fleet.clock.pass_seconds(60)
    fleet.comes(ONE, **SAID)

    def away(_work):
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(fleet.database, "change", away)
        with pytest.raises(Unavailable):
            fleet.registry.write()
    fleet.registry.write()

    assert fleet.device("one").last_seen == fleet.clock.second


def test_a_last_visit_in_the_future_is_corrected(fleet):
    """The server's clock was ahead, and was set back."""
    settled(fleet, ONE, **SAID)
    fleet.clock.pass_seconds(30 * 24 * 3_600)
    fleet.comes(ONE, **SAID)
    fleet.registry.write()
    fleet.clock.pass_seconds(-30 * 24 * 3_600)

    fleet.comes(ONE, **SAID)
    fleet.registry.write()

    assert fleet.device("one").last_seen == fleet.clock.second


def test_a_visit_that_is_written_late_does_not_hide_a_later_one(fleet, database, clock, tmp_path):
    other = Fleet(database, clock, tmp_path)
    settled(fleet, ONE, **SAID)
    settled(other, ONE, **SAID)
    other.comes(ONE, **SAID)
    clock.pass_seconds(5)
    fleet.comes(ONE, **SAID)
    fleet.registry.write()

    other.registry.write()

    assert fleet.device("one").last_seen == clock.second


def test_what_went_out_while_the_database_was_away_is_counted(fleet, monkeypatch):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    sha256 = fleet.comes(ONE, **SAID).attempt.sha256
    fleet.progress.sent("one", sha256, 100, whole=True)

    def away_for_a_moment(_work):
        fleet.progress.sent("one", sha256, 30, whole=True)
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(fleet.database, "change", away_for_a_moment)
        with pytest.raises(Unavailable):
            fleet.progress.write()
    fleet.progress.write()

    attempt = fleet.attempts("one")[0]
    assert (attempt.sent_bytes, attempt.deliveries) == (130, 2)
