"""The reference page of the command line, made from the commands themselves."""

import inspect
from collections.abc import Iterator

import click

from ota_http_server.cli import COMMANDS, EXIT_WRONG, cli
from ota_http_server.settings import knobs

PROGRAM = "ota_http_server"


def commands_page() -> str:
    """`docs/reference/cli.md`."""
    lines = [
        "# Command line",
        "",
        f"`{PROGRAM} [options]` serves. Its options are the settings, one each, and `--config`,"
        " `--version` and `--help`: see [settings](settings.md). `python -m ota_http_server` and"
        " `python http_server.py` are the same.",
        "",
        f"Exit status: 0 for success, 1 where the answer is no, {EXIT_WRONG} where the call or the"
        " settings are wrong.",
        "",
        "This page is made from the code: `ota_http_server settings --commands`.",
    ]
    context = click.Context(cli, info_name=PROGRAM)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            lines += _sections(command, click.Context(command, parent=context, info_name=name))
    return "\n".join(lines) + "\n"


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from ("", f"## {context.command_path}", "")
    if not isinstance(command, click.Group):
        yield from ("```", command.get_usage(context).removeprefix("Usage: "), "```", "")
    yield inspect.cleandoc(command.help or "")
    options = [o for o in command.params if isinstance(o, click.Option) and o.name != "help"]
    if options:
        yield from ("", "| option | meaning |", "|---|---|")
        yield from (_row(option, context) for option in options)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.commands[name]
            yield from _sections(below, click.Context(below, parent=context, info_name=name))


def _row(option: click.Option, context: click.Context) -> str:
    names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    record = option.get_help_record(context)
    meaning = record[1].replace("|", "\\|") if record else ""
    if option.name in knobs():
        meaning += " See [settings](settings.md)."
    return f"| {names} | {meaning} |"
