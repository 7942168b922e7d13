"""Of several processes that find a new file one copies it; nobody hangs on another for long."""

import os

import pytest
from filelock import FileLock

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.operations import reading_turns
from tests.instance import Clock, Instance

ESP = esp_application(version="1.4.0", payload_bytes=4096)
PATH = "/firmware/lamp/lamp.bin"


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


@pytest.fixture(name="ota")
def an_instance(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(reading_turns, "WAIT_SECONDS_MAX", 0.05)
    with Instance(tmp_path, clock, no_jwt=True) as ota:
        ota.drop("lamp", "lamp.bin", ESP)
        yield ota


@pytest.fixture(name="held")
def a_lock_that_another_holds(ota):
    lock = FileLock(ota.ota.blobs.lock_path("lamp/lamp.bin"), is_singleton=False)
    with lock:
        yield lock


def left_over(ota):
    blobs = ota.folder / "data" / "blobs"
    return [*blobs.glob("*.lock"), *blobs.glob("*.partial")]


def test_reading_leaves_no_lock_behind(ota):
    assert ota.get(PATH).data == ESP
    assert not left_over(ota)


def test_who_finds_a_file_being_read_copies_nothing_and_is_asked_to_come_again(ota, held, clock):
    read = []
    # pylint: disable-next=protected-access  # whether it was asked is all that is of interest
    ota.ota.collection._in_thread = lambda work: read.append(work()) or read[-1]
    answers = [ota.get(PATH) for _ in range(3)]
    held.release()
    clock.pass_seconds(1.1)

    assert [answer.status_code for answer in answers] == [503] * 3
    assert "Retry-After" in answers[0].headers
    assert not read
    assert ota.get(PATH).data == ESP
    assert len(read) == 1


def test_a_file_that_is_being_read_keeps_no_other_waiting(ota, held):
    ota.drop("lamp", "other.bin", ESP)

    assert held.is_locked
    assert ota.get("/firmware/lamp/other.bin").data == ESP


def test_what_another_process_read_meanwhile_is_taken_from_it(tmp_path, ota, clock):
    with Instance(tmp_path, clock, no_jwt=True) as other:
        # pylint: disable-next=protected-access  # the moment before the file would be read
        turn = other.ota.collection._reading.turn
        # pylint: disable-next=protected-access
        other.ota.collection._reading.turn = lambda *key: (ota.get(PATH), turn(*key))[1]
        # pylint: disable-next=protected-access
        other.ota.collection._in_thread = None

        assert other.get(PATH).data == ESP


def test_a_process_that_stopped_while_it_read_keeps_nobody_from_it_for_long(ota, held, clock):
    first = ota.get(PATH).status_code
    clock.pass_seconds(reading_turns.PATIENCE_SECONDS + 1)

    assert held.is_locked
    assert first == 503
    assert ota.get(PATH).data == ESP


def test_without_room_for_a_lock_files_are_read_all_the_same(ota, monkeypatch):
    monkeypatch.setattr(FileLock, "acquire", no_room)

    assert ota.get(PATH).data == ESP


def no_room(*_args, **_more):
    raise OSError(28, os.strerror(28))
