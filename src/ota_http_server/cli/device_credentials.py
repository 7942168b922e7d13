"""`ota_http_server devices add`, `credential` and what belongs to it: devices are given their ways
in, and lose them.
"""

import json
from typing import Any, TextIO

import click

from ota_http_server.api.v1.claim_words import CredentialTold, GivenCredentialTold
from ota_http_server.cli.nvs_file import address_of, nvs_options, nvs_target, write_nvs
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import device_key
from ota_http_server.operations.find_device import NO_SUCH_DEVICE
from ota_http_server.operations.issue_credential import NAME_CHARACTERS, IssuedCredential
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings


@click.command()
@click.argument("device")
@click.option("--project", required=True, help="The project that it belongs to.")
@click.option("--chip", help="Such as esp32s3.")
@click.option("--revision", help="Of the chip, in hundredths.")
@click.option("--board", help="Its board.")
@click.option("--channel", help="The channel that it follows.")
@click.option("--version", help="What it runs, as long as it does not say so itself.")
@click.option("--notes", help="Text for people.")
@click.option("--tag", "tags", multiple=True, help="A tag of it; may be repeated.")
@nvs_options
@json_option
@data_options
def add(
    settings: Settings,
    device: str,
    project: str,
    place: str | None,
    url: str | None,
    as_json: bool,
    **facts: Any,
) -> None:
    """Put a device into the registry and print its credential: shown this once, kept nowhere."""
    known = {name: value for name, value in facts.items() if value not in (None, ())}
    with nvs_target(place) as target, opened_ota(settings) as ota:
        issued = ota.enroll.issue(SHELL, project, device, known, must_be_new=True)
        _hand_over(settings, issued, target, url, as_json)


@click.command()
@click.argument("device")
@nvs_options
@json_option
@data_options
def credential(
    settings: Settings, device: str, place: str | None, url: str | None, as_json: bool
) -> None:
    """Print one more credential of a device; those that it has stay good."""
    with nvs_target(place) as target, opened_ota(settings) as ota:
        with ota.stores.database.reading() as rows:
            known = rows.devices.get(device_key(device))
        if known is None:
            raise NotFound(NO_SUCH_DEVICE)
        issued = ota.enroll.issue(SHELL, known.project, known.id)
        _hand_over(settings, issued, target, url, as_json)


@click.command()
@click.argument("project")
@json_option
@data_options
def gateway(settings: Settings, project: str, as_json: bool) -> None:
    """Print a key that speaks for every device of a project, as hawkBit's gateways have it."""
    with opened_ota(settings) as ota:
        issued = ota.enroll.gateway(SHELL, project)
    click.echo(f"warning: {issued.warning}", err=True)
    click.echo(_json(issued) if as_json else issued.text)


@click.command()
@click.argument("device", required=False)
@click.option("--project", help="The gateways of this project, in place of a device.")
@json_option
@data_options
def credentials(settings: Settings, device: str | None, project: str | None, as_json: bool) -> None:
    """List the credentials of a device or of a project's gateways, by their digests."""
    if (device is None) == (project is None):
        raise click.UsageError("say either a device or --project")
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        if device is not None:
            found = rows.credentials.of_device(device_key(device))
        else:
            found = rows.credentials.of(project or "", "")
    if as_json:
        click.echo(json.dumps(CredentialTold(many=True).dump(found), indent=2))
        return
    for one in found:
        state = "good" if one.revoked_at is None else "revoked"
        click.echo(f"{one.digest[:NAME_CHARACTERS]} {one.kind:<8} {one.created_by:<28} {state}")


@click.command(name="credentials-revoke")
@click.argument("device", required=False)
@click.option("--credential", "digest", help="Only this one, by the beginning of its digest.")
@json_option
@data_options
def credentials_revoke(
    settings: Settings, device: str | None, digest: str | None, as_json: bool
) -> None:
    """Revoke all that opens anything in a device's name, its tokens and key too; or one credential.

    Running servers refuse them within two seconds. A claim code can let the device in again.
    """
    if (device is None) == (digest is None):
        raise click.UsageError("say either a device or --credential")
    with opened_ota(settings) as ota:
        if digest is not None:
            revoked = [ota.enroll.revoke(SHELL, digest).digest]
            count = len(revoked)
        else:
            count = ota.enroll.revoke_all(SHELL, device or "")
    click.echo(json.dumps({"revoked": count}) if as_json else f"revoked {count}")


CREDENTIAL_COMMANDS = (add, credential, credentials, credentials_revoke, gateway)


def _hand_over(
    settings: Settings,
    issued: IssuedCredential,
    target: TextIO | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Says the credential in one of the three ways, once."""
    if target is None:
        click.echo(_json(issued) if as_json else issued.text)
        return
    values = {
        "token": issued.text,
        "url": address_of(settings, url),
        "project": issued.credential.project,
        "device_id": issued.credential.device,
    }
    write_nvs(target, values)


def _json(issued: IssuedCredential) -> str:
    return json.dumps(GivenCredentialTold().dump(issued), indent=2)
