"""A stop file leaves a trace in the audit: that it came, what it says, and that it went, once."""

import contextlib
import logging

import pytest

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.domain.reach import Stop
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.news import News
from ota_http_server.operations.note_stop_files import NoteStopFiles
from ota_http_server.operations.stop_offers import StopOffers
from ota_http_server.storage.database import Database
from tests.operations.test_roll_out import ANN, WHY
from tests.operations.test_two_processes import side_by_side

BY_FILE = {"actor": "file", "reason": "it smokes"}


class Process:
    """What one process knows of the stop."""

    def __init__(self, database, folder):
        news = News(database)
        self.database = database
        self.brake = Brake(database, news, folder)
        self.stop_offers = StopOffers(database, news, self.brake)
        self.note = NoteStopFiles(database, self.brake)

    def looks(self):
        """As its chores do."""
        self.brake.look()
        self.note()


@pytest.fixture(name="one")
def one_process(database, tmp_path):
    process = Process(database, tmp_path)
    process.looks()
    return process


@pytest.fixture(name="another")
def another_process(database_url, clock, tmp_path):
    database = Database(database_url, clock=clock)
    yield Process(database, tmp_path)
    database.close()


def told(database):
    """What the audit says of stops, in order."""
    with database.reading() as rows:
        return [
            (event.action, dict(event.facts))
            for event in rows.events.page(0, 100)
            if event.action in ("stop_offers", "lift_stop")
        ]


def test_a_file_that_came_and_went_is_told_of_once_each(one, tmp_path):
    file = tmp_path / "STOP.lamp"
    file.write_text("it smokes\ndownloads\n")
    for _ in "abc":
        one.looks()
    file.unlink()
    for _ in "abc":
        one.looks()

    about = BY_FILE | {"project": "lamp"}
    assert told(one.database) == [
        ("stop_offers", about | {"downloads": "yes"}),
        ("lift_stop", about),
    ]


def test_a_file_that_says_something_else_is_told_of_again(one, tmp_path):
    (tmp_path / "STOP").touch()
    one.looks()
    (tmp_path / "STOP").write_text("it smokes\ndownloads\n")
    one.looks()

    first, second = told(one.database)
    assert first[1]["reason"] == "there is a file STOP in the data folder"
    assert second == ("stop_offers", BY_FILE | {"downloads": "yes"})


def test_processes_that_see_a_file_at_the_same_moment_tell_of_it_once(one, another, tmp_path):
    (tmp_path / "STOP").write_text("it smokes\n")
    side_by_side(one.looks, another.looks)
    (tmp_path / "STOP").unlink()
    side_by_side(one.looks, another.looks)

    assert told(one.database) == [("stop_offers", BY_FILE), ("lift_stop", BY_FILE)]


def test_after_a_restart_it_is_not_told_of_again_but_what_happened_meanwhile_is(
    one, tmp_path, database
):
    (tmp_path / "STOP").write_text("it smokes\n")
    one.looks()

    Process(database, tmp_path).looks()
    assert told(database) == [("stop_offers", BY_FILE)]

    (tmp_path / "STOP").unlink()
    Process(database, tmp_path).looks()
    assert told(database) == [("stop_offers", BY_FILE), ("lift_stop", BY_FILE)]


def test_hosts_that_share_a_database_tell_of_their_own_files(one, tmp_path, database):
    (tmp_path / "elsewhere").mkdir()
    there = Process(database, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "STOP").write_text("it smokes\n")

    for _ in "abc":
        one.looks()
        there.looks()

    assert told(database) == [("stop_offers", BY_FILE)]


def test_what_a_person_lifts_is_told_of_as_theirs_alone(one, another, tmp_path):
    (tmp_path / "STOP").write_text("it smokes\n")
    one.looks()

    another.stop_offers.lift(ANN, None, "it was toast")
    one.looks()
    another.looks()

    assert [(action, facts["actor"]) for action, facts in told(one.database)] == [
        ("stop_offers", "file"),
        ("lift_stop", "ann"),
    ]


def test_a_file_that_nobody_had_seen_yet_is_told_of_before_it_is_lifted(one, tmp_path):
    (tmp_path / "STOP").write_text("it smokes\n")

    one.stop_offers.lift(ANN, None, WHY)

    assert [action for action, _ in told(one.database)] == ["stop_offers", "lift_stop"]


@pytest.mark.parametrize("refusal", [Unavailable, DiskFull])
def test_what_happens_without_the_database_is_told_of_when_it_is_back(
    one, tmp_path, monkeypatch, caplog, refusal
):
    def refused(*_):
        raise refusal("away")

    def unreadable():
        raise Unavailable("away")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "ota_http_server"):
        patch.setattr(one.database, "reading", unreadable)
        patch.setattr(one.database, "change", refused)
        one.stop_offers.stop(ANN, None, "it smokes")
        for _ in "abc":
            with contextlib.suppress(Unavailable):  # as whoever does the chores does
                one.looks()
    one.looks()

    assert told(one.database) == [("stop_offers", BY_FILE)]
    assert [line for line in caplog.messages if line.startswith("a file stops")] == [
        "a file stops everything: it smokes"
    ]


def test_the_log_of_each_process_says_at_once_that_a_file_came_and_went(one, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "ota_http_server"):
        (tmp_path / "STOP.lamp").write_text("it smokes\n")
        one.looks()
        one.looks()
        (tmp_path / "STOP.lamp").unlink()
        one.looks()

    assert [line for line in caplog.messages if "file" in line] == [
        "a file stops lamp: it smokes",
        "no file stops lamp any more",
    ]


@pytest.mark.parametrize("content", [b"\0\xff\xfe", b"\xff\xfe\0", b"x" * 10_000, "ä€\n".encode()])
def test_any_content_can_be_told_of(one, tmp_path, content):
    (tmp_path / "STOP").write_bytes(content)

    one.looks()
    one.looks()

    assert [action for action, _ in told(one.database)] == ["stop_offers"]


def test_a_file_that_stops_no_project_that_there_can_be_is_not_told_of(one, tmp_path):
    for name in ("STOP.(copy)", "STOP." + "x" * 100, "STOP.lämp"):
        (tmp_path / name).touch()

    one.looks()

    assert told(one.database) == []


def test_a_stop_by_a_row_and_by_a_file_are_told_of_each(one, tmp_path):
    one.stop_offers.stop(ANN, None, WHY)
    (tmp_path / "STOP").write_text("it smokes\n")
    one.looks()
    (tmp_path / "STOP").unlink()
    one.looks()

    assert [facts["actor"] for _, facts in told(one.database)] == ["ann", "file", "file"]
    assert one.brake.of("lamp") == Stop(WHY)
