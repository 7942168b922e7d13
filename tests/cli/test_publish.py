"""`publish` on this host: images become a release of the data folder."""

import json
import os
import subprocess
import sys

import pytest

from ota_http_server.domain.esp_sample import PAYLOAD_BYTES_MAX, esp_application


def lamp(version, **facts):
    return esp_application(
        **{"version": version, "project": "lamp", "payload_bytes": 4_096} | facts
    )


@pytest.fixture(name="image", autouse=True)
def an_image(call):
    path = call.folder / "lamp.bin"
    path.write_bytes(lamp("1.4.0"))
    return path


def listed(call):
    said = call("releases", "list", "--project", "lamp", "--json")
    return {one["release"]: one for one in json.loads(said.out)}


def test_it_says_what_was_published(call, image):
    said = call("publish", "lamp.bin", "--project", "lamp", "--notes", "Warmer light.")

    assert said.status == 0, said.err
    assert said.out.splitlines() == [
        "lamp 1.4.0 is published",
        f"  lamp.bin  {image.stat().st_size:,} bytes  esp-idf-app, application, esp32, 1.4.0",
    ]
    assert said.err == ""


def test_all_that_is_said_of_a_release_is_kept(call):
    (call.folder / "notes.txt").write_text("Warmer light.\n")

    said = call(
        *("publish", "lamp.bin", "--project", "lamp", "--channel", "Beta", "--min-from", "1.2"),
        *("--notes-file", "notes.txt", "--security", "--floor", "--chip", "ESP32"),
        *("--board", "desk", "--board", "wall", "--json"),
    )

    told = json.loads(said.out)
    assert (told["channel"], told["min_from"]) == ("beta", "1.2")
    assert (told["security"], told["floor"]) == (True, True)
    assert told["notes"] == "Warmer light.\n"
    assert told["images"][0]["hardware"] == ["desk", "wall"]
    assert listed(call) == {"1.4.0": told}


def test_again_is_fine_and_other_bytes_are_refused(call, image):
    assert call("publish", "lamp.bin", "--project", "lamp").status == 0
    assert call("publish", "lamp.bin", "--project", "lamp").status == 0
    image.write_bytes(lamp("1.4.0", seed=1))

    refused = call("publish", "lamp.bin", "--project", "lamp")

    assert refused.status == 1
    assert "1.4.0 has other bytes as lamp.bin" in refused.err


def test_the_version_is_that_of_the_first_image_that_carries_one(call, image):
    (call.folder / "lamp-littlefs.bin").write_bytes(b"files" * 100)

    said = call("publish", "lamp-littlefs.bin", "lamp.bin", "--project", "lamp", "--json")

    told = json.loads(said.out)
    assert told["release"] == "1.4.0"
    assert [image["kind"] for image in told["images"]] == ["filesystem", "application"]


def test_where_none_carries_a_version_it_must_be_said(call):
    (call.folder / "raw.bin").write_bytes(b"raw" * 100)

    said = call("publish", "raw.bin", "--project", "lamp")

    assert said.status == 2
    assert "say --version" in said.err
    assert call("publish", "raw.bin", "--project", "lamp", "--version", "1.0").status == 0


def test_a_dry_run_says_what_the_files_are_and_changes_nothing(call):
    said = call("publish", "lamp.bin", "--project", "lamp", "--dry-run", "--json")

    (row,) = json.loads(said.out)["images"]
    assert said.status == 0
    assert (row["format"], row["chip"], row["version"]) == ("esp-idf-app", "esp32", "1.4.0")
    assert row["refused"] == []
    assert listed(call) == {}


def test_a_dry_run_says_what_would_be_refused(call, image):
    image.write_bytes(lamp("1.4.0", secure_version=3))
    words = ("publish", "lamp.bin", "--project", "lamp", "--version", "1.5", "--chip", "esp32s3")

    said = call(*words, "--dry-run")
    forced = call(*words, "--dry-run", "--force", "a test")

    lines = said.out.splitlines()
    assert (said.status, forced.status) == (1, 0)
    assert lines[1].endswith("esp-idf-app, application, esp32, 1.4.0, counter 3")
    assert "refused: lamp.bin was built for esp32" in lines[2]
    assert "refused: lamp.bin carries version 1.4.0, not 1.5" in lines[3]
    assert listed(call) == {}


def test_a_mistake_is_named_before_anything_is_sent(call):
    (call.folder / "firmware.elf").write_bytes(b"\x7fELF" + bytes(100))

    said = call("publish", "lamp.bin", "firmware.elf", "--project", "lamp")

    assert said.status == 1
    assert "refused: firmware.elf: this is an ELF file" in said.err
    assert listed(call) == {}


def test_what_would_brick_boards_needs_a_reason(call, image):
    call("publish", "lamp.bin", "--project", "lamp")
    image.write_bytes(esp_application(version="1.5.0", project="fan"))

    refused = call("publish", "lamp.bin", "--project", "lamp")
    forced = call("publish", "lamp.bin", "--project", "lamp", "--force", "renamed", "--json")

    assert (refused.status, forced.status) == (1, 0)
    assert "says that it is fan" in refused.err
    assert json.loads(forced.out)["forced"] == "renamed"


def test_what_is_refused_leaves_no_draft_behind(call, image):
    """The next try is about another build of the same version."""
    (call.folder / "fan.bin").write_bytes(esp_application(version="1.5.0", project="fan"))
    call("publish", "lamp.bin", "--project", "lamp")
    image.write_bytes(lamp("1.5.0"))

    refused = call("publish", "lamp.bin", "fan.bin", "--project", "lamp")
    left = list(listed(call))
    image.write_bytes(lamp("1.5.0", seed=3))
    mended = call("publish", "lamp.bin", "--project", "lamp")

    assert (refused.status, left) == (1, ["1.4.0"])
    assert mended.status == 0, mended.err


def test_a_draft_that_was_there_before_stays(call):
    call("publish", "lamp.bin", "--project", "lamp", "--draft")
    (call.folder / "other.bin").write_bytes(lamp("1.5.0"))

    refused = call("publish", "other.bin", "--project", "lamp", "--version", "1.4.0")

    assert refused.status == 1
    assert listed(call)["1.4.0"]["state"] == "draft"


def test_a_bootloader_is_published_only_if_it_is_meant(call):
    table = bytes.fromhex("aa500102009000000060000000000000").ljust(32, b"\0")
    (call.folder / "table.bin").write_bytes(table + b"\xff" * (0xC00 - len(table)))
    words = ("publish", "table.bin", "--project", "lamp", "--version", "1.0")

    refused = call(*words)

    assert refused.status == 2
    assert "declare part=partition-table" in refused.err
    assert call(*words, "--part", "partition-table").status == 0


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("lamp.bin",),
        ("nothing.bin", "--project", "lamp"),
        ("lamp.bin", "--project", "../etc"),
        ("lamp.bin", "--project", "lamp", "--version", "a b"),
        ("lamp.bin", "--project", "lamp", "--channel", "a b"),
        ("lamp.bin", "--project", "lamp", "--part", "engine"),
        ("lamp.bin", "--project", "lamp", "--chip", "no chip!"),
        ("lamp.bin", "--project", "lamp", "--board", ""),
        ("lamp.bin", "--project", "lamp", "--force", ""),
        ("lamp.bin", "--project", "lamp", "--force", "x" * 257),
        ("lamp.bin", "--project", "lamp", "--notes", "x" * 4_001),
        ("lamp.bin", "--project", "lamp", "--notes", "x", "--notes-file", "lamp.bin"),
        ("bad name.bin", "--project", "lamp"),
        ("latest.bin", "--project", "lamp"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_in_a_line(call, words):
    for name in ("bad name.bin", "latest.bin"):
        (call.folder / name).write_bytes(lamp("1.4.0"))

    said = call("publish", *words)

    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_a_terminal_sees_how_far_it_is_and_a_pipe_does_not(call, monkeypatch):
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda _self: True)

    shown = call("publish", "lamp.bin", "--project", "lamp")
    for_programs = call("publish", "lamp.bin", "--project", "lamp", "--json")

    assert "lamp.bin" in shown.err
    assert for_programs.err == ""


def peak_bytes(folder, *words):
    """Of the memory of a command that publishes, all that it imports included."""
    command = [sys.executable, "-m", "ota_http_server", "publish", *words, "--project", "lamp"]
    with subprocess.Popen(
        command, cwd=folder, env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL
    ) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return used.ru_maxrss * 1024


def test_an_image_of_16_megabytes_takes_little_memory(call, image):
    big = call.folder / "big.bin"
    big.write_bytes(lamp("1.5.0", payload_bytes=PAYLOAD_BYTES_MAX))

    more = peak_bytes(call.folder, "big.bin") - peak_bytes(call.folder, "lamp.bin")

    assert big.stat().st_size > 16_000_000 > image.stat().st_size
    assert more < 32_000_000
