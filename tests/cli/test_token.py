"""`token`: minted, inspected and revoked from the shell of the server."""

import io
import json
import subprocess
import sys
from datetime import datetime

import pytest

from tests.cli.calling import real

DEVICE = "e6f87d77-4216-4be1-ab83-b5fa6792b747"


@pytest.fixture
def mint(call, tmp_path):
    (tmp_path / "www/firmware").mkdir(parents=True)  # as every start leaves it

    def minted(*words):
        said = call("token", "mint", "--device", DEVICE, "--project", "lamp", *words)
        assert said.status == 0, said.err
        return said

    return minted


def accepted(call, token):
    return json.loads(call("token", "inspect", "--json", token).out)["accepted"]


def test_mint_prints_the_token_and_nothing_else(mint, call):
    said = mint()

    assert len(said.out.splitlines()) == 1
    assert said.err == "warning: there is no folder for project lamp yet\n"
    assert accepted(call, said.out.strip())


def test_mint_says_all_of_it_for_programs(mint):
    answer = json.loads(mint("--json", "--minutes", "5", "--firmware", "1.2.3").out)

    payload = answer["payload"]
    assert list(payload) == ["sub", "project", "roles", "iat", "exp", "jti", "fw_version"]
    assert (payload["sub"], payload["project"], payload["fw_version"]) == (DEVICE, "lamp", "1.2.3")
    assert payload["exp"] - payload["iat"] == 300
    assert datetime.fromisoformat(answer["expires_at"]).timestamp() == payload["exp"]


def test_without_minutes_a_token_lives_as_long_as_the_settings_say(call):
    said = call(
        *("token", "mint", "--json", "--device", DEVICE, "--project", "lamp"),
        OTA_JWT_EXPIRY_MINUTES="7",
    )

    payload = json.loads(said.out)["payload"]
    assert payload["exp"] - payload["iat"] == 420


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--device", "lamp-1", "--project", "lamp"], "device_id must be a UUID"),
        (["--device", DEVICE, "--project", "../lamp"], "project must be 1 to 64 of"),
        (["--device", DEVICE, "--project", "lamp", "--minutes", "0"], "from 1 to 1440"),
        (["--device", DEVICE, "--project", "lamp", "--minutes", "1441"], "from 1 to 1440"),
        (["--device", DEVICE, "--project", "lamp", "--firmware", "é"], "current_fw must be"),
    ],
)
def test_what_cannot_be_minted_is_one_line_and_exit_status_2(call, words, said):
    result = call("token", "mint", *words)

    assert (result.status, result.out) == (2, "")
    assert said in result.err
    assert result.err.startswith("ota_http_server: ")
    assert result.err.count("\n") == 1


def test_inspect_shows_the_claims_and_says_accepted(mint, call):
    token = mint().out.strip()

    said = call("token", "inspect", token)

    assert said.status == 0
    assert said.out.startswith("accepted\n")
    assert '  project      "lamp"\n' in said.out


def test_inspect_refuses_a_foreign_token_with_its_reason_and_exit_status_1(mint, call):
    token = mint().out.strip()
    head, claims, signature = token.split(".")
    other = "A" if signature[0] != "A" else "B"

    said = call("token", "inspect", f"{head}.{claims}.{other}{signature[1:]}")

    assert said.status == 1
    assert said.out.startswith("refused: ")
    assert '  project      "lamp"\n' in said.out


@pytest.mark.parametrize("junk", ["", "x", "a.b.c", "....", "é.é.é", "a" * 20_000])
def test_inspect_says_no_to_whatever_comes(call, monkeypatch, junk):
    monkeypatch.setattr(sys, "stdin", io.StringIO(junk))

    said = call("token", "inspect", "-")

    assert said.status == 1
    assert said.out.startswith("refused: ")


def test_a_token_is_read_where_no_process_list_shows_it(mint, call, tmp_path):
    token = mint().out

    assert real(tmp_path, "token", "inspect", given=token).out.startswith("accepted\n")
    assert real(tmp_path, "token", "revoke", "--token", "-", given=token).status == 0
    assert real(tmp_path, "token", "inspect", "-", given=token).out == (
        call("token", "inspect", token.strip()).out
    )
    assert not accepted(call, token.strip())


def test_bytes_that_are_no_text_are_no_token(tmp_path):
    command = [sys.executable, "-m", "ota_http_server", "token", "inspect", "-"]
    done = subprocess.run(
        command, cwd=tmp_path, input=b"\xff\xfe\0", capture_output=True, check=False
    )

    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_revoking_by_its_id_refuses_that_token_alone(mint, call):
    one, other = (json.loads(mint("--json").out) for _ in range(2))

    said = call("token", "revoke", "--jti", one["payload"]["jti"])

    assert (said.status, said.out) == (0, "revoked by jti\n")
    assert not accepted(call, one["token"])
    assert accepted(call, other["token"])


def test_an_id_may_begin_with_a_hyphen(call):
    assert call("token", "revoke", "--jti", "-A-NW55SzClrUmCwhojvIA").status == 0
    assert call("token", "revoke", "--jti=--x").status == 0


def test_revoking_a_device_refuses_all_its_tokens_so_far_and_none_after(mint, call):
    before = mint().out.strip()

    said = call("token", "revoke", "--device", DEVICE.upper(), "--json")

    assert json.loads(said.out)["revoked"] == "device_id"
    assert not accepted(call, before)
    assert accepted(call, mint().out.strip())


def test_revoking_a_token_that_never_held_is_said(call):
    said = call("token", "revoke", "--token", "x.y.z")

    assert said.status == 0
    assert said.err == "warning: this token was not valid here anyway\n"


@pytest.mark.parametrize("words", [[], ["--jti", "a", "--device", DEVICE]])
def test_revoke_wants_exactly_one_way_to_say_what(call, words):
    said = call("token", "revoke", *words)

    assert said.status == 2
    assert "say exactly one of --jti, --token and --device" in said.err


def test_what_the_shell_did_stands_in_the_audit_log(mint, call, tmp_path):
    mint()
    call("token", "revoke", "--jti", "abc")

    lines = (tmp_path / "ota_audit.log").read_text().splitlines()
    assert [line.split()[2] for line in lines] == ["Action=generate_token", "Action=revoke_token"]
    assert all(" actor=shell" in line and " IP=" not in line for line in lines)
