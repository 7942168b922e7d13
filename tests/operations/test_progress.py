"""What the server saw of downloads is written at once where it counts, and else now and then."""

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.errors import Unavailable
from ota_http_server.operations import progress
from ota_http_server.operations.visit import Visit
from tests.operations.fleets import Fleet, lamp

BOARDS = tuple(f"board-{number}" for number in range(5))


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    """Boards that were offered 2.0.0."""
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-2.0.0.bin", lamp("2.0.0"))
    for name in BOARDS:
        fleet.comes(Visit(name, "lamp", "192.0.2.1"), version="1.0.0", chip="esp32")
    return fleet


@pytest.fixture(name="sent")
def sending(fleet):
    image = fleet.catalog.of("lamp").releases[0].images[0]

    def sent(name, sent_bytes=100, whole=False):
        fleet.progress.sent(name, image.sha256, sent_bytes, whole=whole)

    return sent


def latest(fleet, name):
    return fleet.attempts(name)[0]


def test_that_a_download_began_and_that_it_ended_is_known_at_once(fleet, sent):
    sent(BOARDS[0])
    fleet.progress.write_due()
    begun = latest(fleet, BOARDS[0]).state
    sent(BOARDS[0], whole=True)
    fleet.progress.write_due()

    assert (begun, latest(fleet, BOARDS[0]).state) == (State.DOWNLOADING, State.DOWNLOADED)


def test_mere_bytes_are_written_now_and_then_and_all_of_them(fleet, sent):
    written = []
    for _ in range(2 * progress.EVERY_SO_MANY_TURNS + 1):
        sent(BOARDS[0])
        fleet.progress.write_due()
        written.append(latest(fleet, BOARDS[0]).sent_bytes)

    assert len(set(written)) == 3
    assert written[-1] == 100 * len(written)


def test_what_was_sent_before_a_silence_is_written_too(fleet, sent):
    for _ in range(2):
        sent(BOARDS[0])
        fleet.progress.write_due()
    for _ in range(progress.EVERY_SO_MANY_TURNS):
        fleet.progress.write_due()

    assert latest(fleet, BOARDS[0]).sent_bytes == 200


def test_at_the_end_everything_is_written(fleet, sent):
    sent(BOARDS[0])
    fleet.progress.write_due()
    sent(BOARDS[0])
    fleet.progress.write()
    fleet.progress.write()

    assert latest(fleet, BOARDS[0]).sent_bytes == 200


def test_many_are_written_in_several_transactions(fleet, sent, monkeypatch):
    monkeypatch.setattr(progress, "WRITTEN_AT_ONCE_MAX", 2)
    for name in BOARDS:
        sent(name)
    fleet.progress.write_due()

    assert {latest(fleet, name).state for name in BOARDS} == {State.DOWNLOADING}


def test_what_could_not_be_written_is_written_later_and_nothing_twice(fleet, sent, monkeypatch):
    monkeypatch.setattr(progress, "WRITTEN_AT_ONCE_MAX", 2)
    changes, change = [], fleet.database.change

    def away_after_the_first(work):
        changes.append(1)
        if len(changes) > 1:
            raise Unavailable("away")
        return change(work)

    monkeypatch.setattr(fleet.database, "change", away_after_the_first)
    for name in BOARDS:
        sent(name)
    with pytest.raises(Unavailable):
        fleet.progress.write_due()
    sent(BOARDS[0], 1)
    sent(BOARDS[4], 1)
    monkeypatch.setattr(fleet.database, "change", change)
    fleet.progress.write()

    assert [latest(fleet, name).sent_bytes for name in BOARDS] == [101, 100, 100, 100, 101]
