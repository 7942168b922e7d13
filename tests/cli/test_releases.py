"""`releases`: looked at, published, moved, withdrawn and restored from the shell."""

import json

import pytest

from tests.cli.test_publish import lamp


@pytest.fixture(name="image", autouse=True)
def an_image(call):
    path = call.folder / "lamp.bin"
    path.write_bytes(lamp("1.4.0"))
    return path


def test_a_draft_waits(call):
    call("publish", "lamp.bin", "--project", "lamp", "--draft")
    listed = call("releases", "list", "--project", "lamp", "--state", "draft", "--json")

    published = call("releases", "publish", "1.4.0", "--project", "lamp")

    assert [one["release"] for one in json.loads(listed.out)] == ["1.4.0"]
    assert published.out.startswith("lamp 1.4.0 is published")


def test_a_release_is_withdrawn_and_restored_with_a_reason(call):
    call("publish", "lamp.bin", "--project", "lamp")

    without = call("releases", "withdraw", "1.4.0", "--project", "lamp")
    withdrawn = call("releases", "withdraw", "1.4.0", "--project", "lamp", "--reason", "hot")
    restored = call("releases", "restore", "1.4.0", "--project", "lamp", "--reason", "cold")

    assert without.status == 2
    assert withdrawn.out.startswith("lamp 1.4.0 is withdrawn")
    assert restored.out.startswith("lamp 1.4.0 is published")


def test_a_release_is_moved_to_another_channel_as_it_is(call):
    call("publish", "lamp.bin", "--project", "lamp", "--channel", "beta")
    before = json.loads(call("releases", "show", "1.4.0", "--project", "lamp", "--json").out)

    said = call("releases", "set", "1.4.0", "--project", "lamp", "--channel", "stable", "--json")

    after = json.loads(said.out)
    assert (before["channel"], after["channel"]) == ("beta", "stable")
    assert after["images"] == before["images"]
    assert "Action=change_release" in (call.folder / "ota_audit.log").read_text()


def test_a_draft_can_be_forgotten_and_a_release_cannot(call):
    call("publish", "lamp.bin", "--project", "lamp", "--draft")

    assert call("releases", "remove-draft", "1.4.0", "--project", "lamp").status == 0
    call("publish", "lamp.bin", "--project", "lamp")
    assert call("releases", "remove-draft", "1.4.0", "--project", "lamp").status == 2


def test_a_dropped_file_is_listed(call):
    folder = call.folder / "www" / "firmware" / "lamp"
    folder.mkdir(parents=True)
    (folder / "lamp-1.4.0.bin").write_bytes(lamp("1.4.0"))

    said = call("releases", "show", "1.4.0", "--project", "lamp", "--json")

    assert json.loads(said.out)["images"][0]["file"] == "lamp-1.4.0.bin"


def test_releases_are_listed_newest_first_with_what_matters(call, image):
    for version in ("1.9.0", "1.10.0"):
        image.write_bytes(lamp(version))
        call("publish", "lamp.bin", "--project", "lamp", "--channel", "beta", "--security")
    call("releases", "set", "1.9.0", "--project", "lamp", "--floor", "--no-security")

    lines = call("releases", "list", "--project", "lamp").out.splitlines()

    assert [line.split() for line in lines] == [
        ["1.10.0", "published", "beta", "lamp.bin", "security"],
        ["1.9.0", "published", "beta", "lamp.bin", "floor"],
    ]
    assert call("releases", "list", "--project", "fan").out == ""


def test_a_release_is_found_however_its_version_is_spelt(call):
    call("publish", "lamp.bin", "--project", "lamp")

    assert call("releases", "show", "v1.04", "--project", "lamp").out.startswith("lamp 1.4.0 is")


def test_a_withdrawn_release_says_so_to_programs(call):
    call("publish", "lamp.bin", "--project", "lamp")

    said = call("releases", "withdraw", "1.4.0", "--project", "lamp", "--reason", "hot", "--json")

    assert json.loads(said.out)["state"] == "withdrawn"
    line = (call.folder / "ota_audit.log").read_text().splitlines()[-1]
    assert "Action=withdraw_release" in line
    assert "reason=hot" in line


@pytest.mark.parametrize(
    "words",
    [
        ("show", "9.9", "--project", "lamp"),
        ("show", "a b", "--project", "lamp"),
        ("show", "1.4.0"),
        ("publish", "9.9", "--project", "lamp"),
        ("withdraw", "9.9", "--project", "lamp", "--reason", "x"),
        ("withdraw", "1.4.0", "--project", "lamp", "--reason", ""),
        ("withdraw", "1.4.0", "--project", "../etc", "--reason", "x"),
        ("restore", "1.4.0", "--project", "fan", "--reason", "x"),
        ("remove-draft", "1.4.0", "--project", "lamp"),
        ("set", "1.4.0", "--project", "lamp", "--channel", "a b"),
        ("list", "--project", "lamp", "--state", "lost"),
        ("list", "--project", "../etc"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(call, words):
    call("publish", "lamp.bin", "--project", "lamp")

    said = call("releases", *words)

    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err
