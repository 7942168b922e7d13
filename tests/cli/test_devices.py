"""`devices`: the same operations as the admin API, from the shell of the server."""

import csv
import io
import json
import re
import stat

import pytest

from ota_http_server.security.device_signatures import fingerprint, public_key
from tests.instance import Instance
from tests.operations.enrolling import KeyPair

ADD = ("devices", "add", "board", "--project", "lamp")


def told(said):
    assert said.status == 0, said.err
    return json.loads(said.out)


def table(text):
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0] == {"key": "ota", "type": "namespace", "encoding": "", "value": ""}
    assert {(row["type"], row["encoding"]) for row in rows[1:]} == {("data", "string")}
    return {row["key"]: row["value"] for row in rows[1:]}


def test_a_credential_is_printed_and_nothing_else_and_opens_the_server(call, tmp_path):
    said = call(*ADD)

    assert (said.status, said.err) == (0, "")
    assert re.fullmatch(r"[A-Za-z0-9]{32}\n", said.out)
    with Instance(tmp_path) as ota:
        (ota.firmware / "lamp").mkdir()
        assert ota.get("/firmware/lamp/versions", said.out.strip()).status_code == 200


def test_a_device_comes_in_with_what_is_known_of_it(call):
    given = told(
        call(
            *(*ADD, "--chip", "ESP32-S3", "--revision", "301", "--board", "b2", "--tag", "x"),
            *("--channel", "beta", "--version", "1.2.0", "--notes", "on the roof", "--json"),
        )
    )

    assert len(given["text"]) == 32 and given["credential"]["device"] == "board"
    device = told(call("devices", "show", "board", "--json"))
    assert (device["chip"], device["revision"], device["board"]) == ("esp32s3", 301, "b2")
    assert (device["tags"], device["channel"], device["version"]) == (["x"], "beta", "1.2.0")
    assert (device["notes"], device["created_by"]) == ("on the roof", "shell")
    assert re.search(r"^chip +esp32s3$", call("devices", "show", "board").out, re.MULTILINE)


def test_a_device_is_added_once(call):
    call(*ADD)

    again = call(*ADD)

    assert (again.status, again.out) == (2, "")
    assert "already" in again.err


def test_the_way_in_is_printed_as_a_table_for_nvs(call):
    said = call(*ADD, "--nvs", "-", "--url", "https://ota.example.com:8070/")

    values = table(said.out)
    assert list(values) == ["token", "url", "project", "device_id"]
    assert values["url"] == "https://ota.example.com:8070"
    assert (values["project"], values["device_id"]) == ("lamp", "board")
    assert re.fullmatch(r"[A-Za-z0-9]{32}", values["token"])


def test_the_table_goes_into_a_file_for_its_owner_alone(call, tmp_path):
    (tmp_path / "nvs.csv").write_text("what was there before")
    (tmp_path / "nvs.csv").chmod(0o644)

    said = call(*ADD, "--nvs", "nvs.csv", OTA_PUBLIC_URL="http://ota.example.com")

    assert (said.status, said.out, said.err) == (0, "", "")
    file = tmp_path / "nvs.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert table(file.read_text())["url"] == "http://ota.example.com"
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []


def test_without_an_address_the_table_has_none_and_that_is_said(call):
    said = call(*ADD, "--nvs", "-")

    assert "url" not in table(said.out)
    assert "public_url" in said.err


@pytest.mark.parametrize("place", ["no/such/folder/nvs.csv", "."])
def test_a_table_that_cannot_be_written_gives_nothing_out(call, place):
    said = call(*ADD, "--nvs", place)

    assert (said.status, said.out) == (2, "")
    assert call("devices", "show", "board").status == 2


def test_devices_are_listed_and_sought(call):
    call(*ADD, "--chip", "esp32", "--tag", "x", "--version", "1.0.0")
    call("devices", "add", "other", "--project", "fan")
    call("devices", "block", "other")

    def ids(*words):
        return [one["id"] for one in told(call("devices", "list", "--json", *words))]

    assert ids() == ["board", "other"]
    assert ids("--project", "lamp") == ids("--chip", "ESP32") == ids("--tag", "x") == ["board"]
    assert ids("--blocked") == ids("--text", "OTH") == ["other"]
    assert ids("--not-blocked") == ids("--version", "1.0.0") == ["board"]
    assert ids("--silent-days", "1") == ["board", "other"]
    lines = call("devices", "list").out.splitlines()
    assert lines[0].split() == ["board", "lamp", "1.0.0", "never", "seen"]
    assert lines[1].split() == ["other", "fan", "?", "never", "seen", "blocked"]


def test_settings_are_changed_and_taken_back(call):
    call(*ADD, "--chip", "esp32", "--tag", "x")

    changed = told(
        call("devices", "set", "board", "--chip", "", "--tag", "a", "--tag", "b", "--json")
    )
    assert (changed["chip"], changed["tags"], changed["edition"]) == (None, ["a", "b"], 2)
    assert told(call("devices", "set", "board", "--no-tags", "--json"))["tags"] == []
    outdated = call("devices", "set", "board", "--notes", "a", "--edition", "1")
    assert outdated.status == 2 and "edition 3" in outdated.err


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (("block", "board"), "blocked", True),
        (("unblock", "board"), "blocked", False),
        (("pin", "board", "1.2.0"), "pinned", "1.2.0"),
        (("unpin", "board"), "pinned", None),
        (("retry", "board"), "id", "board"),
    ],
)
def test_what_is_done_often_has_a_word_of_its_own(call, words, name, value):
    call(*ADD)

    assert told(call("devices", *words, "--json"))[name] == value


def test_why_a_device_gets_what_it_gets_is_said_in_words(call):
    call(*ADD)
    call("devices", "block", "board")

    assert "blocked" in call("devices", "explain", "board").out


def test_nothing_is_called_off_where_nothing_is_under_way(call):
    call(*ADD)

    said = call("devices", "cancel", "board")

    assert (said.status, said.out) == (2, "")


def test_a_removed_device_is_gone_with_its_credential(call, tmp_path):
    token = call(*ADD).out.strip()

    assert call("devices", "remove", "board").out == "removed board\n"

    assert call("devices", "show", "board").status == 2
    with Instance(tmp_path) as ota:
        assert ota.get("/firmware/lamp/versions", token).status_code == 401


def test_credentials_are_given_listed_and_revoked(call):
    first = told(call(*ADD, "--json"))
    second = told(call("devices", "credential", "board", "--json"))

    listed = call("devices", "credentials", "board", "--json")
    assert {one["digest"] for one in told(listed)} == {
        one["credential"]["digest"] for one in (first, second)
    }
    assert first["text"] not in listed.out
    digest = first["credential"]["digest"]
    assert call("devices", "credentials-revoke", "--credential", digest[:12]).out == "revoked 1\n"
    assert told(call("devices", "credentials-revoke", "board", "--json")) == {"revoked": 1}
    states = [line.split()[-1] for line in call("devices", "credentials", "board").out.splitlines()]
    assert states == ["revoked", "revoked"]


def test_a_gateways_key_comes_with_a_loud_warning(call):
    said = call("devices", "gateway", "lamp")

    assert re.fullmatch(r"[A-Za-z0-9]{32}\n", said.out)
    assert said.err.startswith("warning: whoever has this key speaks for every device")
    assert "gateway" in call("devices", "credentials", "--project", "lamp").out


def test_keys_are_expected_by_their_fingerprint_or_their_file(call, tmp_path):
    pair, other = KeyPair(), KeyPair("ed25519")
    (tmp_path / "key.pem").write_text(pair.pem)

    said = call("devices", "preauthorize", "key.pem", "--project", "lamp", "--device", "board")
    assert said.out == "announced board of lamp\n"
    assert "takes no keys" in said.err
    call("projects", "set", "lamp", "--accepts-keys")
    name = fingerprint(public_key(other.pem))
    assert call("devices", "preauthorize", name, "--project", "lamp").err == ""

    listed = told(call("devices", "pending", "--state", "announced", "--json"))
    assert {one["device"] for one in listed} == {"board", ""}
    assert call("devices", "pending").out == ""
    assert call("devices", "accept", name).status == 2
    assert call("devices", "reject", name).out == "rejected any device of lamp\n"


@pytest.mark.parametrize(
    "words",
    [
        ("add", "a b", "--project", "lamp"),
        ("add", "board"),
        ("add", "board", "--project", "../x"),
        ("add", "board", "--project", "lamp", "--chip", "no chip!"),
        ("show", "nobody"),
        ("set", "nobody", "--notes", "a"),
        ("credential", "nobody"),
        ("credentials",),
        ("credentials", "board", "--project", "lamp"),
        ("credentials-revoke",),
        ("credentials-revoke", "nobody"),
        ("credentials-revoke", "--credential", "xyz"),
        ("gateway", "../x"),
        ("accept", "abc"),
        ("reject", "a" * 64),
        ("preauthorize", "nothing.pem", "--project", "lamp"),
        ("retry", "nobody"),
        ("remove", "nobody"),
        ("explain", "nobody"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_in_a_line(call, words):
    said = call("devices", *words)

    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err
