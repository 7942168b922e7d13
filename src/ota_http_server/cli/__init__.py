"""The command line: `ota_http_server [options]` serves, and a noun is a command of its own.

Commands are imported when they are called: serving must patch the standard library before
anything imports `ssl`, and `--help` should not wait for a database driver.
"""

import importlib
import sys

import click

from ota_http_server import __version__
from ota_http_server.cli.options import knob_options
from ota_http_server.domain.errors import Misconfigured, Refusal

COMMANDS = {
    "audit": "ota_http_server.cli.audit:audit",
    "certs": "ota_http_server.cli.certs:certs",
    "claims": "ota_http_server.cli.claims:claims",
    "devices": "ota_http_server.cli.devices:devices",
    "doctor": "ota_http_server.cli.doctor:doctor",
    "keys": "ota_http_server.cli.keys:keys",
    "projects": "ota_http_server.cli.projects:projects",
    "publish": "ota_http_server.cli.publish:publish",
    "releases": "ota_http_server.cli.releases:releases",
    "rollouts": "ota_http_server.cli.rollouts:rollouts",
    "sample": "ota_http_server.cli.sample:sample",
    "settings": "ota_http_server.cli.settings:show",
    "simulate": "ota_http_server.cli.simulate:simulate",
    "stop": "ota_http_server.cli.stop:stop",
    "token": "ota_http_server.cli.token:token",
    "try": "ota_http_server.cli.try_client:try_client",
}

EXIT_WRONG = 2  # the call, the settings or what they name is wrong; nothing was served


class Nouns(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(
    cls=Nouns,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ota_http_server")
@knob_options
@click.pass_context
def cli(context: click.Context, /, **options: object) -> None:
    """Serve firmware over HTTP(S), or run one of the commands below.

    Settings come from four levels: defaults, then config.toml, then the environment, then these
    options. An option that is left out leaves the level below in force.
    """
    if context.invoked_subcommand is None:
        from ota_http_server.cli.serve import run  # pylint: disable=import-outside-toplevel

        context.exit(run(options))
    given = [name for name, value in options.items() if value is not None]
    if given:
        word = given[0].replace("_", "-")
        raise click.UsageError(f"--{word} belongs behind the command: {context.invoked_subcommand}")


def main() -> None:
    """The entry point: mistakes of the caller are one line and exit status 2, never a traceback."""
    try:
        cli()  # pylint: disable=no-value-for-parameter  # click gives it
    except (Misconfigured, Refusal) as error:
        click.echo(f"ota_http_server: {one_line(str(error))}", err=True)
        sys.exit(EXIT_WRONG)


def one_line(text: str) -> str:
    """The text without a character that could break or forge a line; names come from outside."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
