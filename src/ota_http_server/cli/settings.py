"""`ota_http_server settings`: what is in force here, and the reference page made from the knobs."""

import json
from pathlib import Path
from typing import get_args

import click

from ota_http_server.api.v1.reference import reference as api_page
from ota_http_server.cli.commands_page import commands_page
from ota_http_server.cli.options import common_options, json_option
from ota_http_server.knob import Knob
from ota_http_server.settings import Settings, env_name, knobs, option_names


@click.command("settings")
@click.option("--markdown", is_flag=True, help="Print the reference page of all settings.")
@click.option("--commands", is_flag=True, help="Print the reference page of all commands.")
@click.option("--api", is_flag=True, help="Print the reference page of the admin API.")
@click.option("--example", is_flag=True, help="Print a config.toml with every knob commented out.")
@json_option
@common_options
def show(
    settings: Settings, markdown: bool, commands: bool, api: bool, example: bool, as_json: bool
) -> None:
    """Show the settings in force, of all four levels; secrets only as set or not."""
    if markdown:
        click.echo(reference(), nl=False)
    elif commands:
        click.echo(commands_page(), nl=False)
    elif api:
        click.echo(api_page(), nl=False)
    elif example:
        click.echo(example_file(), nl=False)
    elif as_json:
        click.echo(json.dumps(shown(settings), indent=2))
    else:
        for key, value in shown(settings).items():
            click.echo(f"{key:<28} {value}")


def shown(values: Settings) -> dict[str, str]:
    """The settings for people: secrets only as set or not."""
    return {key: _in_words(getattr(values, key), of) for key, (_, of) in knobs().items()}


def _in_words(value: object, of: Knob) -> str:
    if value is None:
        return of.shown_default or ""
    if of.secret:
        return "(set)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or of.shown_default or ""
    return str(value)


def reference() -> str:
    """`docs/reference/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Four levels, each overriding the one before: defaults, `config.toml` (table"
        " `[parameters]`), environment, command line. All are read at start only. Relative paths"
        " count from the working folder, `firmware_dir` from `www_dir`. Each secret's environment"
        " name has a variant with `_FILE` that names a file to read it from. In the environment an"
        " empty value counts as not set, as an empty text in the file does where the default is"
        " worked out at start. On the command line and in the environment a truth is true/false,"
        " 1/0, yes/no or on/off, and networks have commas between them.",
        "",
        "This page is made from the code: `ota_http_server settings --markdown`.",
    ]
    for group in dict.fromkeys(knob.group for _, knob in knobs().values()):
        lines += [
            "",
            f"## {group}",
            "",
            "| key in `config.toml` | option | environment | default | meaning |",
            "|---|---|---|---|---|",
        ]
        for key, (field, knob) in knobs().items():
            if knob.group == group:
                lines.append(_row(key, field.type, field.default, knob))
    return "\n".join(lines) + "\n"


def _row(key: str, kind: object, default: object, knob: Knob) -> str:
    option = " / ".join(f"`{name}`" for name in option_names(key, kind))
    meaning = knob.meaning + _bounds(knob)
    cells = (f"`{key}`", option, f"`{env_name(key, knob)}`", _default(default, knob), meaning)
    return f"| {' | '.join(cells)} |"


def _bounds(knob: Knob) -> str:
    if knob.choices:
        return ": " + ", ".join(f"`{choice}`" for choice in knob.choices)
    if knob.most is not None:
        return f" ({knob.least:.15g} to {knob.most:.15g})"
    return ""


def _default(default: object, knob: Knob) -> str:
    return knob.shown_default or f"`{_toml(default)}`"


def example_file() -> str:
    """`config.toml` with every knob commented out."""
    lines = [
        "# Every setting of ota_http_server, each with its default and commented out.",
        "# Environment and command line override what stands here; secrets are better there.",
        "# The page docs/reference/settings.md has the names of all levels.",
        "",
        "[parameters]",
    ]
    for group in dict.fromkeys(knob.group for _, knob in knobs().values()):
        lines += ["", f"# --- {group}"]
        for key, (field, knob) in knobs().items():
            if knob.group == group:
                lines += [f"# {knob.meaning}{_bounds(knob).replace('`', '')}"]
                lines += [f"#{key} = {_example(field.type, field.default, knob)}"]
    return "\n".join(lines) + "\n"


def _example(kind: object, default: object, knob: Knob) -> str:
    if default is not None:
        return _toml(default)
    value = "2" if int in get_args(kind) else '""'
    return f"{value}  # default: {(knob.shown_default or '').replace('`', '')}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple):
        return "[]"
    return json.dumps(str(value.as_posix() if isinstance(value, Path) else value))
