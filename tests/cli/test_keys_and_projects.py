"""`keys` and `projects`: the same operations as the admin API, from the shell of the server."""

import json
import re

import pytest

from tests.instance import Instance


def test_a_key_is_printed_and_nothing_else(call):
    said = call("keys", "create", "ci", "--role", "publisher", "--project", "lamp")

    assert said.status == 0, said.err
    assert re.fullmatch(r"otak_[A-Za-z0-9_-]{43}\n", said.out)


def test_a_key_from_the_shell_opens_the_server(call, tmp_path):
    key = call("keys", "create", "ci", "--role", "viewer").out.strip()

    with Instance(tmp_path) as ota:
        assert ota.get("/api/v1/projects", key).status_code == 200


def test_all_of_a_key_is_said_for_programs(call):
    given = json.loads(call("keys", "create", "a", "--role", "viewer", "--days", "7", "--json").out)

    assert given["key"]["expires_at"] is not None
    listed = call("keys", "list", "--json")
    assert json.loads(listed.out) == [given["key"]]
    assert given["text"] not in listed.out


def test_keys_are_listed_with_what_became_of_them(call):
    call("keys", "create", "a", "--role", "viewer")
    call("keys", "create", "b", "--role", "operator", "--project", "lamp")

    assert call("keys", "revoke", "a").out == "revoked a\n"

    lines = call("keys", "list").out.splitlines()
    assert lines[0].split() == ["a", "viewer", "all", "revoked"]
    assert lines[1].split() == ["b", "operator", "lamp", "good"]


@pytest.mark.parametrize(
    "words",
    [
        ["create", "a"],
        ["create", "a", "--role", "root"],
        ["create", "shell", "--role", "viewer"],
        ["create", "a b", "--role", "viewer"],
        ["create", "a", "--role", "viewer", "--project", "../x"],
        ["create", "a", "--role", "viewer", "--days", "0"],
        ["revoke", "nobody"],
    ],
)
def test_a_call_that_makes_no_sense_is_refused_in_a_line(call, words):
    said = call("keys", *words)

    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_a_project_is_shown_and_changed(call):
    assert words_of(call("projects", "show", "lamp"))["unknown_version"] == "hold"

    said = call(
        *("projects", "set", "lamp", "--chip", "ESP32-S3", "--revision", "301"),
        *("--tag-channel", "test=beta", "--tag-channel", "a=b=gamma", "--notes", "a lamp"),
        *("--accepts-keys", "--json"),
    )

    told = json.loads(said.out)
    assert (told["chip"], told["revision"], told["accepts_keys"]) == ("esp32s3", 301, True)
    assert told["tag_channels"] == {"test": "beta", "a=b": "gamma"}
    assert json.loads(call("projects", "show", "lamp", "--json").out) == told
    assert call("projects", "list").out.split(None, 1) == ["lamp", "a lamp\n"]


def test_what_is_not_given_stays_and_may_be_taken_back(call):
    call("projects", "set", "lamp", "--chip", "esp32", "--notes", "a")

    told = json.loads(call("projects", "set", "lamp", "--chip", "", "--json").out)

    assert (told["chip"], told["notes"]) == (None, "a")


def test_how_a_projects_releases_spread_and_how_fast_it_downloads_is_settled(call):
    limits = ("downloads_max", "download_bytes_per_second")

    given = call(
        *("projects", "set", "lamp", "--spread", "by-rollout", "--downloads-max", "20"),
        *("--download-bytes-per-second", "1000000", "--json"),
    )
    back = call(
        *("projects", "set", "lamp", "--spread", "at-once", "--downloads-max", "0"),
        *("--download-bytes-per-second", "", "--json"),
    )

    told = json.loads(given.out)
    assert (told["spread"], *map(told.get, limits)) == ("by-rollout", 20, 1_000_000)
    told = json.loads(back.out)
    assert (told["spread"], *map(told.get, limits)) == ("at-once", None, None)


def test_settings_are_forgotten(call, tmp_path):
    (tmp_path / "www" / "firmware" / "oven").mkdir(parents=True)
    call("projects", "set", "lamp", "--notes", "a")

    assert call("projects", "forget", "lamp").status == 0

    assert [p["name"] for p in json.loads(call("projects", "list", "--json").out)] == ["oven"]


@pytest.mark.parametrize(
    "words",
    [
        ["set", "lamp", "--folder", "sometimes"],
        ["set", "-lamp", "--notes", "a"],
        ["set", "lamp", "--tag-channel", "test"],
        ["set", "lamp", "--tag-channel", "a b=beta"],
        ["set", "lamp", "--chip", "no chip!"],
        ["set", "lamp", "--spread", "slowly"],
        ["set", "lamp", "--downloads-max", "-1"],
        ["set", "lamp", "--downloads-max", "some"],
        ["set", "lamp", "--download-bytes-per-second", "1023"],
        ["show", "../etc"],
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_in_a_line(call, words):
    said = call("projects", *words)

    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err


def test_a_projects_words_are_those_of_its_pages(call):
    said = call("projects", "set", "lamp", "--folder", "draft", "--registering", "check-in")

    assert said.status == 0
    assert words_of(said)["registering"] == "check-in"


def words_of(said):
    """What is said of each setting."""
    lines = (line.partition(" ") for line in said.out.splitlines())
    return {setting: value.strip() for setting, _, value in lines}
