"""`ota_http_server simulate`: a fleet of devices that really download, against the running server.

They check in, take the newer image, install it, restart and come back; some misbehave. In the end
it says what became of them, and what the server believes became of them.
"""

import json
import sys
import time
from dataclasses import replace
from typing import Any

import click

from ota_http_server.cli.options import data_options, json_option
from ota_http_server.cli.scenario import (
    CLIENTS,
    COMES,
    ROLLOUT_PREFIX,
    RUNS,
    Family,
    Scene,
    cast,
    is_believed_truly,
    publish,
)
from ota_http_server.cli.simulated_rollouts import ROLLOUT_CLIENTS, play, text_of
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.errors import Invalid, Misconfigured
from ota_http_server.operations.stage_fleet import PREFIX, StageFleet
from ota_http_server.ota import Ota, opened_ota
from ota_http_server.settings import Settings
from ota_http_server.simulation.address import Address, request_bytes
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.fleet import Fleet, Member, Pace, Tally
from ota_http_server.simulation.line import Access, Line, tls_context

DEVICES, DEVICES_IN_ROLLOUTS, DEVICES_MAX = 500, 1_000, 20_000
KNOWN_SECONDS = 2.0  # by then every worker knows what was released
WRITTEN_SECONDS = 2.0  # what the workers saw of the last downloads is written every second
COMPLAINTS_SHOWN = 5


@click.command()
@click.option(
    "--devices",
    type=click.IntRange(1, DEVICES_MAX),
    help=f"How many.  [default: {DEVICES}, or {DEVICES_IN_ROLLOUTS:,} with --rollouts]",
)
@click.option(
    "--clients",
    metavar="NAME,NAME",
    help=f"Which clients they run, in equal parts.  [default: all of {', '.join(CLIENTS)}]",
)
@click.option(
    "--misbehave",
    default=6,
    show_default=True,
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help="So many of a hundred roll back, loop or fall silent.",
)
@click.option(
    "--kib", default=64, show_default=True, type=click.IntRange(1, 4_000), help="Size of an image."
)
@click.option(
    "--parallel",
    default=32,
    show_default=True,
    type=click.IntRange(1, 512),
    help="Devices that speak at a time.",
)
@click.option(
    "--every",
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two check-ins of a device.",
)
@click.option("--seconds", default=120.0, show_default=True, help="How long at most.")
@click.option("--url", help="The running server.  [default: this host, by the settings]")
@click.option(
    "--rollouts",
    is_flag=True,
    help="A good release by a staged rollout, then one that bricks; 1,000 devices in two minutes.",
)
@click.option("--clear", is_flag=True, help="Only remove the devices and images of earlier runs.")
@json_option
@data_options
def simulate(
    settings: Settings,
    clients: str | None,
    url: str | None,
    clear: bool,
    rollouts: bool,
    as_json: bool,
    **numbers: Any,
) -> None:
    """Let simulated devices update themselves from the running server of this data folder.

    Their projects are called sim-esp32, sim-linux and sim-zephyr (sim-rollout-… with --rollouts)
    and stay, with their devices, until --clear. Exit status 0 if what the server believes is what
    became of them, 1 if not.
    """
    wanted = _clients(clients, by_rollouts=rollouts)
    with opened_ota(settings) as ota:
        stage = StageFleet(ota.stores.database, ota.opaque)
        if clear:
            removed = _clear(stage)
            click.echo(
                json.dumps({"removed": removed}) if as_json else f"removed {removed} devices"
            )
            return
        server = (url or _own_url(settings)).rstrip("/")
        scene = Scene(
            server,
            _access(settings, server, ours=url is None),
            numbers["kib"] * 1024,
            numbers["devices"] or (DEVICES_IN_ROLLOUTS if rollouts else DEVICES),
            0 if rollouts else numbers["misbehave"],
        )
        _look(server, scene.access)
        pace = Pace(
            parallel=numbers["parallel"],
            every_seconds=numbers["every"],
            seconds_max=numbers["seconds"],
            stays=rollouts,
        )
        if rollouts:
            report = _play_rollouts(settings, ota, scene, wanted, pace, quiet=as_json)
        else:
            report = _play(settings, ota, scene, wanted, pace, quiet=as_json)
    text = text_of if rollouts else _text
    click.echo(json.dumps(report, indent=2) if as_json else text(report))
    sys.exit(0 if report["agrees"] else 1)


def _play_rollouts(
    settings: Settings, ota: Ota, scene: Scene, clients: list[str], pace: Pace, *, quiet: bool
) -> dict[str, Any]:
    def of(bricked_by: str) -> Scene:
        return replace(scene, bricked_by=bricked_by, by_rollouts=True)

    say = (lambda line: None) if quiet else click.echo
    return play(ota, settings.firmware_path, of, clients, pace, say)


def _clear(stage: StageFleet) -> int:
    projects = _projects(list(CLIENTS))
    staged = [f"{ROLLOUT_PREFIX}{name.removeprefix(PREFIX)}" for name in projects]
    return sum(stage.clear(SHELL, project) for project in (*projects, *staged))


def _projects(clients: list[str]) -> dict[str, Family]:
    return {CLIENTS[client].family.project: CLIENTS[client].family for client in clients}


def _play(
    settings: Settings, ota: Ota, scene: Scene, clients: list[str], pace: Pace, *, quiet: bool
) -> dict[str, Any]:
    """The devices live; what became of them."""
    for project, family in _projects(clients).items():
        publish(settings.firmware_path, project, family, scene.image_bytes, (RUNS, COMES))
        ota.catalog.of(project)  # what lies there is released now, not at the next look
    time.sleep(KNOWN_SECONDS)
    stage = StageFleet(ota.stores.database, ota.opaque)
    members = cast(stage, scene, clients)
    fleet = Fleet([one for its in members.values() for one in its], pace)
    began = time.monotonic()
    _watch(fleet, quiet=quiet or not sys.stderr.isatty())
    took = time.monotonic() - began
    time.sleep(WRITTEN_SECONDS)
    return _report(fleet.tally, took, members, stage)


def _clients(text: str | None, *, by_rollouts: bool) -> list[str]:
    """Those that were chosen; a stage holds only by clients that tell what they run."""
    known = ROLLOUT_CLIENTS if by_rollouts else tuple(CLIENTS)
    wanted = [name.strip() for name in (text or ",".join(known)).split(",") if name.strip()]
    strange = [name for name in wanted if name not in known]
    if strange or not wanted:
        raise Invalid(f"--clients: {', '.join(known)} can be simulated, not {', '.join(strange)}")
    return wanted


def _own_url(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    return f"{'http' if settings.no_certs else 'https'}://{host}:{settings.port}"


def _access(settings: Settings, server: str, *, ours: bool) -> Access:
    """Trust in the server's own CA, in whatever certificate this host's settings name, else in the
    system's."""
    if not server.startswith("https:"):
        return Access()
    own = settings.data_dir / "tls" / "ca_cert.pem"
    if ours and settings.cert is not None:
        return Access(tls=tls_context(verify=False))  # this host's own server, by its settings
    return Access(tls=tls_context(own if own.exists() else None))


def _look(server: str, access: Access) -> None:
    """`Misconfigured` unless a server answers there."""
    try:
        address = Address.of(f"{server}/healthz")
        with Line(access, patience_seconds=5.0) as line:
            request = request_bytes("GET /healthz HTTP/1.1", [("Host", address.host_field)])
            status = line.ask(address, request).status
    except Failed as failed:
        raise Misconfigured(f"no server answers at {server} ({failed}): start it first") from None
    if status != 200:
        raise Misconfigured(f"{server} answers {status}: is it this server?")


def _watch(fleet: Fleet, *, quiet: bool) -> None:
    if quiet:
        for _ in fleet.live():
            pass
        return
    with click.progressbar(
        length=fleet.tally.devices, label="devices", file=sys.stderr
    ) as progress:
        for tally in fleet.live():
            progress.label = f"{tally.check_ins} check-ins, {tally.updated} updated"
            progress.update(tally.done - progress.pos)
        progress.update(fleet.tally.done - progress.pos)


def _report(
    tally: Tally, seconds: float, members: dict[str, list[Member]], stage: StageFleet
) -> dict[str, Any]:
    clients = {}
    for client, its in members.items():
        updated = sum(member.device.board.true_version == COMES for member in its)
        believed = stage.verdicts([member.name for member in its])
        clients[client] = {
            "devices": len(its),
            "run_the_new_one": updated,
            "believed": {str(state or "never offered"): n for state, n in believed.items()},
            "agrees": is_believed_truly(client, updated, believed),
            "steps": {did: n for (who, did), n in tally.outcomes.items() if who == client},
        }
    complaints = tally.complaints.most_common(COMPLAINTS_SHOWN)
    return {
        "devices": tally.devices,
        "done": tally.done,
        "seconds": round(seconds, 1),
        "check_ins": tally.check_ins,
        "check_ins_per_second": round(tally.check_ins / max(seconds, 0.001), 1),
        "megabytes": round(tally.body_bytes / 1e6, 1),
        "idle_check_in_ms": {
            share: round(1_000 * tally.share_of_latency(float(share)), 1)
            for share in ("0.5", "0.99")
        },
        "clients": clients,
        "complaints": [{"client": w[0], "words": w[1], "count": n} for w, n in complaints],
        "agrees": all(one["agrees"] for one in clients.values()),
    }


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['devices']} devices, {report['check_ins']} check-ins in {report['seconds']} s"
        f" ({report['check_ins_per_second']}/s), {report['megabytes']} MB",
        "",
        f"{'client':<10} {'devices':>7} {'run it':>7}  what the server believes",
    ]
    for client, one in report["clients"].items():
        believed = ", ".join(f"{n} {state}" for state, n in sorted(one["believed"].items()))
        mark = "" if one["agrees"] else "   NOT TRUE"
        lines.append(
            f"{client:<10} {one['devices']:>7} {one['run_the_new_one']:>7}  {believed}{mark}"
        )
    lines += [f"{c['count']} × {c['client']}: {c['words']}" for c in report["complaints"]]
    return "\n".join(lines)
