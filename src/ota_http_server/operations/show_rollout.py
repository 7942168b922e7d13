"""Showing a rollout: how far it has come, what its devices came to, and what it waits for."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields

from ota_http_server.domain.rollout import Rollout, State, percent_of, stage_of
from ota_http_server.domain.rollout_health import Tally, what_lacks
from ota_http_server.operations.look_at_fleet import Counts
from ota_http_server.storage.transaction import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class StageShown:
    """A stage; `devices` are all that have it then, `tally` is of those that come with it."""

    percent: float
    dwell_seconds: int
    verified_min: int
    devices: int | None
    """How many the stage has now, with those of the stages before; None: nobody counted."""
    tally: Tally | None
    """What the devices that come with it came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A rollout to be read by people."""

    rollout: Rollout
    tally: Tally
    waits_for: str | None
    """What lacks before the next stage; None unless it is running, or where nothing lacks."""
    stages: tuple[StageShown, ...]
    left_out: Mapping[str, int] | None
    """Devices of its target that could not be offered it now, by the reason; None: nobody counted.
    """


def shown(rows: Reading, rollout: Rollout, counts: Counts | None = None) -> Shown:
    """`counts`: of its devices, for whoever counted them."""
    tally = rows.rollouts.tally(rollout.id)
    lacks = what_lacks(rollout, tally) if rollout.state is State.RUNNING else None
    if counts is None:
        sizes: list[int | None] = [None] * len(rollout.stages)
        tallies: list[Tally | None] = [None] * len(rollout.stages)
    else:
        sizes = [*counts.sizes]
        tallies = [*_by_stage(rollout, rows.rollouts.outcomes(rollout.id))]
    stages = tuple(
        StageShown(
            percent=percent_of(stage.share),
            dwell_seconds=stage.dwell_seconds,
            verified_min=stage.verified_min,
            devices=sizes[number],
            tally=tallies[number],
        )
        for number, stage in enumerate(rollout.stages)
    )
    return Shown(
        rollout=rollout,
        tally=tally,
        waits_for=lacks,
        stages=stages,
        left_out=None if counts is None else counts.left_out,
    )


def _by_stage(rollout: Rollout, outcomes: dict[str, str]) -> list[Tally]:
    counts: list[Counter[str]] = [Counter() for _ in rollout.stages]
    for device, word in outcomes.items():
        counts[stage_of(rollout, device)][word] += 1
    words = [one.name for one in fields(Tally)]
    return [Tally(**{word: count[word] for word in words}) for count in counts]
