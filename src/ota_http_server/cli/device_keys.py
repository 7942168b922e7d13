"""`ota_http_server devices pending`, `accept`, `reject`, `preauthorize`: key pairs of devices."""

import json
import sys
from pathlib import Path

import click

from ota_http_server.api.v1.claim_words import DeviceKeyTold
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.device_key import ANY_DEVICE, DeviceKey, KeyState
from ota_http_server.domain.errors import Invalid
from ota_http_server.ota import opened_ota
from ota_http_server.security.device_signatures import fingerprint, public_key
from ota_http_server.settings import Settings

PAGE = 1_000
FILE_BYTES_MAX = 4_096


@click.command()
@click.option("--project", help="Of this project.")
@click.option(
    "--state",
    type=click.Choice([str(state) for state in KeyState]),
    default=str(KeyState.PENDING),
    show_default=True,
    help="How far they have come.",
)
@json_option
@data_options
def pending(settings: Settings, project: str | None, state: str, as_json: bool) -> None:
    """List the public keys that wait for a decision."""
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        found: list[DeviceKey] = []
        last = ""
        while page := rows.device_keys.page(project, KeyState(state), last, PAGE):
            found += page
            last = page[-1].fingerprint
    if as_json:
        click.echo(json.dumps(DeviceKeyTold(many=True).dump(found), indent=2))
        return
    for key in found:
        click.echo(
            f"{key.fingerprint} {key.project:<16} {key.device or 'any':<36} {key.address or ''}"
        )


@click.command()
@click.argument("key", metavar="FINGERPRINT")
@json_option
@data_options
def accept(settings: Settings, key: str, as_json: bool) -> None:
    """Let the device of a key in. It comes into the registry and has its tokens made."""
    with opened_ota(settings) as ota:
        _say(ota.admit_key.accept(SHELL, key), as_json)


@click.command()
@click.argument("key", metavar="FINGERPRINT")
@json_option
@data_options
def reject(settings: Settings, key: str, as_json: bool) -> None:
    """Give the device of a key nothing, and revoke what it got."""
    with opened_ota(settings) as ota:
        _say(ota.admit_key.reject(SHELL, key), as_json)


@click.command()
@click.argument("key", metavar="FINGERPRINT|FILE|-")
@click.option("--project", required=True, help="The project that it will be in.")
@click.option("--device", help="The device it is for.  [default: whichever comes with it]")
@json_option
@data_options
def preauthorize(
    settings: Settings, key: str, project: str, device: str | None, as_json: bool
) -> None:
    """Expect a key: it is accepted as soon as its device comes.

    By its fingerprint, or by the public key itself in PEM.
    """
    with opened_ota(settings) as ota:
        decided = ota.admit_key.preauthorize(
            SHELL, project, _fingerprint(key), device or ANY_DEVICE
        )
        with ota.stores.database.reading() as rows:
            if not rows.projects.get(project).accepts_keys:
                click.echo(
                    f"note: {project} takes no keys yet: projects set {project} --accepts-keys",
                    err=True,
                )
    _say(decided, as_json)


KEY_COMMANDS = (pending, accept, reject, preauthorize)


def _fingerprint(key: str) -> str:
    if key == "-":
        return fingerprint(public_key(sys.stdin.read(FILE_BYTES_MAX)))
    if not Path(key).is_file():
        return key
    try:
        return fingerprint(public_key(Path(key).read_bytes()[:FILE_BYTES_MAX].decode("ascii")))
    except (OSError, ValueError):
        raise Invalid(f"{key} is no public key in PEM") from None


def _say(key: DeviceKey, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(DeviceKeyTold().dump(key), indent=2))
        return
    click.echo(f"{key.state} {key.device or 'any device'} of {key.project}")
