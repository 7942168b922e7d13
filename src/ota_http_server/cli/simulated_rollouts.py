"""What `simulate --rollouts` plays: a good release spreads to all, a bad one hurts the canaries.

The boards run the first release that comes, and never come back from the second. Nothing is told to
the server but what boards tell; nobody touches a rollout once it has begun.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ota_http_server.cli.rollout_view import Seen, in_a_line
from ota_http_server.cli.scenario import CLIENTS, RUNS, Family, Scene, cast, publish
from ota_http_server.cli.token import SHELL
from ota_http_server.domain.project import Spread
from ota_http_server.domain.rollout import Rollout, State
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.domain.version import version_key
from ota_http_server.operations.begin_rollout import Begun
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.show_rollout import shown
from ota_http_server.operations.stage_fleet import StageFleet
from ota_http_server.ota import Ota
from ota_http_server.simulation.fleet import Fleet, Member, Pace

ROLLOUT_CLIENTS = ("esp-idf", "arduino", "swupdate")
"""They tell which version they run, so that a stage can be seen to hold."""
LOOK_SECONDS = 1.0
RELEASED_SECONDS_MAX, RELEASED_LOOK_SECONDS = 10.0, 0.1
SMALL_FLEET = 300
SILENT_CHECK_INS = 6  # so many in a row are missed by who is counted as silent
STAGES = ((1, 3), (10, 3), (50, 3), (100, 3))
"""Percent and seconds: a day's plan in a minute. One device that runs it is enough each time; most
of those that began must have come to an end in any case."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a rollout goes, at one moment."""

    seconds: float
    seen: Seen

    @property
    def rollout(self) -> Rollout:
        return self.seen.rollout

    @property
    def tally(self) -> Tally:
        return self.seen.shown.tally

    @property
    def line(self) -> str:
        return f"{self.seconds:5.0f} s  {in_a_line(self.seen)}"


def play(
    ota: Ota,
    firmware: Path,
    scene: Callable[[str], Scene],
    clients: list[str],
    pace: Pace,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """`scene` is given the version that bricks. What came of it, for programs."""
    families = {CLIENTS[client].family.project: CLIENTS[client].family for client in clients}
    good, bad = _next_versions(ota, [scene("").project(one) for one in families.values()])
    set_up = scene(bad)
    for family in families.values():
        _prepare(ota, firmware, set_up, family)
    members = cast(StageFleet(ota.stores.database, ota.opaque), set_up, clients)
    everybody = [one for its in members.values() for one in its]
    fleet = Fleet(everybody, pace)
    began = time.monotonic()
    looks: dict[str, list[Look]] = {}
    lives = fleet.live()
    try:
        for version, is_over in ((good, _has_finished), (bad, _has_halted)):
            begun = [_begin(ota, firmware, set_up, one, version, pace) for one in families.values()]
            looks[version] = _watch(ota, begun, lives, began, is_over, say)
    finally:
        lives.close()
    return _report(everybody, looks, good, bad, time.monotonic() - began)


def _prepare(ota: Ota, firmware: Path, scene: Scene, family: Family) -> None:
    """The family's project: by rollouts alone, with the release that its boards run."""
    project = scene.project(family)
    ota.projects.settle(SHELL, project, {"spread": Spread.BY_ROLLOUT.value})
    publish(firmware, project, family, scene.image_bytes, (RUNS,))
    ota.catalog.of(project)


def _next_versions(ota: Ota, projects: list[str]) -> tuple[str, str]:
    """Two versions that none of these projects had before."""
    with ota.stores.database.reading() as rows:
        known = [r.version for project in projects for r in rows.releases.of_project(project)]
    last = max((version_key(version).fields[0] for version in (RUNS, *known)), default=1)
    return f"{last + 1}.0.0", f"{last + 2}.0.0"


def _begin(
    ota: Ota, firmware: Path, scene: Scene, family: Family, version: str, pace: Pace
) -> Begun:
    project = scene.project(family)
    publish(firmware, project, family, scene.image_bytes, (version,))
    _wait_for(ota, project, version)
    stages = [
        {"percent": percent, "dwell_seconds": seconds, "verified_min": 1}
        for percent, seconds in STAGES
    ]
    wish = {
        "version": version,
        "stages": stages,
        "silent_seconds": max(5, round(SILENT_CHECK_INS * pace.every_seconds)),
        # Of a small fleet the canary may be one device alone, and it is all that will be heard.
        "halting_devices_min": 1 if scene.devices < SMALL_FLEET else 2,
        "reason": "a simulation",
    }
    return ota.begin_rollout(SHELL, RolloutWish.of(project, wish))


def _wait_for(ota: Ota, project: str, version: str) -> None:
    """What was dropped is a release once it is certain that nobody writes it any more."""
    for _ in range(round(RELEASED_SECONDS_MAX / RELEASED_LOOK_SECONDS)):
        if any(release.version == version for release in ota.catalog.of(project).releases):
            return
        time.sleep(RELEASED_LOOK_SECONDS)


def _watch(
    ota: Ota,
    begun: list[Begun],
    lives: Generator[object],
    began: float,
    is_over: Callable[[Look], bool],
    say: Callable[[str], None],
) -> list[Look]:
    """The last looks at each rollout: when all are over, or when the time is up."""
    looks: list[Look] = []
    said: dict[int, tuple[State, int]] = {}
    looked_at = float("-inf")
    for _ in lives:
        now = time.monotonic()
        if now - looked_at < LOOK_SECONDS:
            continue
        looked_at = now
        looks = _look(ota, begun, now - began)
        for look in looks:
            where = (look.rollout.state, look.rollout.stage)
            if said.get(look.rollout.id) != where:
                said[look.rollout.id] = where
                say(look.line)
        if all(is_over(look) for look in looks):
            break
    return looks


def _look(ota: Ota, begun: list[Begun], seconds: float) -> list[Look]:
    looks = []
    with ota.stores.database.reading() as rows:
        for one in begun:
            rollout = rows.rollouts.get(one.rollout.id)
            assert rollout is not None
            looks.append(Look(seconds, Seen(shown(rows, rollout))))
    return looks


def _has_finished(look: Look) -> bool:
    return look.rollout.state in (State.FINISHED, State.HALTED)


def _has_halted(look: Look) -> bool:
    return look.rollout.state is not State.RUNNING


def _report(
    members: list[Member], looks: dict[str, list[Look]], good: str, bad: str, seconds: float
) -> dict[str, Any]:
    bricked = sum(one.device.board.is_silent for one in members)
    running = sum(one.device.board.true_version == good for one in members)
    told = {
        version: [
            {
                "rollout": look.rollout.id,
                "project": look.rollout.project,
                "version": version,
                "state": look.rollout.state.value,
                "stage": look.rollout.stage + 1,
                "reason": look.rollout.reason,
                "verified": look.tally.verified,
                "silent": look.tally.silent,
                "seconds": round(look.seconds, 1),
            }
            for look in found
        ]
        for version, found in looks.items()
    }
    good_looks, bad_looks = looks.get(good, []), looks.get(bad, [])
    return {
        "devices": len(members),
        "seconds": round(seconds, 1),
        "good": told.get(good, []),
        "bad": told.get(bad, []),
        "run_the_good_one": running,
        "bricked": bricked,
        "agrees": bool(good_looks and bad_looks)
        and all(look.rollout.state is State.FINISHED for look in good_looks)
        and all(look.rollout.state is State.HALTED for look in bad_looks)
        and all(look.rollout.stage == 0 for look in bad_looks),
    }


def text_of(report: dict[str, Any]) -> str:
    return (
        f"{report['devices']} devices, {report['seconds']} s: {report['run_the_good_one']} run the"
        f" good release; the bad one bricked {report['bricked']}"
        + ("" if report["agrees"] else "   NOT AS IT SHOULD BE")
    )
