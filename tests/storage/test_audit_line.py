"""The line's form is fixed, and nothing that a stranger sends can forge one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.storage.audit_line import audit_line, escaped
from ota_http_server.storage.events import Event

AT = 1760024052  # 2025-10-09T15:34:12Z
LINE = re.compile(
    r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] \[AUDIT\] Action=\w+( \w+=[A-Za-z0-9._:+%-]*)*\Z",
    re.ASCII,
)


def event(action: str = "generate_token", **facts: str | int) -> Event:
    return Event(1, AT, action, facts, "", "")


def test_a_minted_token_is_the_line_that_existing_readers_know():
    minted = event(
        exp=1739085000,
        device="e6f87d77-4216-4be1-ab83-b5fa6792b747",
        project="projectA",
        IP="203.0.113.7",
    )

    assert audit_line(minted) == (
        "[2025-10-09T15:34:12Z] [AUDIT] Action=generate_token IP=203.0.113.7"
        " device=e6f87d77-4216-4be1-ab83-b5fa6792b747 project=projectA exp=1739085000"
    )


def test_later_fields_stand_behind_in_a_fixed_order():
    refused = event("x", zeta=1, alpha=2, count=3, jti="j", actor="a", exp=1, IP="::1", reason="r")

    assert audit_line(refused) == (
        "[2025-10-09T15:34:12Z] [AUDIT] Action=x"
        " IP=::1 exp=1 actor=a jti=j count=3 reason=r alpha=2 zeta=1"
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain-Value_1.2:3+4", "plain-Value_1.2:3+4"),
        ("two words", "two%20words"),
        ("50%", "50%25"),
        ("a=b", "a%3Db"),
        ("x\r\n[2025", "x%0D%0A%5B2025"),
        ("Grün", "Gr%C3%BCn"),
        ("~", "%7E"),
        ("\u2028", "%E2%80%A8"),
        (-5, "-5"),
    ],
)
def test_what_is_not_plain_is_percent_encoded(value, written):
    assert written == escaped(value)


def test_empty_values_are_left_out():
    assert audit_line(event(IP="")).endswith("Action=generate_token")


@given(st.dictionaries(st.sampled_from(["IP", "device", "reason", "other"]), st.text()))
def test_no_value_can_forge_a_line_or_a_field(facts):
    line = audit_line(event(**facts))

    assert LINE.match(line)
    assert line.count("=") == 1 + sum(value != "" for value in facts.values())
