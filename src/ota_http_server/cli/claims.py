"""`ota_http_server claims`: codes that devices turn into their first credential."""

import json
import sys

import click

from ota_http_server.api.v1.claim_words import ClaimTold, GivenClaimTold
from ota_http_server.cli.nvs_file import STDOUT, address_of, nvs_options, nvs_target, write_nvs
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.claim import (
    DEVICES_MAX,
    EXPIRES_SECONDS_MAX,
    TYPED_CHARACTERS_MAX,
    Claim,
    grouped,
    plain_code,
)
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.identity import enrolled_id, project_name
from ota_http_server.operations.claim import ClaimWish
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings

PAGE = 1_000
HOUR_SECONDS = 3600


@click.group()
def claims() -> None:
    """Give codes that let devices in, and take them back."""


@claims.command()
@click.option("--project", required=True, help="The project that its devices come into.")
@click.option(
    "--devices",
    type=click.IntRange(1, DEVICES_MAX),
    default=1,
    show_default=True,
    help="How many devices it lets in.",
)
@click.option(
    "--hours",
    type=click.IntRange(1, EXPIRES_SECONDS_MAX // HOUR_SECONDS),
    default=7 * 24,
    show_default=True,
    help="How long it is good.",
)
@click.option("--label", default="", help="What it is for.")
@click.option("--channel", help="The channel that its devices follow.")
@click.option("--tag", "tags", multiple=True, help="A tag of its devices; may be repeated.")
@nvs_options
@json_option
@data_options
def create(
    settings: Settings,
    project: str,
    devices: int,
    hours: int,
    label: str,
    channel: str | None,
    tags: tuple[str, ...],
    place: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Print a new code, and nothing else; it is shown this once."""
    with nvs_target(place) as target, opened_ota(settings) as ota:
        now = int(ota.stores.database.clock().timestamp())
        wish = ClaimWish.of(
            project,
            devices,
            label=label,
            expires_at=now + hours * HOUR_SECONDS,
            channel=channel,
            tags=tags,
        )
        given = ota.claims.create(SHELL, wish)
        if target is not None:
            write_nvs(
                target,
                {"claim": given.code, "url": address_of(settings, url), "project": project},
            )
            return
    click.echo(json.dumps(GivenClaimTold().dump(given), indent=2) if as_json else given.code)


@claims.command(name="list")
@click.option("--project", help="Of this project.")
@json_option
@data_options
def list_(settings: Settings, project: str | None, as_json: bool) -> None:
    """List the codes, by their numbers; never their text."""
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        now, found = rows.second, list[Claim]()
        while page := rows.claims.page(project, found[-1].id if found else 0, PAGE):
            found += page
    if as_json:
        click.echo(json.dumps(ClaimTold(many=True).dump(found), indent=2))
        return
    for claim in found:
        used = f"{claim.uses}/{claim.uses_max}"
        line = f"{claim.id:>6} {claim.project:<16} {used:>13} {_end(claim, now):<8} {claim.label}"
        click.echo(line.rstrip())


@claims.command()
@click.argument("number", type=click.IntRange(1))
@json_option
@data_options
def revoke(settings: Settings, number: int, as_json: bool) -> None:
    """Take a code back by its number; devices that came in by it stay."""
    with opened_ota(settings) as ota:
        claim = ota.claims.revoke(SHELL, number)
    click.echo(json.dumps(ClaimTold().dump(claim), indent=2) if as_json else f"revoked {claim.id}")


@claims.command(name="nvs")
@click.argument("code", metavar="[CODE]", default="-")
@click.option("--project", help="Put the project into the table, too.")
@click.option("--device", help="Put this device id into the table, too.")
@nvs_options
@data_options
def table(
    settings: Settings,
    code: str,
    project: str | None,
    device: str | None,
    place: str | None,
    url: str | None,
) -> None:
    """Print a code as CSV for ESP-IDF's nvs_partition_gen; without CODE it is read."""
    plain = plain_code(sys.stdin.read(TYPED_CHARACTERS_MAX + 1) if code == "-" else code)
    if plain is None:
        raise Invalid("that is no claim code: it has 20 letters and digits")
    values = {
        "claim": grouped(plain),
        "url": address_of(settings, url),
        "project": project_name(project) if project else None,
        "device_id": enrolled_id(device) if device else None,
    }
    with nvs_target(place or STDOUT) as target:
        write_nvs(target or sys.stdout, values)


def _end(claim: Claim, now: int) -> str:
    if claim.revoked_at is not None:
        return "revoked"
    if not claim.holds(now):
        return "expired"
    return "good" if claim.has_room else "used up"
