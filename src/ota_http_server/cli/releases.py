"""`ota_http_server releases`: what is published, and taking it back."""

import json
from typing import Any

import click

from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.publishing import shown
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Role
from ota_http_server.domain.release import Release, State
from ota_http_server.operations.release_wish import ReleaseWish
from ota_http_server.operations.write_release import found_release
from ota_http_server.ota import Ota, opened_ota
from ota_http_server.settings import Settings

project_option = click.option("--project", required=True, help="Project that it is of.")


@click.group()
def releases() -> None:
    """Look at releases, publish drafts, withdraw and restore."""


@releases.command("list")
@project_option
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only these.")
@json_option
@data_options
def list_releases(settings: Settings, project: str, state: str | None, as_json: bool) -> None:
    """List a project's releases, the newest first."""
    SHELL.must(Role.VIEWER, project_name(project))
    with opened_ota(settings) as ota:
        ota.catalog.of(project)  # what was dropped a moment ago is one
        with ota.stores.database.reading() as rows:
            found = [
                release
                for release in rows.releases.of_project(project)
                if state in (None, release.state)
            ]
    if as_json:
        click.echo(json.dumps([shown(release) for release in found], indent=2))
        return
    for release in found:
        marks = "".join(f"  {mark}" for mark in ("floor", "security") if getattr(release, mark))
        files = ", ".join(image.name for image in release.images)
        click.echo(
            f"{release.version:<16} {release.state:<10} {release.channel:<10} {files}{marks}"
        )


@releases.command()
@click.argument("version")
@project_option
@json_option
@data_options
def show(settings: Settings, version: str, project: str, as_json: bool) -> None:
    """Show one release with its images."""
    with opened_ota(settings) as ota:
        ota.catalog.of(project)
        release = _found(ota, project, version)
    _say(shown(release), as_json)


@releases.command()
@click.argument("version")
@project_option
@click.option("--force", metavar="REASON", help="Overrule what stands against it.")
@json_option
@data_options
def publish(
    settings: Settings, version: str, project: str, force: str | None, as_json: bool
) -> None:
    """Publish a draft."""
    with opened_ota(settings) as ota:
        release = ota.publish.publish(SHELL, project, version, force=force)
    _say(shown(release), as_json)


@releases.command("set")
@click.argument("version")
@project_option
@click.option("--channel", help="Devices that follow this channel get it.")
@click.option("--notes", help="What is new, for people.")
@click.option("--min-from", metavar="VERSION", help="Lowest version that may go to this one.")
@click.option("--security/--no-security", default=None, help="It closes a hole.")
@click.option(
    "--floor/--no-floor", default=None, help="No device goes past it: older ones go to it first."
)
@json_option
@data_options
def change(settings: Settings, version: str, project: str, as_json: bool, **said: Any) -> None:
    """Change the channel of a release, or what is said about it; its images never change."""
    wish = ReleaseWish.of(project, version, **said)
    with opened_ota(settings) as ota:
        release = ota.change_release(SHELL, wish)
    _say(shown(release), as_json)


@releases.command()
@click.argument("version")
@project_option
@click.option("--reason", required=True, help="Why; it is kept.")
@json_option
@data_options
def withdraw(settings: Settings, version: str, project: str, reason: str, as_json: bool) -> None:
    """Offer a release no more. Devices that have begun to fetch it may finish."""
    with opened_ota(settings) as ota:
        release = ota.publish.withdraw(SHELL, project, version, reason)
    _say(shown(release), as_json)


@releases.command()
@click.argument("version")
@project_option
@click.option("--reason", required=True, help="Why; it is kept.")
@json_option
@data_options
def restore(settings: Settings, version: str, project: str, reason: str, as_json: bool) -> None:
    """Publish a withdrawn release again, as it was."""
    with opened_ota(settings) as ota:
        release = ota.publish.restore(SHELL, project, version, reason)
    _say(shown(release), as_json)


@releases.command("remove-draft")
@click.argument("version")
@project_option
@json_option
@data_options
def remove_draft(settings: Settings, version: str, project: str, as_json: bool) -> None:
    """Forget a draft that was never published."""
    with opened_ota(settings) as ota:
        ota.publish.remove_draft(SHELL, project, version)
    click.echo(json.dumps({"removed": version}) if as_json else f"removed {version}")


def _found(ota: Ota, project: str, version: str) -> Release:
    with ota.stores.database.reading() as rows:
        return found_release(rows, project_name(project), version)


def _say(release: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(release, indent=2))
        return
    click.echo(f"{release['project']} {release['release']} is {release['state']}")
    for fact in ("channel", "min_from", "floor", "security", "forced", "notes"):
        if release[fact]:
            click.echo(f"  {fact:<10} {release[fact]}")
    for image in release["images"]:
        what = ", ".join(str(image[f]) for f in ("format", "kind", "chip") if image[f])
        click.echo(f"  {image['file']}  {image['size']:,} bytes  {what}")
