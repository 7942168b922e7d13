"""`ota_http_server devices`: what is known of them, and what people settle about them."""

import json
from datetime import UTC, datetime
from typing import Any

import click

from ota_http_server.api.v1.device_words import AttemptTold, DeviceTold
from ota_http_server.cli.device_credentials import CREDENTIAL_COMMANDS
from ota_http_server.cli.device_keys import KEY_COMMANDS
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.attempt import Attempt
from ota_http_server.domain.device import Device
from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import device_key
from ota_http_server.domain.sighting import chip_name
from ota_http_server.operations.find_device import NO_SUCH_DEVICE
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings
from ota_http_server.storage.devices import Wanted

PAGE = 1_000
DAY_SECONDS = 24 * 3600


@click.group()
def devices() -> None:
    """See devices, let them in, and change how each is treated."""


@devices.command(name="list")
@click.option("--project", help="Of this project.")
@click.option("--channel", help="Whose own channel this is.")
@click.option("--version", help="That run this version.")
@click.option("--tag", help="With this tag.")
@click.option("--chip", help="With this chip.")
@click.option("--blocked/--not-blocked", default=None, help="That are blocked, or are not.")
@click.option("--silent-days", type=click.IntRange(0, 36_500), help="Not seen for so many days.")
@click.option("--text", help="With this in their id, board or notes.")
@json_option
@data_options
def list_(
    settings: Settings, as_json: bool, silent_days: int | None, chip: str | None, **wanted: Any
) -> None:
    """List devices, by id."""
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        before = None if silent_days is None else rows.second - silent_days * DAY_SECONDS
        asked = Wanted(chip=chip_name(chip), seen_before=before, **wanted)
        found: list[Device] = []
        while page := rows.devices.page(asked, found[-1].id if found else "", PAGE):
            found += page
    if as_json:
        click.echo(json.dumps(DeviceTold(many=True).dump(found), indent=2))
        return
    for device in found:
        state = "blocked" if device.blocked else f"pinned {device.pinned}" if device.pinned else ""
        seen = _moment(device.last_seen)
        runs = device.version or "?"
        click.echo(f"{device.id:<36} {device.project:<16} {runs:<16} {seen:<20} {state}".rstrip())


@devices.command()
@click.argument("device")
@json_option
@data_options
def show(settings: Settings, device: str, as_json: bool) -> None:
    """Show what is known of a device."""
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        found = rows.devices.get(device_key(device))
    if found is None:
        raise NotFound(NO_SUCH_DEVICE)
    _say(found, as_json)


@devices.command()
@click.argument("device")
@json_option
@data_options
def explain(settings: Settings, device: str, as_json: bool) -> None:
    """Say in words why a device gets what it gets, now."""
    with opened_ota(settings) as ota:
        sentences = ota.explain(SHELL, device).sentences
    click.echo(json.dumps(sentences, indent=2) if as_json else "\n".join(sentences))


@devices.command(name="set")
@click.argument("device")
@click.option("--project", help="Move it there, with its credentials.")
@click.option("--chip", help='Such as esp32s3; "" takes it back.')
@click.option("--revision", help="Of the chip, in hundredths.")
@click.option("--board", help="Its board.")
@click.option("--channel", help='The channel that it follows; "" for that of its tags, or stable.')
@click.option("--version", help="What it runs, if it never says so itself.")
@click.option("--notes", help="Text for people.")
@click.option("--tag", "tags", multiple=True, help="Its tags; those given replace all.")
@click.option("--no-tags", is_flag=True, help="Take all tags away.")
@click.option("--edition", type=click.IntRange(0), help="Only if this is its edition still.")
@json_option
@data_options
def settle(
    settings: Settings,
    device: str,
    as_json: bool,
    tags: tuple[str, ...],
    no_tags: bool,
    edition: int | None,
    **said: object,
) -> None:
    """Change what is settled about a device; what is not given stays."""
    wish = {name: value for name, value in said.items() if value is not None}
    if tags or no_tags:
        wish["tags"] = [] if no_tags else list(tags)
    expected = ANY_EDITION if edition is None else Expected(frozenset({edition}))
    with opened_ota(settings) as ota:
        _say(ota.look_after.change(SHELL, device, wish, expected), as_json)


def _switch(name: str, meaning: str, wish: dict[str, object]) -> None:
    """A command that settles one thing."""

    @devices.command(name=name, help=meaning)
    @click.argument("device")
    @json_option
    @data_options
    def switch(settings: Settings, device: str, as_json: bool) -> None:
        with opened_ota(settings) as ota:
            _say(ota.look_after.change(SHELL, device, wish), as_json)


_switch("block", "Give a device nothing any more.", {"blocked": True})
_switch("unblock", "Give a device again what fits it.", {"blocked": False})
_switch("unpin", "Let a device follow its channel again.", {"pinned": None})


@devices.command()
@click.argument("device")
@click.argument("version")
@json_option
@data_options
def pin(settings: Settings, device: str, version: str, as_json: bool) -> None:
    """Give a device this release and no other, older or not."""
    with opened_ota(settings) as ota:
        _say(ota.look_after.change(SHELL, device, {"pinned": version}), as_json)


@devices.command()
@click.argument("device")
@json_option
@data_options
def retry(settings: Settings, device: str, as_json: bool) -> None:
    """Let a device try again what failed on it, or what it looped on."""
    with opened_ota(settings) as ota:
        _say(ota.look_after.wipe(SHELL, device), as_json)


@devices.command()
@click.argument("device")
@json_option
@data_options
def cancel(settings: Settings, device: str, as_json: bool) -> None:
    """Call a device's update off: at once if nothing began, else when the device agrees.

    The device is not offered that release again, unless it may retry.
    """
    with opened_ota(settings) as ota:
        attempt = ota.look_after.cancel(SHELL, device)
    if as_json:
        click.echo(json.dumps(AttemptTold().dump(attempt), indent=2))
        return
    click.echo(f"attempt {attempt.id} at {attempt.version}: {_ending(attempt)}")


@devices.command()
@click.argument("device")
@json_option
@data_options
def remove(settings: Settings, device: str, as_json: bool) -> None:
    """Forget a device, its updates and all that it had; its tokens so far are revoked."""
    with opened_ota(settings) as ota:
        gone = ota.look_after.remove(SHELL, device)
    click.echo(json.dumps({"removed": gone.id}) if as_json else f"removed {gone.id}")


for command in (*CREDENTIAL_COMMANDS, *KEY_COMMANDS):
    devices.add_command(command)


def _ending(attempt: Attempt) -> str:
    return "asked to give up" if attempt.is_open else str(attempt.state)


def _moment(second: int | None) -> str:
    if second is None:
        return "never seen"
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(device: Device, as_json: bool) -> None:
    told = DeviceTold().dump(device)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for name, value in told.items():
        click.echo(f"{name:<18} {value if isinstance(value, str) else json.dumps(value)}")
