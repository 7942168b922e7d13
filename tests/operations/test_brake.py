"""The stop: by a row or by a file, for everything or for a project, also without the database."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.attempt import State
from ota_http_server.domain.errors import DiskFull, Forbidden, Invalid, Unavailable
from ota_http_server.domain.offer import Reason
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.reach import Stop
from ota_http_server.operations.report import Told
from ota_http_server.operations.stop_files import is_stop_file, stops_by_file
from ota_http_server.operations.stop_offers import stop_by_file
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.database import Database
from ota_http_server.storage.stops import EVERYTHING, Stops
from tests.operations.fleets import Fleet
from tests.operations.test_roll_out import ANN, EVE, WHY, Rolling, offered, reason


@pytest.fixture(name="rolling")
def a_rolling_fleet(database, clock, tmp_path):
    """2.0.0 reaches all, without a rollout."""
    return Rolling(Fleet(database, clock, tmp_path))


@pytest.fixture(name="there")
def another_process(rolling, database_url, clock, tmp_path):
    other = Database(database_url, clock=clock)
    fleet = Fleet(other, clock, tmp_path)
    asks(fleet, "board-19")
    yield fleet
    other.close()


def goes_away(patch, database, refusal=Unavailable):
    """It can neither be read nor, for this reason, be written any more."""

    def refuse(with_):
        def refused(*_):
            raise with_("away")

        return refused

    patch.setattr(database, "reading", refuse(Unavailable))
    patch.setattr(database, "change", refuse(refusal))


def asks(fleet, name):
    return fleet.comes(Visit(name, "lamp", "192.0.2.7"), version="1.0.0", chip="esp32")


def stop(rolling, project=None, why=WHY, operator=ANN, **more):
    return rolling.fleet.stop_offers.stop(operator, project, why, **more)


def lift(rolling, project=None, why=WHY, operator=ANN):
    return rolling.fleet.stop_offers.lift(operator, project, why)


# --- by a row -----------------------------------------------------------------------------------


@pytest.mark.parametrize("project", [None, "lamp"])
def test_what_is_stopped_is_offered_to_nobody_until_it_is_lifted(rolling, project):
    stopped = stop(rolling, project, "it smokes")

    assert (stopped.everywhere, stopped.downloads) == (True, False)
    answer = rolling.asks("board-00")
    assert reason(answer) is Reason.STOPPED
    assert "it smokes" in answer.decision.detail
    assert rolling.fleet.attempts("board-00") == []

    assert lift(rolling, project)
    assert offered(rolling.asks("board-00")) == "2.0.0"


def test_the_stop_of_a_project_concerns_no_other(rolling):
    stop(rolling, "fan")

    assert offered(rolling.asks("board-00")) == "2.0.0"
    assert rolling.fleet.brake.of("fan") == Stop(WHY)


def test_one_stop_lifted_leaves_the_other(rolling):
    stop(rolling)
    stop(rolling, "lamp")

    assert lift(rolling, "lamp")
    assert reason(rolling.asks("board-00")) is Reason.STOPPED
    assert lift(rolling)
    assert offered(rolling.asks("board-00")) == "2.0.0"
    assert not lift(rolling)


def test_an_offer_that_was_made_outlasts_a_stop(rolling):
    attempt = rolling.asks("board-00").attempt
    stop(rolling)
    assert reason(rolling.asks("board-00")) is Reason.STOPPED

    lift(rolling)

    assert rolling.asks("board-00").attempt == attempt


def test_what_was_under_way_is_still_heard_of(rolling):
    rolling.asks("board-00")
    rolling.tells("board-00", Told.DOWNLOADING)
    stop(rolling)

    rolling.tells("board-00", Told.INSTALLED)
    rolling.asks("board-00", "2.0.0")

    assert rolling.fleet.attempts("board-00")[0].state is State.VERIFIED


def test_the_latest_reason_counts_and_a_stop_may_become_stronger(rolling):
    stop(rolling, why="first")
    assert not stop(rolling, why="second").downloads

    assert rolling.fleet.brake.of("lamp") == Stop("second", downloads=False)
    assert stop(rolling, why="third", downloads=True).downloads
    assert rolling.fleet.brake.of("lamp") == Stop("third", downloads=True)


@pytest.mark.parametrize("place", [None, "lamp"])
def test_a_second_stop_weakens_none_until_it_is_lifted(rolling, place):
    stop(rolling, place, "first", downloads=True)

    again = stop(rolling, place, "second")

    assert (again.reason, again.downloads) == ("second", True)
    assert rolling.fleet.brake.of("lamp") == Stop("second", downloads=True)
    assert [event.facts.get("downloads") for event in rolling.events("stop_offers")] == ["yes"] * 2
    lift(rolling, place)
    assert not stop(rolling, place, "third").downloads


def test_who_stopped_and_lifted_and_why_is_in_the_audit(rolling):
    stop(rolling, "lamp", "  it smokes ", EVE, downloads=True)
    lift(rolling, "lamp", "it was toast", EVE)

    (stopped,), (lifted,) = (rolling.events(name) for name in ("stop_offers", "lift_stop"))
    about = {"IP": "192.0.2.13", "project": "lamp", "actor": "eve"}
    assert stopped.facts == about | {"reason": "it smokes", "downloads": "yes"}
    assert lifted.facts == about | {"reason": "it was toast"}


def test_lifting_what_is_not_there_is_no_event(rolling):
    assert not lift(rolling)
    assert rolling.events("lift_stop") == []


def test_another_process_opens_nothing_from_that_moment_on(rolling, there):
    stop(rolling)

    assert reason(asks(there, "board-00")) is Reason.STOPPED
    assert there.attempts("board-00") == []


def test_another_process_says_so_within_two_seconds(rolling, there):
    stop(rolling)
    assert offered(asks(there, "board-19")) == "2.0.0"  # it remembers that offer, and no stop

    rolling.fleet.clock.pass_seconds(1.9)
    assert reason(asks(there, "board-19")) is Reason.STOPPED

    lift(rolling)
    rolling.fleet.clock.pass_seconds(1.9)
    assert offered(asks(there, "board-19")) == "2.0.0"


def test_who_may_not_or_does_not_say_why_stops_nothing(rolling):
    guest, pipeline = (Operator("x", None, role) for role in (Role.VIEWER, Role.PUBLISHER))
    cases = [
        *((who, project, WHY, Forbidden) for who in (guest, pipeline) for project in (None, "fan")),
        (EVE, None, WHY, Forbidden),  # she looks after lamps alone
        (EVE, "fan", WHY, Forbidden),
        (ANN, "../lamp", WHY, Invalid),
        (ANN, "", WHY, Invalid),
        (ANN, "lamp", " ", Invalid),
    ]

    for operator, project, why, refusal in cases:
        for word in (stop, lift):
            with pytest.raises(refusal):
                word(rolling, project, why, operator)

    assert offered(rolling.asks("board-00")) == "2.0.0"


# --- by a file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("STOP", True),
        ("STOP.lamp", True),
        ("STOP.fan", False),
        ("STOP.", True),
        ("STOP.txt", True),
        ("STOP.TXT", True),
        ("STOP.txt.txt", True),
        ("STOP.lamp.txt", True),
        ("STOP.fan.txt", False),
        ("STOP.txtx", False),
        ("stop", False),
        ("STOPPED", False),
        (".STOP.lamp.77", False),
    ],
)
def test_a_file_stops_what_it_is_named_after(rolling, tmp_path, name, stops):
    (tmp_path / name).touch()
    rolling.fleet.clock.pass_seconds(1)

    assert (rolling.fleet.brake.of("lamp") is not None) is stops


@pytest.mark.parametrize(
    ("words", "stop_"),
    [
        ("", Stop("there is a file STOP in the data folder")),
        ("it smokes\n", Stop("it smokes")),
        ("\n  it smokes \nand more\n", Stop("it smokes")),
        ("downloads\n", Stop("there is a file STOP in the data folder", downloads=True)),
        ("it smokes\ndownloads\n", Stop("it smokes", downloads=True)),
        ("it smokes\r\nDownloads\r\n", Stop("it smokes", downloads=True)),
        ("\ufeffdownloads\n", Stop("there is a file STOP in the data folder", downloads=True)),
        ("no downloads\n", Stop("no downloads")),
        ("x" * 5_000, Stop("x" * 1_000)),
    ],
)
def test_a_file_says_why_and_whether_downloads_end_too(tmp_path, words, stop_):
    (tmp_path / "STOP").write_text(words)

    assert stops_by_file(tmp_path) == {EVERYTHING: stop_}


def test_a_file_from_the_shell_of_windows_is_read(tmp_path):
    (tmp_path / "STOP").write_text("it smokes\ndownloads\n", encoding="utf-16")

    assert stops_by_file(tmp_path) == {EVERYTHING: Stop("it smokes", downloads=True)}


def test_of_two_files_for_the_same_the_stronger_counts(tmp_path):
    (tmp_path / "STOP").write_text("it smokes\n")
    (tmp_path / "STOP.txt").write_text("it burns\ndownloads\n")

    assert stops_by_file(tmp_path) == {EVERYTHING: Stop("it smokes", downloads=True)}


@pytest.mark.parametrize("make", ["unreadable", "folder"])
def test_what_cannot_be_read_stops_too(tmp_path, make):
    if make == "folder":
        (tmp_path / "STOP").mkdir()
    else:
        (tmp_path / "STOP").write_bytes(b"\xff\xfe\x00")

    assert set(stops_by_file(tmp_path)) == {EVERYTHING}


def test_a_file_is_seen_and_missed_within_two_seconds(rolling, tmp_path):
    rolling.asks("board-00")
    file = tmp_path / "STOP"

    file.write_text("it smokes\n")
    rolling.fleet.clock.pass_seconds(1)
    assert "it smokes" in rolling.asks("board-00").decision.detail

    file.unlink()
    rolling.fleet.clock.pass_seconds(1)
    assert offered(rolling.asks("board-00")) == "2.0.0"


def test_the_chore_sees_a_file_before_anybody_asks(rolling, tmp_path):
    rolling.asks("board-00")
    (tmp_path / "STOP").touch()

    rolling.fleet.brake.look()

    assert reason(rolling.asks("board-00")) is Reason.STOPPED


def test_a_folder_that_cannot_be_looked_at_changes_nothing(rolling, tmp_path, monkeypatch):
    (tmp_path / "STOP").touch()
    rolling.fleet.brake.look()

    def fails(_):
        raise PermissionError

    monkeypatch.setattr(os, "scandir", fails)
    rolling.fleet.clock.pass_seconds(60)

    assert reason(rolling.asks("board-00")) is Reason.STOPPED


def test_the_stronger_of_two_stops_counts(rolling, tmp_path):
    stop(rolling)
    (tmp_path / "STOP.lamp").write_text("it smokes\ndownloads\n")
    rolling.fleet.brake.look()

    assert rolling.fleet.brake.of("lamp") == Stop("it smokes", downloads=True)
    assert rolling.fleet.brake.of("fan") == Stop(WHY)


def test_a_file_is_lifted_like_a_row(rolling, tmp_path):
    (tmp_path / "STOP.lamp").touch()

    assert lift(rolling, "lamp")

    assert not (tmp_path / "STOP.lamp").exists()
    assert offered(rolling.asks("board-00")) == "2.0.0"
    assert len(rolling.events("lift_stop")) == 1


@pytest.mark.parametrize(("project", "name"), [(None, "STOP.txt"), ("lamp", "STOP.lamp.TXT")])
def test_a_file_is_lifted_however_an_editor_named_it(rolling, tmp_path, project, name):
    (tmp_path / name).touch()

    assert lift(rolling, project)

    assert not (tmp_path / name).exists()
    assert offered(rolling.asks("board-00")) == "2.0.0"


def test_who_looks_after_one_project_lifts_no_stop_of_everything(rolling, tmp_path):
    (tmp_path / "STOP.txt").touch()

    assert not lift(rolling, "txt", operator=Operator("tom", None, Role.OPERATOR, "txt"))

    assert (tmp_path / "STOP.txt").exists()


def test_a_file_that_cannot_be_removed_stops_as_before_and_whoever_lifts_is_told(rolling, tmp_path):
    stop(rolling)
    (tmp_path / "STOP").mkdir()  # a folder is no file to be unlinked

    with pytest.raises(Unavailable, match="still stops"):
        lift(rolling)

    assert reason(rolling.asks("board-00")) is Reason.STOPPED
    (tmp_path / "STOP").rmdir()
    lift(rolling)
    assert offered(rolling.asks("board-00")) == "2.0.0"


def test_a_lift_that_is_not_kept_removes_no_file(rolling, tmp_path, monkeypatch):
    (tmp_path / "STOP").touch()
    remove = Stops.remove

    def is_taken_back(stops, place):
        remove(stops, place)
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(Stops, "remove", is_taken_back)
    with pytest.raises(Unavailable):
        lift(rolling)

    assert (tmp_path / "STOP").exists()
    assert reason(rolling.asks("board-00")) is Reason.STOPPED


# --- while the database is away -----------------------------------------------------------------


def remembers(rolling, name):
    """The process, that this board runs what is newest."""
    for _ in "ab":
        assert reason(rolling.asks(name, "2.0.0")) is Reason.UP_TO_DATE


def test_a_file_stops_known_devices_while_the_database_is_away(rolling, tmp_path, monkeypatch):
    remembers(rolling, "board-00")
    said = []

    with monkeypatch.context() as patch:
        goes_away(patch, rolling.database)
        for change in (lambda: None, (tmp_path / "STOP").touch, (tmp_path / "STOP").unlink):
            change()
            rolling.fleet.clock.pass_seconds(1)
            said.append(reason(rolling.asks("board-00", "2.0.0")))

    assert said == [Reason.UP_TO_DATE, Reason.STOPPED, Reason.UP_TO_DATE]


def test_a_row_that_was_known_stops_on_while_the_database_is_away(rolling, monkeypatch):
    remembers(rolling, "board-00")
    stop(rolling)
    goes_away(monkeypatch, rolling.database)
    rolling.fleet.clock.pass_seconds(60)

    assert reason(rolling.asks("board-00", "2.0.0")) is Reason.STOPPED


def test_news_of_a_stop_that_cannot_be_read_leave_what_was_known(rolling, there, monkeypatch):
    stop(rolling, why="known", downloads=True)
    there.news.refresh()
    assert there.brake.of("lamp") == Stop("known", downloads=True)
    lift(rolling)
    there.news.refresh()

    with monkeypatch.context() as patch:
        goes_away(patch, there.database)
        there.brake.refresh()
        assert there.brake.of("lamp") == Stop("known", downloads=True)
        assert [one.reason for one in there.stop_offers.standing(ANN)] == ["known"]
    assert there.brake.of("lamp") is None


@pytest.mark.parametrize("refusal", [Unavailable, DiskFull])
@pytest.mark.parametrize("project", [None, "lamp"])
def test_without_the_database_a_stop_is_a_file_and_says_so(
    rolling, tmp_path, monkeypatch, refusal, project
):
    goes_away(monkeypatch, rolling.database, refusal)

    stopped = stop(rolling, project, "it smokes", downloads=True)

    assert not stopped.everywhere
    assert stops_by_file(tmp_path) == {project or EVERYTHING: Stop("it smokes", downloads=True)}
    assert rolling.fleet.brake.of("lamp") == Stop("it smokes", downloads=True)


@pytest.mark.parametrize("by", ["row", "file"])
def test_without_the_database_a_second_stop_weakens_none(rolling, tmp_path, monkeypatch, by):
    if by == "row":
        stop(rolling, why="first", downloads=True)
    else:
        stop_by_file(tmp_path, ANN, None, "first", downloads=True)
    goes_away(monkeypatch, rolling.database)

    again = stop(rolling, why="second")

    assert (again.everywhere, again.downloads) == (False, True)
    assert stops_by_file(tmp_path) == {EVERYTHING: Stop("second", downloads=True)}


def test_a_project_without_a_file_of_its_own_stops_more_and_the_answer_says_so(tmp_path):
    txt = stop_by_file(tmp_path, ANN, "txt", WHY)
    lamp = stop_by_file(tmp_path, ANN, "lamp.txt", WHY)

    assert (txt.project, lamp.project) == (None, "lamp")
    assert set(stops_by_file(tmp_path)) == {EVERYTHING, "lamp"}


def test_a_project_that_ends_in_txt_is_stopped_by_its_name_too(rolling, tmp_path):
    (tmp_path / "STOP.lamp.txt").touch()
    rolling.fleet.brake.look()

    assert rolling.fleet.brake.of("lamp.txt") is not None
    assert rolling.fleet.brake.of("lamp") is not None
    assert rolling.fleet.brake.of("txt") is None


def test_without_the_database_nothing_is_lifted(rolling, tmp_path, monkeypatch):
    (tmp_path / "STOP").touch()
    goes_away(monkeypatch, rolling.database)

    with pytest.raises(Unavailable):
        lift(rolling)
    assert (tmp_path / "STOP").exists()


def test_where_nothing_can_be_written_the_operator_hears_it(rolling, monkeypatch):
    goes_away(monkeypatch, rolling.database)
    monkeypatch.setattr("pathlib.Path.write_text", _fails)
    monkeypatch.setattr("pathlib.Path.touch", _fails)

    with pytest.raises(Unavailable, match="neither"):
        stop(rolling)


def test_a_full_disk_still_takes_an_empty_file(rolling, tmp_path, monkeypatch):
    goes_away(monkeypatch, rolling.database, DiskFull)
    monkeypatch.setattr("pathlib.Path.write_text", _fails)

    assert not stop(rolling, downloads=True).downloads  # an empty file says nothing of them

    assert (tmp_path / "STOP").stat().st_size == 0
    assert rolling.fleet.brake.of("lamp") is not None


def _fails(*_, **__):
    raise OSError(28, "No space left on device")


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=200),
    st.booleans(),
)
def test_a_file_never_stops_more_or_less_than_was_said(tmp_path_factory, why, downloads):
    folder = tmp_path_factory.getbasetemp()
    if not why.strip():
        return
    (folder / "STOP").unlink(missing_ok=True)

    stop_by_file(folder, ANN, None, why, downloads=downloads)

    (found,) = stops_by_file(folder).values()
    assert found.downloads is downloads
    assert found.reason.strip("()") == " ".join(why.split()).strip("()")


def test_only_such_names_are_stop_files():
    assert [name for name in ("STOP", "STOP.a", "STOPS", "xSTOP", "") if is_stop_file(name)] == [
        "STOP",
        "STOP.a",
    ]
