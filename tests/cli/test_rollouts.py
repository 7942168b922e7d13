"""`rollouts`: begun, watched, held and ended from the shell, over a real database."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from ota_http_server.cli import rollout_watch
from ota_http_server.cli.rollout_watch import FLEET_SECONDS, Lines, Look, watch
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.sighting import Sighting
from ota_http_server.operations.report import Told, Word
from ota_http_server.operations.visit import Visit
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings
from tests.cli.test_publish import lamp

DEVICES = 40
PERSON = Operator("somebody", None)
CANARIES = ("--canary", "dev-1", "--canary", "dev-2")
TWO_STAGES = ("--stage", "0,0,1", "--stage", "100,0,0", *CANARIES)


class Fleet:
    """Devices that speak to this data folder, as another process would let them."""

    def __init__(self, ota):
        self.ota = ota

    def add(self, count):
        def added(tx):
            for number in range(count):
                tx.devices.add(Device(id=f"dev-{number}", project="lamp", chip="esp32"))

        self.ota.stores.database.change(added)

    def comes(self, name, version="1.0.0"):
        self.ota.news.refresh()  # a server's chore does
        return self.ota.check_in(
            Visit(name, "lamp", "192.0.2.7"), Sighting.of(version=version, chip="esp32")
        )

    def fails(self, *names):
        for name in names:
            self.comes(name)
        for name in names:
            self.ota.report(Visit(name, "lamp", "192.0.2.7"), Word(Told.FAILED))

    def updates(self, *names):
        for name in names:
            self.comes(name)
            self.comes(name, "1.4.0")


@contextmanager
def living():
    with opened_ota(Settings()) as ota:
        yield Fleet(ota)


@pytest.fixture(name="fleet")
def a_fleet(call):
    (call.folder / "www" / "firmware").mkdir(parents=True)
    with living() as fleet:
        fleet.add(DEVICES)
        (call.folder / "lamp.bin").write_bytes(lamp("1.4.0"))
        call("publish", "lamp.bin", "--project", "lamp")
        yield fleet


@pytest.fixture(name="begun")
def a_rollout(call, fleet):
    assert call("rollouts", "create", "lamp", "1.4.0", *TWO_STAGES).status == 0
    return fleet


def told(said):
    assert said.status == 0, said.err
    return json.loads(said.out)


def state(call):
    return told(call("rollouts", "show", "1", "--json"))["state"]


def test_a_new_rollout_says_how_many_devices_each_stage_has_and_what_to_do_next(call, fleet):
    said = call(
        *("rollouts", "create", "lamp", "1.4.0", "--stage", "0,10m,1", "--stage", "100,1d,20"),
        *CANARIES,
    )

    assert (said.status, said.err) == (0, "")
    assert said.out.splitlines() == [
        "rollout 1 of lamp 1.4.0 is running, stage 1 of 2 (0 %)",
        "stage    up to  devices now  at least for  until so many run it",
        "    1      0 %            2           10m                       1",
        f"    2    100 %           {DEVICES}            1d                      20",
        "Watch it:    ota_http_server rollouts show 1 --watch",
        "Hold it:     ota_http_server rollouts pause 1 --reason …",
        "Go on now:   ota_http_server rollouts advance 1 --reason …",
    ]


def test_without_stages_it_begins_with_one_percent_and_at_least_one_device(call, fleet):
    stages = told(call("rollouts", "create", "lamp", "1.4.0", "--json"))["stages"]

    least = stages[0]["percent"]  # so far it goes at least, that somebody is in it
    assert [stage["percent"] for stage in stages[1:]] == [max(p, least) for p in (5, 25, 50, 100)]
    assert stages[0]["devices"] >= 1
    assert stages[-1]["devices"] == DEVICES


def test_a_dry_run_says_the_same_and_writes_nothing(call, fleet):
    said = call("rollouts", "create", "lamp", "1.4.0", *TWO_STAGES, "--dry-run")

    assert said.status == 0
    assert f"    2    100 %           {DEVICES}" in said.out
    assert said.out.endswith("Nothing was written; without --dry-run it begins.\n")
    assert call("rollouts", "list").out == ""
    assert "create_rollout" not in (call.folder / "ota_audit.log").read_text()


def test_all_that_is_said_of_a_rollout_is_kept(call, fleet):
    said = call(
        *("rollouts", "create", "lamp", "1.4.0", "--stage", "1,30s", "--stage", "100"),
        *("--select", "version<1.4", "--tag", "roof", "--tag", "wall", "--chip", "ESP32"),
        *("--board", "desk", "--channel", "beta", "--device", "dev-3", "--device", "dev-4"),
        *("--canary", "dev-1", "--reason", "the new lamp", "--failed-percent-max", "2.5"),
        *("--finished-min", "5", "--silent-percent-max", "30", "--silent-after", "2h"),
        *("--rolled-back-percent-max", "3", "--halting-devices-min", "4", "--counts-installed"),
        *("--concurrent-max", "6", "--offers-max", "7", "--period", "1d", "--site-tag", "site-"),
        *("--site-max", "8", "--retry-after", "10m", "--failures-max", "9", "--mode", "soft"),
        *("--window", "Mon-Fri 22:00-04:00 Europe/Berlin", "--window", "Sun 10:00-12:00 UTC"),
        "--json",
    )

    one = told(said)
    assert one["select"] == (
        "version<1.4 and tag=in=(roof,wall) and chip==esp32 and board==desk and channel==beta"
    )
    assert (one["devices"], one["canaries"]) == (["dev-3", "dev-4"], ["dev-1"])
    assert (one["reason"], one["created_by"]) == ("the new lamp", "shell")
    assert [(s["percent"], s["dwell_seconds"]) for s in one["stages"]] == [(1, 30), (100, 3_600)]
    assert one["policy"] == {
        "failed_percent_max": 2.5,
        "finished_min": 5,
        "silent_percent_max": 30.0,
        "silent_seconds": 7_200,
        "rolled_back_percent_max": 3.0,
        "halting_devices_min": 4,
        "counts_installed": True,
        "concurrent_max": 6,
        "offers_max": 7,
        "period_seconds": 86_400,
        "windows": ["Mon-Fri 22:00-04:00 Europe/Berlin", "Sun 10:00-12:00 UTC"],
        "site_tag": "site-",
        "site_max": 8,
        "retry_seconds": 600,
        "failures_max": 9,
        "mode": "soft",
    }
    assert told(call("rollouts", "show", "1", "--json"))["policy"] == one["policy"]


def test_a_rollout_that_is_for_nobody_says_so(call, fleet):
    said = call("rollouts", "create", "lamp", "1.4.0", "--tag", "roof", "--dry-run")

    assert "No device of lamp is meant by it now.\n" in said.out


def test_rollouts_are_listed_the_latest_first(call, begun):
    call("rollouts", "abort", "1", "--reason", "too hot")
    call("rollouts", "create", "lamp", "1.4.0", *TWO_STAGES)

    lines = call("rollouts", "list").out.splitlines()

    assert [line.split()[:4] for line in lines] == [
        ["2", "lamp", "1.4.0", "running,"],
        ["1", "lamp", "1.4.0", "aborted,"],
    ]
    assert lines[1].endswith("too hot")
    aborted = told(call("rollouts", "list", "--state", "aborted", "--json"))
    assert [(one["id"], one["stages"][0]["devices"]) for one in aborted] == [(1, None)]
    assert call("rollouts", "list", "--project", "fan").out == ""


def test_a_picture_shows_each_stage_and_names_who_failed(call, begun):
    begun.updates("dev-1")
    begun.fails("dev-2")

    lines = call("rollouts", "show", "1").out.splitlines()

    assert lines == [
        "rollout 1 of lamp 1.4.0 is running, stage 1 of 2 (0 %)",
        "0s in this stage; waits for nothing: the next look takes it further",
        "canaries: dev-1, dev-2",
        "",
        "      up to   devices",
        f"> 1     0 %         2  [{'#' * 20}{'x' * 20}]",
        f"  2   100 %        38  [{'.' * 40}]",
        "",
        "# 1 verified   x 1 failed   ? 0 silent   > 0 under way   . 38 nothing yet",
        "",
        "It went wrong on:",
        "  dev-2                                failed",
        "Why: ota_http_server devices explain dev-2",
    ]
    assert "failed" in call("devices", "explain", "dev-2").out


def test_no_more_than_ten_devices_are_named(call, begun):
    call("rollouts", "advance", "1", "--reason", "all of them", "--override")
    begun.fails(*(f"dev-{number}" for number in range(12)))

    said = call("rollouts", "show", "1").out

    assert said.startswith("rollout 1 of lamp 1.4.0 is halted, stage 2 of 2 (100 %): ")
    assert len(re.findall(r"^  dev-\d+ +failed$", said, re.MULTILINE)) == 10
    assert "  … and 2 more\n" in said


def test_programs_are_told_the_same_as_by_the_api(call, begun):
    begun.fails("dev-2")

    one = told(call("rollouts", "show", "1", "--json"))

    assert (one["stage"], one["tally"]["failed"], one["waits_for"] is None) == (1, 1, False)
    assert [stage["devices"] for stage in one["stages"]] == [2, DEVICES]
    assert one["stages"][0]["tally"]["failed"] == 1


def test_it_is_paused_resumed_and_ended_with_a_reason(call, begun):
    for words, now in (
        (("pause", "1"), "paused"),
        (("resume", "1"), "running"),
        (("abort", "1"), "aborted"),
    ):
        said = call("rollouts", *words, "--reason", f"{now} for lunch")
        assert said.status == 0, said.err
        assert said.out == (
            f"rollout 1 of lamp 1.4.0 is {now}, stage 1 of 2 (0 %): {now} for lunch\n"
        )

    audit = (call.folder / "ota_audit.log").read_text()
    for action in ("pause_rollout", "resume_rollout", "abort_rollout"):
        assert f"Action={action}" in audit


def test_it_advances_from_the_stage_that_it_is_in(call, begun):
    begun.updates("dev-1")

    first = call("rollouts", "advance", "1", "--reason", "looks good")
    last = told(call("rollouts", "advance", "1", "--reason", "all well", "--json"))

    assert first.out == "rollout 1 of lamp 1.4.0 is running, stage 2 of 2 (100 %): looks good\n"
    assert (last["state"], last["reason"]) == ("finished", "all well")


def test_what_is_under_way_is_called_off_with_it(call, begun):
    begun.comes("dev-1")

    call("rollouts", "abort", "1", "--reason", "smoke", "--call-off")

    assert "canceled" in call("devices", "explain", "dev-1").out


def test_a_reason_is_kept_without_what_stands_around_it(call, begun):
    assert told(call("rollouts", "pause", "1", "--reason", " lunch\n", "--json"))["reason"] == (
        "lunch"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("create", "lamp", "1.4.0"), "rollout 1 of 1.4.0 is running: finish or abort it"),
        (("advance", "1", "--reason", "x", "--stage", "2"), "rollout 1 is in stage 1, not 2"),
        (
            ("advance", "1", "--reason", "x"),
            "1.4.0 was not canaried: stage 1 waits for 1 more devices that run it (0 do);"
            " more than 10 % needs an override",
        ),
    ],
)
def test_what_its_state_forbids_is_one_line_and_exit_status_1(call, begun, words, line):
    said = call("rollouts", *words)

    assert (said.status, said.out) == (1, "")
    assert said.err == f"ota_http_server: {line}\n"


def test_the_end_is_final(call, begun):
    call("rollouts", "abort", "1", "--reason", "smoke")

    for word in ("pause", "resume", "advance"):
        said = call("rollouts", word, "1", "--reason", "x")
        assert (said.status, said.err.count("\n")) == (1, 1)
        assert "rollout 1 is aborted" in said.err
    assert state(call) == "aborted"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create", "lamp", "1.4.0", "--stage", "all"), "'all' is no stage: write PERCENT"),
        (("create", "lamp", "1.4.0", "--stage", "5,soon"), "'soon' is no duration: write 30s"),
        (("create", "lamp", "1.4.0", "--stage", "101"), "percent must be 0 to 100 percent"),
        (("create", "lamp", "1.4.0", "--stage", "50"), "the last stage must go to 100 percent"),
        (("create", "lamp", "1.4.0", "--select", "tag=x"), "selection, character 4: to compare"),
        (("create", "lamp", "1.4.0", "--canary", "nobody"), "nobody cannot be a canary"),
        (("create", "lamp", "1.4.0", "--takes-back"), "say why"),
        (("create", "lamp", "9.9"), "9.9"),
        (("create", "../etc", "1.4.0"), "project must be"),
        (("create", "lamp", "1.4.0", "--mode", "hard"), "'hard' is not one of"),
        (("pause", "1", "--reason", " "), "say why"),
        (("pause", "1"), "Missing option '--reason'"),
        (("show", "7"), "there is no such rollout"),
        (("show", "7", "--watch"), "there is no such rollout"),
        (("list", "--state", "lost"), "'lost' is not one of"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(call, fleet, words, sentence):
    said = call("rollouts", *words)

    assert (said.status, said.out) == (2, "")
    assert sentence in said.err
    assert "Traceback" not in said.err


# --- watching ---------------------------------------------------------------------------------


@pytest.fixture(name="watching")
def a_watcher(call):
    """`rollouts show 1 --watch` as a process of its own, read line by line."""
    running = []

    def started(*words, **options):
        env = {key: os.environ[key] for key in ("PATH",)} | options.pop("env", {})
        process = subprocess.Popen(
            [sys.executable, "-m", "ota_http_server", "rollouts", "show", "1", "--watch", *words],
            cwd=call.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        process.kill()
        process.communicate()


def test_without_a_terminal_a_line_is_printed_for_each_change_until_it_is_finished(
    call, begun, watching
):
    process = watching()
    lines = [process.stdout.readline()]
    for version in ("1.0.0", "1.4.0"):
        begun.comes("dev-1", version)
        lines.append(process.stdout.readline())
    call("rollouts", "advance", "1", "--reason", "looks good")
    lines.append(process.stdout.readline())
    call("rollouts", "advance", "1", "--reason", "all well")
    rest, complaints = process.communicate(timeout=60)

    assert (process.returncode, complaints) == (0, "")
    moments, said = zip(*(line.rstrip("\n").split(" ", 1) for line in [*lines, rest]), strict=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment) for moment in moments)
    name = "rollout 1 of lamp 1.4.0 is"
    assert said == (
        f"{name} running, stage 1 of 2 (0 %); no device was asked yet",
        f"{name} running, stage 1 of 2 (0 %); 1 under way",
        f"{name} running, stage 1 of 2 (0 %); 1 verified",
        f"{name} running, stage 2 of 2 (100 %): looks good; 1 verified",
        f"{name} finished (100 %): all well; 1 verified",
    )


def test_a_halt_ends_the_watching_with_status_1(call, begun, watching):
    call("rollouts", "advance", "1", "--reason", "all of them", "--override")
    process = watching("--json")
    first = json.loads(process.stdout.readline())
    begun.fails(*(f"dev-{number}" for number in range(12)))
    rest, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert first["state"] == "running"
    assert json.loads(rest.splitlines()[-1])["state"] == "halted"


def test_what_was_ended_before_ends_the_watching_at_once(call, begun):
    call("rollouts", "abort", "1", "--reason", "smoke")

    said = call("rollouts", "show", "1", "--watch")

    assert said.status == 1
    assert said.out.count("\n") == 1


def test_an_interrupt_ends_the_watching_and_not_the_rollout(call, begun, watching):
    process = watching()
    process.stdout.readline()

    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "the rollout goes on" in complaints
    assert state(call) == "running"


def test_on_a_terminal_it_is_drawn_anew_in_its_place(call, begun, watching):
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    size = {"COLUMNS": "100", "LINES": "40", "TERM": "xterm"}
    process = watching(stdout=theirs, stderr=theirs, env=size)
    os.close(theirs)
    seen = ""
    with os.fdopen(ours, "rb", buffering=0) as screen:
        seen += read_until(screen, r"nothing yet")
        begun.updates("dev-1")
        seen += read_until(screen, r"1 verified")
        call("rollouts", "abort", "1", "--reason", "enough")
        seen += read_until(screen, r"is aborted.*nothing yet\x1b\[K\r\n\x1b\[J")
    assert process.wait(timeout=60) == 1

    assert "\r\x1b[9A" in seen  # as many lines up as the picture has
    assert "[\x1b[32m" + "#" * 20 + "\x1b[0m" + "." * 20 + "]" in seen
    assert "\x1b[?" not in seen  # neither the cursor nor what stood there before is hidden


def read_until(screen, pattern):
    text = ""
    while not re.search(pattern, text, re.DOTALL):
        block = screen.read(65_536)
        assert block, text
        text += block.decode()
    return text


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_the_fleet_is_counted_anew_now_and_then_only(call, begun):
    clock = Clock()
    look = Look(begun.ota.stores.database, 1, monotonic=clock)
    first = look().shown.stages[-1].devices

    begun.comes("newcomer")
    clock.now += FLEET_SECONDS / 2
    soon = look().shown.stages[-1].devices
    clock.now += FLEET_SECONDS
    late = look().shown.stages[-1].devices

    assert (first, soon, late) == (DEVICES, DEVICES, DEVICES + 1)


def test_while_the_database_is_away_it_goes_on_looking(call, begun, capsys):
    look = Look(begun.ota.stores.database, 1)
    answers = iter([look, away, away, look])

    def pause(_):
        if next(left) == "end":
            begun.ota.roll_out.abort(PERSON, 1, "enough")

    left = iter(["", "", "end"])
    status = watch(lambda: next(answers)(), Lines(as_json=False), pause)

    heard = capsys.readouterr()
    assert (status, heard.out.count("\n")) == (1, 2)
    assert heard.err.count("the database does not answer; trying again\n") == 1


def away():
    raise Unavailable("the database does not answer")


def test_it_looks_every_second():
    assert rollout_watch.EVERY_SECONDS == 1.0
