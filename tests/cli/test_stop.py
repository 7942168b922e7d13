"""`stop`: offers end at once, with a database and without; only a person lets them go on."""

import json
import re
import sqlite3
from contextlib import closing

import pytest

from ota_http_server.operations import stop_files
from ota_http_server.operations.stop_files import FILE_NAME
from ota_http_server.storage import engines

SMOKE = ("--reason", "smoke in the lab")
AWAY = "the database is away: the database cannot be used: "


@pytest.fixture(name="data", autouse=True)
def a_data_folder(call):
    """With one device of one project in it."""
    assert call("devices", "add", "board", "--project", "lamp", "--chip", "esp32").status == 0
    return call.folder / "data"


def remove(data):
    (data / "ota.sqlite").unlink()


def damage(data):
    (data / "ota.sqlite").write_bytes(b"no database at all" * 1_000)


def audit(call):
    return (call.folder / "ota_audit.log").read_text()


def explained(call):
    return call("devices", "explain", "board").out


def told(said):
    assert said.status == 0, said.err
    return json.loads(said.out)


def test_everything_is_stopped_and_goes_on_again(call):
    stopped = call("stop", *SMOKE)
    while_stopped = explained(call)
    lifted = call("stop", "--lift", "--reason", "it was toast")

    assert stopped.status == lifted.status == 0
    assert stopped.out.splitlines() == [
        "everything is stopped: smoke in the lab",
        "Downloads that have begun may go on; with --downloads none does.",
        "Running servers obey within two seconds. To let it go on: ota_http_server stop --lift"
        " --reason …",
    ]
    assert "because of stopped: nothing is offered now: smoke in the lab." in while_stopped
    assert lifted.out == "everything goes on\n"
    assert "because of stopped" not in explained(call)
    assert "Action=stop_offers" in audit(call) and "Action=lift_stop" in audit(call)


def test_one_project_is_stopped_alone(call):
    assert call("projects", "set", "fan", "--chip", "esp32").status == 0

    said = call("stop", "--project", "fan", "--downloads", *SMOKE)

    assert (said.status, said.err.count("warning")) == (0, 0)
    assert said.out.splitlines()[0] == "fan is stopped, downloads too: smoke in the lab"
    assert "may go on" not in said.out
    assert "--lift --project fan" in said.out
    assert "because of stopped" not in explained(call)


@pytest.mark.parametrize("away", [False, True])
def test_a_second_stop_says_that_downloads_stay_stopped(call, data, away):
    if away:
        remove(data)
    call("stop", "--downloads", *SMOKE)

    said = call("stop", "--reason", "still smoke")

    assert "everything is stopped" in said.out and "downloads too: still smoke" in said.out
    assert "Downloads were stopped before, and stay so until it is lifted." in said.out


def test_a_file_named_by_an_editor_is_shown_and_lifted_and_the_audit_has_both(call, data):
    (data / "STOP.txt").write_text("it smokes\r\n")

    shown = call("stop", "--show")
    lifted = call("stop", "--lift", "--reason", "it was toast")

    assert shown.out == "everything is stopped on this host alone: it smokes\n"
    assert lifted.out == "everything goes on\n"
    assert not (data / "STOP.txt").exists()
    came, went = [line for line in audit(call).splitlines() if "_stop" in line or "stop_" in line]
    assert "Action=stop_offers" in came and "actor=file reason=it%20smokes" in came
    assert "Action=lift_stop" in went and "actor=shell reason=it%20was%20toast" in went


def test_a_project_that_nobody_knows_is_stopped_with_a_warning(call):
    said = call("stop", "--project", "lmap", *SMOKE)

    assert said.status == 0
    assert "warning: no project lmap is known\n" in said.err


def test_what_is_stopped_is_shown(call, data):
    assert call("stop", "--show").out == "nothing is stopped\n"
    call("stop", "--project", "lamp", *SMOKE)
    (data / "STOP").write_text("downloads\n")

    said = call("stop", "--show")

    by_file, by_row = said.out.splitlines()
    assert by_file == (
        "everything is stopped on this host alone, downloads too:"
        " there is a file STOP in the data folder"
    )
    assert re.fullmatch(
        r"lamp is stopped: smoke in the lab \(by shell, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)",
        by_row,
    )
    assert told(call("stop", "--show", "--json"))["items"][1] == {
        "project": "lamp",
        "reason": "smoke in the lab",
        "downloads": False,
        "everywhere": True,
    }


def test_lifting_tells_what_is_stopped_still(call):
    call("stop", *SMOKE)
    call("stop", "--project", "lamp", "--reason", "too hot")

    said = call("stop", "--lift", "--project", "lamp", "--reason", "cooler")
    again = told(call("stop", "--lift", "--project", "lamp", "--reason", "cooler", "--json"))

    assert said.out == "lamp goes on\nstill: everything is stopped: smoke in the lab\n"
    assert (again["lifted"], again["project"]) == (False, "lamp")
    assert [one["project"] for one in again["items"]] == [None]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(remove, "is not there"), (damage, "file is not a database")],
)
def test_without_a_database_a_file_stops_this_host_and_the_command_says_so(call, data, spoil, why):
    spoil(data)

    said = call("stop", "--downloads", *SMOKE)

    assert (said.status, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "everything is stopped on this host alone, downloads too: smoke in the lab"
    assert "It stands in the file data/STOP alone, because the database is away: " in lines[1]
    assert lines[1].endswith(why)
    assert lines[2].startswith("SERVERS ON OTHER HOSTS GO ON: ")
    assert lines[3].startswith("When the database is back, run it once more")
    assert (data / "STOP").read_text() == "smoke in the lab\ndownloads\n"


def test_a_database_that_is_locked_counts_as_away(call, data, monkeypatch):
    monkeypatch.setattr(engines, "BUSY_MILLISECONDS_MAX", 100)
    with closing(sqlite3.connect(data / "ota.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE t (c)")
        said = call("stop", *SMOKE, "--json")

    assert told(said)["everywhere"] is False
    assert (data / "STOP").read_text() == "smoke in the lab\n"


def test_a_postgresql_that_does_not_answer_counts_as_away(call, data):
    pytest.importorskip("psycopg")
    url = "postgresql://ota:hush@127.0.0.1:1/ota"

    said = call("stop", *SMOKE, OTA_DATABASE_URL=url)

    assert said.status == 0
    assert "on this host alone" in said.out
    assert "hush" not in said.out + said.err
    assert (data / "STOP").exists()


def test_a_database_that_is_gone_is_not_made_anew(call, data):
    remove(data)

    for words in (("--show",), SMOKE, ("--lift", *SMOKE)):
        call("stop", *words)

    assert not (data / "ota.sqlite").exists()


def test_the_stop_of_a_file_is_obeyed_shown_and_lifted_once_the_database_is_back(call, data):
    whole = (data / "ota.sqlite").read_bytes()
    remove(data)
    call("stop", "--project", "lamp", *SMOKE)
    without = call("stop", "--show")
    early = call("stop", "--lift", "--project", "lamp", *SMOKE)
    (data / "ota.sqlite").write_bytes(whole)

    obeyed = explained(call)
    lifted = call("stop", "--lift", "--project", "lamp", "--reason", "it was toast")

    assert (without.status, early.status) == (1, 2)
    assert without.out == "lamp is stopped on this host alone: smoke in the lab\n"
    assert without.err.startswith("The database is away, so not all is known: ")
    assert early.err.startswith("ota_http_server: nothing is lifted before all servers can learn")
    assert "because of stopped: nothing is offered now: smoke in the lab." in obeyed
    assert lifted.out == "lamp goes on\n"
    assert not (data / "STOP.lamp").exists()
    assert "Action=lift_stop" in audit(call)


def test_a_file_made_by_hand_is_obeyed(call, data):
    (data / "STOP").touch()

    assert "there is a file STOP in the data folder" in explained(call)


@pytest.mark.parametrize("reason", ["downloads", "hot\ndownloads", " downloads \n"])
def test_no_reason_ends_downloads_by_its_words(call, data, reason):
    remove(data)

    call("stop", "--reason", reason)

    said = told_by_file(call)
    assert (said["downloads"], "downloads" in said["reason"]) == (False, True)


def told_by_file(call):
    said = call("stop", "--show", "--json")
    return json.loads(said.out)["items"][0]


def test_a_folder_that_takes_no_file_is_named(call, data, monkeypatch):
    remove(data)
    monkeypatch.setattr(stop_files, "stop_file", lambda folder, _: folder / "no" / FILE_NAME)

    said = call("stop", *SMOKE)

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("ota_http_server: neither the database nor data/no/STOP can be")


@pytest.mark.parametrize("words", [SMOKE, ("--show",), ("--lift", *SMOKE)])
def test_where_no_server_can_be_it_says_that_nothing_is_changed(call, words):
    said = call("stop", *words, "--data-dir", "elsewhere")

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("ota_http_server: NOTHING IS CHANGED: there is no data folder")
    assert not (call.folder / "elsewhere").exists()


def test_no_file_is_made_where_no_server_looks(call):
    pytest.importorskip("psycopg")
    away = {"OTA_DATABASE_URL": "postgresql://ota:hush@127.0.0.1:1/ota"}

    said = call("stop", *SMOKE, "--data-dir", "elsewhere", **away)

    assert said.status == 2
    assert not (call.folder / "elsewhere" / "STOP").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "say why, it stands in the audit log: ota_http_server stop --reason TEXT"),
        (("--lift",), "say why"),
        (("--reason", " "), "say why"),
        (("--reason", "x" * 201), "a reason has at most 200 characters"),
        (("--project", "../etc", *SMOKE), "project must be"),
        (("--show", *SMOKE), "--show stands alone"),
        (("--lift", "--downloads", *SMOKE), "leave --downloads out"),
    ],
)
def test_what_makes_no_sense_is_refused_and_stops_nothing(call, data, words, sentence):
    said = call("stop", *words)

    assert (said.status, said.out) == (2, "")
    assert sentence in said.err
    assert call("stop", "--show").out == "nothing is stopped\n"
