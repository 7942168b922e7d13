import json
import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509

from ota_http_server.cli.certs import certs
from ota_http_server.security.authority import names_of
from ota_http_server.security.inspection import inspect_pair, warnings
from tests.security.handshake import greeting, needs_openssl, trusting

FILES = ["ca_cert.pem", "ca_key.pem", "server_cert.pem", "server_key.pem"]
GEN = Path(__file__).parents[2] / "certs" / "gen"


def run(*arguments):
    return CliRunner().invoke(certs, [str(argument) for argument in arguments])


def server(folder):
    return x509.load_pem_x509_certificate((folder / "server_cert.pem").read_bytes())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_makes_the_four_files_for_the_names_given(tmp_path):
    result = run("ota.example.com", "192.168.1.5", "::1", "--out", tmp_path)

    assert result.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert server(tmp_path).subject.rfc4514_string() == "CN=ota.example.com"
    assert names_of(server(tmp_path)) == ("ota.example.com", "192.168.1.5", "::1")


def test_keys_are_private_and_certificates_are_not(tmp_path):
    run("ota.lan", "--out", tmp_path)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict(zip(FILES, [0o644, 0o600, 0o644, 0o600], strict=True))


def test_a_server_with_these_files_starts_without_a_warning_and_is_trusted(tmp_path):
    run("ota.lan", "--out", tmp_path)
    pair = tmp_path / "server_cert.pem", tmp_path / "server_key.pem"

    assert warnings(inspect_pair(*pair, datetime.now(UTC))) == []
    assert greeting(trusting(tmp_path / "ca_cert.pem"), *pair, "ota.lan") == b"hello"


def test_without_names_it_is_for_this_host(tmp_path):
    run("--out", tmp_path)

    assert {"localhost", "127.0.0.1", "::1"} <= set(names_of(server(tmp_path)))


def test_without_a_folder_it_writes_to_certs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = run("ota.lan")

    assert sorted(path.name for path in Path("certs").iterdir()) == FILES
    assert "ota_http_server --cert certs/server_cert.pem --key certs/server_key.pem" in (
        result.output
    )


def test_it_says_what_goes_where_and_until_when(tmp_path):
    result = run("ota.lan", "--out", tmp_path, "--days", 90)

    until = server(tmp_path).not_valid_after_utc
    assert f"server_cert.pem  until {until:%Y-%m-%d}" in result.output
    assert timedelta(days=89) < until - datetime.now(UTC) <= timedelta(days=90)
    assert "build it into the firmware" in result.output
    assert "keep it offline, not on the server" in result.output


def test_programs_are_told_in_json(tmp_path):
    said = json.loads(run("ota.lan", "--out", tmp_path, "--json").output)

    assert said["names"] == ["ota.lan"]
    assert said["ca_cert"] == str(tmp_path / "ca_cert.pem")
    assert said["not_after"] == server(tmp_path).not_valid_after_utc.isoformat()


def test_what_is_there_is_not_overwritten(tmp_path):
    run("ota.lan", "--out", tmp_path)
    before = contents(tmp_path)

    result = run("other.lan", "--out", tmp_path)

    assert result.exit_code == 2
    assert "already there; --force replaces it" in result.output
    assert contents(tmp_path) == before


def test_force_replaces_certificate_and_key_but_never_the_authority(tmp_path):
    run("ota.lan", "--out", tmp_path)
    before = contents(tmp_path)

    result = run("other.lan", "--out", tmp_path, "--force")

    after = contents(tmp_path)
    assert result.exit_code == 0
    assert {name for name in FILES if after[name] != before[name]} == set(FILES[2:])
    pair = tmp_path / "server_cert.pem", tmp_path / "server_key.pem"
    assert greeting(trusting(tmp_path / "ca_cert.pem"), *pair, "other.lan") == b"hello"


@needs_openssl
def test_an_authority_made_with_openssl_is_used_again(tmp_path):
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "30"),
            *("-subj", "/CN=My CA", "-addext", "keyUsage=critical,keyCertSign"),
            *("-keyout", tmp_path / "ca_key.pem", "-out", tmp_path / "ca_cert.pem"),
        ],
        check=True,
        capture_output=True,
    )

    run("ota.lan", "--out", tmp_path)

    pair = tmp_path / "server_cert.pem", tmp_path / "server_key.pem"
    ca = x509.load_pem_x509_certificate((tmp_path / "ca_cert.pem").read_bytes())
    assert server(tmp_path).not_valid_after_utc == ca.not_valid_after_utc
    assert greeting(trusting(tmp_path / "ca_cert.pem"), *pair, "ota.lan") == b"hello"


@pytest.mark.parametrize("name", ["https://ota.lan", "*.com", "my_pi", "192.168.1.300", "a b"])
def test_a_name_that_is_none_is_refused_in_one_line_before_anything_is_made(tmp_path, name):
    result = run("ota.lan", name, "--out", tmp_path / "certs")

    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert repr(name) in result.output
    assert not (tmp_path / "certs").exists()


def test_files_that_are_no_authority_are_refused_in_one_line(tmp_path):
    run("ota.lan", "--out", tmp_path)
    shutil.copy(tmp_path / "server_cert.pem", tmp_path / "ca_cert.pem")
    shutil.copy(tmp_path / "server_key.pem", tmp_path / "ca_key.pem")

    result = run("ota.lan", "--out", tmp_path, "--force")

    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert "is not one of an authority (CA)" in result.output


@pytest.mark.parametrize("days", [0, 7301])
def test_a_life_out_of_range_is_refused(tmp_path, days):
    assert run("ota.lan", "--out", tmp_path, "--days", days).exit_code == 2


def installed(at, argument_log):
    """A command that writes down how it was called and does as `ota_http_server` does."""
    at.parent.mkdir(parents=True)
    at.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$0" "$@" > "{argument_log}"\nshift\n'
        f'exec "{sys.executable}" -c "from ota_http_server.cli.certs import certs; certs()" "$@"\n'
    )
    at.chmod(0o755)


def gen(repository, **environment):
    (repository / "certs").mkdir(parents=True)
    shutil.copy(GEN, repository / "certs" / "gen")
    return subprocess.run(
        [repository / "certs" / "gen", "ota.lan", "a b"],
        env={"PATH": os.defpath} | environment,
        capture_output=True,
        text=True,
    )


def test_gen_can_be_executed():
    assert os.access(GEN, os.X_OK)


def test_gen_prefers_the_environment_of_the_repository_and_passes_all_on(tmp_path):
    command, log = tmp_path / "our copy" / ".venv/bin/ota_http_server", tmp_path / "log"
    installed(command, log)

    result = gen(tmp_path / "our copy")

    called = log.read_text().splitlines()
    assert called[0].endswith(".venv/bin/ota_http_server")
    assert called[1:] == ["certs", "--out", f"{tmp_path}/our copy/certs", "ota.lan", "a b"]
    assert result.returncode == 2
    assert "'a b' is no host name" in result.stderr


def test_gen_takes_the_command_on_the_path_next(tmp_path):
    command, log = tmp_path / "bin" / "ota_http_server", tmp_path / "log"
    installed(command, log)

    gen(tmp_path / "copy", PATH=f"{command.parent}:{os.defpath}")

    assert log.read_text().splitlines()[0] == str(command)


def test_gen_takes_the_module_last(tmp_path):
    python, log = tmp_path / "bin" / "python3", tmp_path / "log"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{log}"\n')
    python.chmod(0o755)

    gen(tmp_path / "copy", PATH=f"{python.parent}:/bin:/usr/bin")

    assert log.read_text().splitlines()[:3] == ["-m", "ota_http_server", "certs"]
