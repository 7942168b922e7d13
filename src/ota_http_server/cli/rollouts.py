"""`ota_http_server rollouts`: a release goes to few devices first, and to all if that went well."""

import json
import sys
from typing import Any

import click

from ota_http_server.api.v1.rollout_words import OVERRIDE, REASON, RolloutTold, told
from ota_http_server.cli import one_line
from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.rollout_options import rollout_options, words_of
from ota_http_server.cli.rollout_view import (
    coloured,
    drawn,
    headline,
    left_out_line,
    named,
    planned,
    where,
)
from ota_http_server.cli.rollout_watch import Look, screen_for, watch
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.errors import Conflict
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Role
from ota_http_server.domain.rollout import Rollout, State
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.show_rollout import Shown, shown
from ota_http_server.operations.write_rollout import rollout_for
from ota_http_server.ota import Ota, opened_ota
from ota_http_server.settings import Settings

PAGE = 500
EXIT_NO = 1  # the call is right; the rollout is not in a state in which that can be done
EXIT_INTERRUPTED = 130  # as of a program that SIGINT ended

number_argument = click.argument("number", metavar="ID", type=click.IntRange(1))
reason_option = click.option("--reason", required=True, help=REASON)


class Answering(click.Group):
    """What contradicts the state of a rollout is an answer, and no mistake of the caller."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Conflict as refusal:
            click.echo(f"ota_http_server: {one_line(refusal.detail)}", err=True)
            raise click.exceptions.Exit(EXIT_NO) from refusal


@click.group(cls=Answering)
def rollouts() -> None:
    """Spread a release in stages, watch it, and stop what goes wrong.

    Exit status 1 where a rollout is in no state for that: finished, say, or already further.
    """


@rollouts.command()
@click.argument("project")
@click.argument("version")
@rollout_options
@click.option("--dry-run", "dry", is_flag=True, help="Only print what it would be.")
@json_option
@data_options
def create(
    settings: Settings, project: str, version: str, dry: bool, as_json: bool, **said: Any
) -> None:
    """Begin a rollout: VERSION goes to the devices of PROJECT stage by stage.

    Options that choose devices belong together: a device is meant that fits each of them. Without
    any, those of the release's channel are. It prints how many devices each stage has now. A
    DURATION is 30s, 10m, 2h, 1d or a number of seconds.
    """
    wish = RolloutWish.of(project, words_of(version, said))
    with opened_ota(settings) as ota:
        ota.catalog.of(wish.project)  # what was dropped a moment ago is one
        begun = ota.begin_rollout(SHELL, wish, dry=dry)
        with ota.stores.database.reading() as rows:
            one = shown(rows, begun.rollout, begun.counts)
    if as_json:
        click.echo(_as_json(one))
        return
    rollout = begun.rollout
    if dry:
        click.echo(f"a rollout of {rollout.project} {rollout.version} would have these stages:")
    else:
        click.echo(f"{named(rollout)} is {where(rollout)}")
    click.echo("\n".join(planned(one.stages)))
    if one.left_out:
        click.echo(left_out_line(one.left_out))
    if begun.sizes[-1] == 0:
        click.echo(f"No device of {rollout.project} is meant by it now.")
    click.echo(_what_to_do(rollout, dry=dry))


@rollouts.command(name="list")
@click.option("--project", help="Of this project.")
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only these.")
@json_option
@data_options
def list_(settings: Settings, project: str | None, state: str | None, as_json: bool) -> None:
    """List rollouts, the latest first."""
    name = None if project is None else project_name(project)
    SHELL.must(Role.VIEWER, name)
    states = () if state is None else (State(state),)
    found: list[Rollout] = []
    with opened_ota(settings) as ota, ota.stores.database.reading() as rows:
        while page := rows.rollouts.page(name, states, found[-1].id if found else None, PAGE):
            found += page
        if as_json:
            many = [told(shown(rows, rollout)) for rollout in found]
            click.echo(json.dumps(RolloutTold(many=True).dump(many), indent=2))
            return
    for one in found:
        line = f"{one.id:>6} {one.project:<16} {one.version:<16} {where(one):<32}"
        click.echo(f"{line} {one_line(one.reason)}".rstrip())


@rollouts.command()
@number_argument
@click.option("--watch", "watches", is_flag=True, help="Go on until it ends or is halted.")
@json_option
@data_options
def show(settings: Settings, number: int, watches: bool, as_json: bool) -> None:
    """Show how far a rollout has come, what it waits for, and what its devices came to.

    With --watch the picture is drawn anew every second; where the output is no terminal, a line
    is printed when something changed. Exit status then: 0 when it is finished, 1 when it is
    halted or aborted. Ctrl-C ends the watching, not the rollout.
    """
    with opened_ota(settings) as ota:
        look = Look(ota.stores.database, number)
        if watches:
            sys.exit(_watched(look, as_json=as_json))
        seen = look()
    if as_json:
        click.echo(_as_json(seen.shown))
        return
    click.echo(
        coloured("\n".join(drawn(seen)))
    )  # click takes colours away from what is no terminal


@rollouts.command()
@number_argument
@reason_option
@json_option
@data_options
def pause(settings: Settings, number: int, reason: str, as_json: bool) -> None:
    """Offer it to no further device until somebody resumes it."""
    with opened_ota(settings) as ota:
        _say(ota, ota.roll_out.pause(SHELL, number, reason), as_json)


@rollouts.command()
@number_argument
@reason_option
@json_option
@data_options
def resume(settings: Settings, number: int, reason: str, as_json: bool) -> None:
    """Let a paused or halted rollout go on; what halted it counts no more."""
    with opened_ota(settings) as ota:
        _say(ota, ota.roll_out.resume(SHELL, number, reason), as_json)


@rollouts.command()
@number_argument
@reason_option
@click.option("--override", is_flag=True, help=OVERRIDE)
@click.option(
    "--stage",
    type=click.IntRange(1),
    help="Only from this stage; the first is 1.  [default: the one it is in]",
)
@json_option
@data_options
def advance(
    settings: Settings, number: int, reason: str, override: bool, stage: int | None, as_json: bool
) -> None:
    """Go one stage further now, whatever the stage waits for; behind the last it is finished."""
    with opened_ota(settings) as ota:
        if stage is None:
            with ota.stores.database.reading() as rows:
                stage = rollout_for(rows, SHELL, number).stage + 1
        after = ota.roll_out.advance(SHELL, number, stage, reason, override=override)
        _say(ota, after, as_json)


@rollouts.command()
@number_argument
@reason_option
@click.option("--call-off", "calls_off", is_flag=True, help="Updates that have begun, too.")
@json_option
@data_options
def abort(settings: Settings, number: int, reason: str, calls_off: bool, as_json: bool) -> None:
    """End a rollout for good. Devices that have the release keep it."""
    with opened_ota(settings) as ota:
        _say(ota, ota.roll_out.abort(SHELL, number, reason, calls_off=calls_off), as_json)


def _watched(look: Look, *, as_json: bool) -> int:
    try:
        return watch(look, screen_for(as_json=as_json))
    except KeyboardInterrupt:
        click.echo("\nNobody watches any more; the rollout goes on.", err=True)
        return EXIT_INTERRUPTED


def _say(ota: Ota, rollout: Rollout, as_json: bool) -> None:
    if not as_json:
        click.echo(headline(rollout))
        return
    with ota.stores.database.reading() as rows:
        click.echo(_as_json(shown(rows, rollout)))


def _as_json(one: Shown) -> str:
    return json.dumps(RolloutTold().dump(told(one)), indent=2)


def _what_to_do(rollout: Rollout, *, dry: bool) -> str:
    if dry:
        return "Nothing was written; without --dry-run it begins."
    return "\n".join(
        f"{what:<12} ota_http_server rollouts {words}"
        for what, words in (
            ("Watch it:", f"show {rollout.id} --watch"),
            ("Hold it:", f"pause {rollout.id} --reason …"),
            ("Go on now:", f"advance {rollout.id} --reason …"),
        )
    )
