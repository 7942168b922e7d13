"""`ota_http_server keys`: API keys, given and taken back from the shell of the server."""

import json

import click

from ota_http_server.api.v1.keys import ROLES, GivenTold, KeyTold
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.api_key import LIFE_DAYS_MAX, ApiKey
from ota_http_server.operations.give_key import DAY_SECONDS, KEYS_MAX, KeyWish
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings


@click.group()
def keys() -> None:
    """Give API keys to people and programs, and take them back."""


@keys.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), required=True, help="What it may: each as the one before."
)
@click.option("--project", help="The one project that it may see and change.  [default: all]")
@click.option(
    "--days",
    type=click.IntRange(1, LIFE_DAYS_MAX),
    help="How long it lives.  [default: until it is revoked]",
)
@json_option
@data_options
def create(
    settings: Settings, name: str, role: str, project: str | None, days: int | None, as_json: bool
) -> None:
    """Print a new key, and nothing else; it is shown this once.

    NAME is what the audit log calls whoever uses it.
    """
    with opened_ota(settings) as ota:
        now = int(ota.stores.database.clock().timestamp())
        end = None if days is None else now + days * DAY_SECONDS
        given = ota.keys.create(SHELL, KeyWish.of(name, role, project, end))
    click.echo(json.dumps(GivenTold().dump(given), indent=2) if as_json else given.text)


@keys.command(name="list")
@json_option
@data_options
def list_(settings: Settings, as_json: bool) -> None:
    """List the keys, revoked ones too; never their text."""
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        found = rows.api_keys.page(None, "", KEYS_MAX)
        now = rows.second
    if as_json:
        click.echo(json.dumps(KeyTold(many=True).dump(found), indent=2))
        return
    for key in found:
        click.echo(
            f"{key.name:<24} {key.role.word:<10} {key.project or 'all':<24} {_end(key, now)}"
        )


@keys.command()
@click.argument("name")
@json_option
@data_options
def revoke(settings: Settings, name: str, as_json: bool) -> None:
    """Take a key back. Running servers refuse it within two seconds."""
    with opened_ota(settings) as ota:
        key = ota.keys.revoke(SHELL, name)
    click.echo(json.dumps(KeyTold().dump(key), indent=2) if as_json else f"revoked {key.name}")


def _end(key: ApiKey, now: int) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if not key.holds(now) else "good"
