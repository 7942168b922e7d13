"""`ota_http_server stop`: no device is offered anything any more, whatever else is broken.

While the database is away, a file in the data folder stops the instances of this host; then the
command says plainly that others go on.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from ota_http_server.api.v1.rollout_words import StopTold
from ota_http_server.cli import one_line
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.errors import DiskFull, Misconfigured, Unavailable
from ota_http_server.operations.list_projects import is_known
from ota_http_server.operations.stop_files import stop_file
from ota_http_server.operations.stop_offers import (
    Stopped,
    standing_by_file,
    stop_by_file,
)
from ota_http_server.ota import Ota, opened_ota
from ota_http_server.settings import Settings
from ota_http_server.storage.stops import EVERYTHING, StopRow

AWAY = (Misconfigured, Unavailable, DiskFull, OSError)
"""What opening or changing a database raises that cannot be used now."""
SAY_WHY = (
    "say why, it stands in the audit log: ota_http_server stop --reason TEXT"
    " (--show tells what is stopped, --lift lets it go on)"
)


@click.command()
@click.option("--project", help="Of this project alone; without it, of everything.")
@click.option("--downloads", is_flag=True, help="Nor is anything sent, begun or not.")
@click.option("--lift", is_flag=True, help="Let it go on.")
@click.option("--show", "shows", is_flag=True, help="Only tell what is stopped.")
@click.option("--reason", help="Why; it stands in the audit log.")
@json_option
@data_options
def stop(
    settings: Settings,
    project: str | None,
    downloads: bool,
    lift: bool,
    shows: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """Offer nothing any more: of everything, or of one project.

    Running servers obey within two seconds. It works while the database is away, too: then a file
    STOP in the data folder (of a project: STOP.PROJECT) stops the servers of this host, and the
    command says so. Who cannot run it makes that file by hand. Where downloads are stopped they
    stay so, with --downloads or without, until --lift. That needs the database, and takes the file
    away on this host alone. Exit status 0 when it is stopped.
    """
    if shows and (project or downloads or lift or reason):
        raise click.UsageError("--show stands alone")
    if lift and downloads:
        raise click.UsageError(
            "--lift lets offers and downloads go on alike: leave --downloads out"
        )
    if shows:
        _show(settings, as_json)
        return
    if reason is None:
        raise click.UsageError(SAY_WHY)
    if lift:
        _lift(settings, project, reason, as_json)
        return
    stopped, why = _stopped(settings, project, reason, downloads)
    if as_json:
        click.echo(json.dumps(StopTold().dump(stopped), indent=2))
        return
    click.echo("\n".join(_said(settings, stopped, downloads, why)))


def _stopped(
    settings: Settings, project: str | None, reason: str, downloads: bool
) -> tuple[Stopped, str]:
    """What holds now; and why it does not hold everywhere."""
    has_folder = _has_folder(settings)  # looked at before: opening makes one
    try:
        with _opened(settings) as ota:
            if project is not None:
                _warn_of_nobody(ota, project)
            return ota.stop.stop(SHELL, project, reason, downloads=downloads), ""
    except AWAY as away:
        if not has_folder:
            raise
        stopped = stop_by_file(settings.data_dir, SHELL, project, reason, downloads=downloads)
        return stopped, str(away)


def _lift(settings: Settings, project: str | None, reason: str, as_json: bool) -> None:
    _has_folder(settings)
    try:
        with _opened(settings) as ota:
            was_there = ota.stop.lift(SHELL, project, reason)
            left = ota.stop.standing(SHELL)
    except AWAY as away:
        raise Unavailable(
            f"nothing is lifted before all servers can learn of it in the database: {away}"
        ) from away
    if as_json:
        told = {"lifted": was_there, "project": project, "items": StopTold(many=True).dump(left)}
        click.echo(json.dumps(told, indent=2))
        return
    what = project or "everything"
    click.echo(f"{what} goes on" if was_there else f"nothing stopped {what} by itself")
    for one in left:
        click.echo(f"still: {_line(one)}")


def _show(settings: Settings, as_json: bool) -> None:
    """What is stopped; with exit status 1 if not all of it can be known."""
    _has_folder(settings)
    why = ""
    by_whom: dict[str, StopRow] = {}
    try:
        with _opened(settings) as ota:
            with ota.stores.database.reading() as rows:
                by_whom = {row.project: row for row in rows.stops.all()}
            found = ota.stop.standing(SHELL)
    except AWAY as away:
        why = str(away)
        found = standing_by_file(settings.data_dir) if settings.data_dir.is_dir() else []
    if as_json:
        click.echo(json.dumps({"items": StopTold(many=True).dump(found)}, indent=2))
    elif found:
        click.echo(
            "\n".join(_line(one) + _by(by_whom.get(one.project or EVERYTHING)) for one in found)
        )
    else:
        click.echo("nothing is stopped by a file" if why else "nothing is stopped")
    if why:
        click.echo(f"The database is away, so not all is known: {one_line(why)}", err=True)
        sys.exit(1)


@contextmanager
def _opened(settings: Settings) -> Iterator[Ota]:
    """The operations on a database that is there: a new one would be read by no server."""
    file = settings.database_file
    if file is not None and not file.exists():
        raise Unavailable(f"{file} is not there")
    with opened_ota(settings) as ota:
        yield ota


def _has_folder(settings: Settings) -> bool:
    """Whether servers of this host can see a file there; `Misconfigured` if there are none."""
    if settings.data_dir.is_dir():
        return True
    if settings.database_file is None:
        return False
    raise Misconfigured(
        f"NOTHING IS CHANGED: there is no data folder {settings.data_dir}, so no server here uses"
        " it; name that of the servers by --data-dir or --config"
    )


def _warn_of_nobody(ota: Ota, project: str) -> None:
    with ota.stores.database.reading() as rows:
        if not is_known(rows, ota.collection.folder.projects, project):
            click.echo(f"warning: no project {one_line(project)} is known", err=True)


def _said(settings: Settings, stopped: Stopped, downloads: bool, why: str) -> Sequence[str]:
    whose = f" --project {stopped.project}" if stopped.project else ""
    lines = [_line(stopped)]
    if not stopped.downloads:
        lines.append("Downloads that have begun may go on; with --downloads none does.")
    lift = f"ota_http_server stop --lift{whose} --reason …"
    if stopped.downloads and not downloads:
        lines.append("Downloads were stopped before, and stay so until it is lifted.")
    if stopped.everywhere:
        return [*lines, f"Running servers obey within two seconds. To let it go on: {lift}"]
    file = stop_file(settings.data_dir, stopped.project or EVERYTHING)
    because = f": {one_line(why)}" if why else ""
    return [
        *lines,
        f"It stands in the file {file} alone, because the database is away{because}",
        "SERVERS ON OTHER HOSTS GO ON: run this there, too, or make a file of that name in their"
        " data folder.",
        "When the database is back, run it once more, so that all learn of it."
        f" To let it go on: {lift}",
    ]


def _by(row: StopRow | None) -> str:
    if row is None:
        return ""
    since = datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f" (by {one_line(row.by)}, {since})"


def _line(stopped: Stopped) -> str:
    where = "" if stopped.everywhere else " on this host alone"
    more = ", downloads too" if stopped.downloads else ""
    return f"{stopped.project or 'everything'} is stopped{where}{more}: {one_line(stopped.reason)}"
