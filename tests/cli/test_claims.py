"""`claims`: codes are given, listed and taken back from the shell of the server."""

import json
import re

import pytest

from tests.cli.calling import real
from tests.cli.test_devices import table, told
from tests.instance import Instance

CODE = r"(?:[0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}"
CREATE = ("claims", "create", "--project", "lamp")


def test_a_code_is_printed_and_nothing_else_and_lets_a_device_in(call, tmp_path):
    said = call(*CREATE)

    assert (said.status, said.err) == (0, "")
    assert re.fullmatch(f"{CODE}\n", said.out)
    with Instance(tmp_path) as ota:
        answer = ota.client.post(
            "/api/device/v1/enroll", json={"code": said.out.strip(), "device_id": "board"}
        )
        assert answer.status_code == 201


def test_all_of_a_claim_is_said_for_programs(call):
    given = told(
        call(
            *(*CREATE, "--devices", "500", "--hours", "2", "--label", "line 3"),
            *("--channel", "beta", "--tag", "x", "--json"),
        )
    )

    claim = given["claim"]
    assert re.fullmatch(CODE, given["code"])
    assert (claim["uses"], claim["uses_max"], claim["label"]) == (0, 500, "line 3")
    assert (claim["channel"], claim["tags"]) == ("beta", ["x"])
    listed = call("claims", "list", "--json")
    assert json.loads(listed.out) == [claim]
    assert given["code"] not in listed.out


def test_codes_are_listed_with_what_became_of_them(call):
    call(*CREATE, "--label", "first")
    call(*CREATE, "--devices", "9")

    assert call("claims", "revoke", "1").out == "revoked 1\n"

    lines = call("claims", "list", "--project", "lamp").out.splitlines()
    assert [line.split() for line in lines] == [
        ["1", "lamp", "0/1", "revoked", "first"],
        ["2", "lamp", "0/9", "good"],
    ]


def test_a_new_code_goes_straight_into_a_table_for_nvs(call):
    values = table(call(*CREATE, "--nvs", "-", "--url", "https://h").out)

    assert list(values) == ["claim", "url", "project"]
    assert re.fullmatch(CODE, values["claim"])


def test_a_code_that_was_given_before_becomes_a_table_without_the_process_list(tmp_path):
    typed = "0ab1 2cde 3fgh 4jkm 4d39"

    said = real(tmp_path, *("claims", "nvs", "--device", "AA-BB-CC-DD-EE-FF"), given=typed)

    assert table(said.out) == {
        "claim": "0AB1-2CDE-3FGH-4JKM-4D39",
        "device_id": "aa:bb:cc:dd:ee:ff",
    }


@pytest.mark.parametrize(
    "words",
    [
        ("create",),
        ("create", "--project", "../x"),
        ("create", "--project", "lamp", "--devices", "0"),
        ("create", "--project", "lamp", "--hours", "0"),
        ("create", "--project", "lamp", "--hours", "9999"),
        ("create", "--project", "lamp", "--tag", "a b"),
        ("create", "--project", "lamp", "--label", "a\nb"),
        ("revoke", "7"),
        ("revoke", "x"),
        ("nvs", "no-code"),
        ("nvs", "0AB1-2CDE-3FGH-4JKM-4D39", "--device", "a b"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_in_a_line(call, words):
    said = call("claims", *words)

    assert (said.status, said.out) == (2, "")
    assert "Traceback" not in said.err
