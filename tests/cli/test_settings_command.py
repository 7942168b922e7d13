"""`settings`: what is in force, and the pages and the file that are made from the knobs."""

import json
import tomllib
from pathlib import Path

import pytest

from ota_http_server.levels import read_settings
from ota_http_server.security.secrets import read_secret_file
from ota_http_server.settings import Settings, knobs

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("option", "file"),
    [
        ("--markdown", "docs/reference/settings.md"),
        ("--commands", "docs/reference/cli.md"),
        ("--api", "docs/reference/api.md"),
        ("--example", "config.toml"),
    ],
)
def test_the_page_in_the_repository_is_what_the_code_says(call, option, file):
    assert call("settings", option).out == (ROOT / file).read_text()


def test_the_shipped_file_changes_nothing():
    shipped = tomllib.loads((ROOT / "config.toml").read_text())

    assert shipped == {"parameters": {}}
    assert read_settings({}, {}, ROOT / "config.toml", read_secret_file) == Settings()


def test_every_line_of_the_shipped_file_may_be_uncommented(tmp_path):
    lines = (ROOT / "config.toml").read_text().splitlines()
    config = tmp_path / "config.toml"
    config.write_text(
        "\n".join(line[1:] if line[:1] == "#" and line[1:2].isalpha() else line for line in lines)
    )

    read = read_settings({}, {}, config, read_secret_file)

    assert set(tomllib.loads(config.read_text())["parameters"]) == set(knobs())
    assert {k for k in knobs() if getattr(read, k) != getattr(Settings(), k)} == {"workers"}


def test_it_shows_what_is_in_force_and_where_levels_meet(call):
    Path("config.toml").write_text("[parameters]\nport = 9000\njwt_expiry = 5\n")

    said = json.loads(call("settings", "--json", OTA_JWT_EXPIRY_MINUTES="7").out)

    assert set(said) == set(knobs())
    assert (said["port"], said["jwt_expiry"], said["jwt_alg"]) == ("9000", "7", "HS256")


def test_secrets_are_shown_as_set_or_not_at_all(call):
    said = call("settings", OTA_ADMIN_SECRET="canary", OTA_DATABASE_URL="sqlite:///canary")

    assert "canary" not in said.out + said.err
    assert "admin_secret                 (set)" in said.out
    assert "jwt_secret                   made in the data folder" in said.out


def test_looking_makes_nothing(call, tmp_path):
    call("settings")

    assert list(tmp_path.iterdir()) == []
