"""Calling it wrongly, asking for help, and the one line that mistakes are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ota_http_server import __version__
from ota_http_server.cli import COMMANDS
from ota_http_server.settings import knobs, option_names
from tests.cli.calling import real

ROOT = Path(__file__).parents[2]


def test_help_shows_every_setting_and_every_command(call):
    said = call("--help")

    assert said.status == 0
    for key, (field, _) in knobs().items():
        assert all(name in said.out for name in option_names(key, field.type))
    assert all(re.search(rf"^  {name} ", said.out, re.MULTILINE) for name in COMMANDS)


def test_the_version_is_the_packages(call):
    assert call("--version").out == f"ota_http_server, version {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(call, name):
    said = call(name, "--help")

    assert said.status == 0
    assert said.out.startswith(f"Usage: ota_http_server {name}")


def test_an_option_of_the_server_before_a_command_is_pointed_out(call):
    said = call("--data-dir", "x", "settings")

    assert said.status == 2
    assert "--data-dir belongs behind the command: settings" in said.err


@pytest.mark.parametrize("words", [["nonsense"], ["--prot", "1"], ["token", "nonsense"]])
def test_unknown_words_are_exit_status_2(call, words):
    said = call(*words)

    assert said.status == 2
    assert "No such" in said.err


@pytest.mark.parametrize("command", ["settings", "doctor", "sample"])
def test_a_broken_file_is_one_line_and_exit_status_2_for_every_command(call, command):
    Path("config.toml").write_text("[parameters]\nprot = 1\n")

    said = call(command)

    assert (said.status, said.out) == (2, "")
    assert said.err == ("ota_http_server: config.toml: unknown key 'prot' (did you mean 'port'?)\n")


def test_serving_with_a_broken_file_is_the_same_line(tmp_path):
    (tmp_path / "config.toml").write_text('[parameters]\nport = "8071"\n')

    said = real(tmp_path)

    assert (said.status, said.out) == (2, "")
    assert said.err == ("ota_http_server: config.toml: port must be a whole number, not '8071'\n")


def test_a_missing_file_asked_for_and_a_folder_in_its_place_are_one_line(call, tmp_path):
    assert call("settings", "--config", "none.toml").err == (
        "ota_http_server: none.toml: there is no such configuration file\n"
    )
    assert call("settings", "--config", str(tmp_path)).err == (
        f"ota_http_server: {tmp_path}: cannot be read (Is a directory)\n"
    )


def test_a_name_with_control_characters_cannot_forge_a_second_line(call):
    said = call("settings", "--config", "a\nb\x1b[31m")

    assert said.err == ("ota_http_server: a\\nb\\x1b[31m: there is no such configuration file\n")


def test_the_module_and_the_script_in_the_checkout_are_the_same_command(tmp_path):
    script = [sys.executable, str(ROOT / "http_server.py"), "--version"]

    assert real(tmp_path, "--version").out == (
        subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    )
