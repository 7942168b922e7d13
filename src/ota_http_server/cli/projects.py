"""`ota_http_server projects`: which there are, and how each wants to be treated."""

import json

import click

from ota_http_server.api.v1.projects import ProjectTold
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.project import (
    FolderMode,
    Project,
    Registering,
    Spread,
    UnknownVersion,
)
from ota_http_server.operations.list_projects import known_projects
from ota_http_server.ota import opened_ota
from ota_http_server.settings import Settings

LIMITS = ("downloads_max", "download_bytes_per_second")


@click.group()
def projects() -> None:
    """See how projects are treated, and change it."""


@projects.command(name="list")
@json_option
@data_options
def list_(settings: Settings, as_json: bool) -> None:
    """List the projects that have settings, releases, devices or a folder."""
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        names = sorted(known_projects(rows, ota.collection.folder.projects))
        found = [rows.projects.get(name) for name in names]
    if as_json:
        click.echo(json.dumps(ProjectTold(many=True).dump(found), indent=2))
        return
    for project in found:
        notes = project.notes.partition("\n")[0]
        click.echo(f"{project.name:<24} {notes}".rstrip())


@projects.command()
@click.argument("name")
@json_option
@data_options
def show(settings: Settings, name: str, as_json: bool) -> None:
    """Show a project's settings; the defaults where nobody changed them."""
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        project = rows.projects.get(project_name(name))
    _say(project, as_json)


@projects.command(name="set")
@click.argument("name")
@click.option(
    "--folder",
    type=click.Choice([str(mode) for mode in FolderMode]),
    help="What a dropped file becomes.",
)
@click.option("--chip", help='All its boards have this chip; "" takes it back.')
@click.option(
    "--revision", type=int, help="All its chips have at least this revision, in hundredths."
)
@click.option(
    "--unknown-version",
    type=click.Choice([str(one) for one in UnknownVersion]),
    help="What a device gets that does not say what it runs.",
)
@click.option(
    "--registering",
    type=click.Choice([str(one) for one in Registering]),
    help="How a device that nobody registered comes in.",
)
@click.option(
    "--accepts-keys/--no-accepts-keys", default=None, help="Devices may ask with a key of theirs."
)
@click.option(
    "--tag-channel",
    "tag_channels",
    multiple=True,
    metavar="TAG=CHANNEL",
    help="Devices with this tag follow this channel; those given replace all.",
)
@click.option(
    "--spread",
    type=click.Choice([str(one) for one in Spread]),
    help="Whom a published release without a rollout reaches: all devices, or none.",
)
@click.option(
    "--downloads-max",
    type=lambda text: int(text or 0),
    metavar="COUNT",
    help="Devices that may download at the same time; 0 takes it back.",
)
@click.option(
    "--download-bytes-per-second",
    type=lambda text: int(text or 0),
    metavar="BYTES",
    help="So fast all downloads together may be, at each instance; 0 takes it back.",
)
@click.option("--notes", help="Text for people.")
@json_option
@data_options
def settle(
    settings: Settings, name: str, as_json: bool, tag_channels: tuple[str, ...], **said: object
) -> None:
    """Change settings of a project; what is not given stays."""
    wish = {setting: value for setting, value in said.items() if value is not None}
    if tag_channels:
        wish["tag_channels"] = dict(map(_tag_channel, tag_channels))
    wish |= {limit: None for limit in LIMITS if wish.get(limit) == 0}
    with opened_ota(settings) as ota:
        project = ota.projects.settle(SHELL, name, wish)
    _say(project, as_json)


@projects.command()
@click.argument("name")
@data_options
def forget(settings: Settings, name: str) -> None:
    """Take a project's settings back to the defaults; releases and devices stay."""
    with opened_ota(settings) as ota:
        ota.projects.forget(SHELL, project_name(name))
    click.echo(f"{name} is treated by the defaults")


def _tag_channel(text: str) -> tuple[str, str]:
    tag, equals, channel = text.rpartition("=")
    if not equals:
        raise click.BadParameter(f"{text} is not of the form TAG=CHANNEL")
    return tag, channel


def _say(project: Project, as_json: bool) -> None:
    told = ProjectTold().dump(project)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    for setting, value in told.items():
        click.echo(f"{setting:<26} {value if isinstance(value, str) else json.dumps(value)}")
