"""A rollout as text: its plan, how far it has come, and one bar for each stage.

A bar is made of the devices that come with its stage. Each outcome has a character of its own, so
it reads without colour, in a log, and on any terminal.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from ota_http_server.cli import one_line
from ota_http_server.cli.durations import span
from ota_http_server.domain.rollout import DOWNGRADE_TAG, Rollout, State, percent
from ota_http_server.domain.rollout_health import Tally, successes
from ota_http_server.operations.show_rollout import Shown, StageShown

BAR_WIDTH = 40
NAMED_MAX = 5  # of the devices that somebody named, so many in a line
REST = "."
MARKS = {"#": "verified", "x": "failed", "?": "silent", "-": "excused", ">": "under way"}
_COLOURS = {"#": "green", "x": "red", "?": "yellow", "-": "magenta", ">": "cyan"}
_BAR = re.compile(r"(?<=\[)[#x?>.-]+(?=\]$)", re.MULTILINE)
_RUN = re.compile(r"([#x?>-])\1*")


@dataclass(frozen=True, slots=True)
class Seen:
    """A rollout, and the first of its devices on which it went wrong: each with what it was."""

    shown: Shown
    wrong: tuple[tuple[str, str], ...] = ()

    @property
    def rollout(self) -> Rollout:
        return self.shown.rollout


def named(rollout: Rollout) -> str:
    return f"rollout {rollout.id} of {rollout.project} {rollout.version}"


def where(rollout: Rollout) -> str:
    """Its state, and how far it has come."""
    if rollout.state is State.FINISHED:
        return "finished (100 %)"
    stage = f"stage {rollout.stage + 1} of {len(rollout.stages)}"
    return f"{rollout.state}, {stage} ({percent(rollout.share)})"


def headline(rollout: Rollout) -> str:
    reason = f": {one_line(rollout.reason)}" if rollout.reason else ""
    return f"{named(rollout)} is {where(rollout)}{reason}"


def planned(stages: Sequence[StageShown]) -> list[str]:
    """The plan as a table; `devices` are all that have it in that stage."""
    lines = ["stage    up to  devices now  at least for  until so many run it"]
    for number, stage in enumerate(stages, 1):
        dwell, devices = span(stage.dwell_seconds), stage.devices or 0
        lines.append(
            f"{number:>5}  {_percent(stage):>7}  {devices:>11,}  {dwell:>12}"
            f"  {stage.verified_min:>22,}"
        )
    return lines


def left_out_line(left_out: Mapping[str, int]) -> str:
    """Which devices of the target are in no stage now."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    return f"Not counted, for it could not be offered to them now: {reasons}"


def drawn(seen: Seen) -> list[str]:
    """The whole picture, line by line."""
    one, rollout = seen.shown, seen.rollout
    lines = [headline(rollout), *_what_is_next(one), *_whom(rollout), ""]
    lines.append("      up to   devices")
    before = 0
    for number, stage in enumerate(one.stages):
        devices = stage.devices or 0
        here = ">" if number == rollout.stage and rollout.is_unfinished else " "
        came = devices - before
        drawn_bar = bar_of(rollout, stage.tally or Tally(), came)
        lines.append(f"{here}{number + 1:>2} {_percent(stage):>7}  {came:>8,}  [{drawn_bar}]")
        before = devices
    lines += ["", legend(one)]
    if one.left_out:
        lines.append(left_out_line(one.left_out))
    return lines + _went_wrong(seen)


def bar_of(rollout: Rollout, tally: Tally, devices: int, width: int = BAR_WIDTH) -> str:
    """So many characters of each outcome as it has a share of the devices, one at the least."""
    counts = outcomes(rollout, tally)
    rest = max(0, devices - tally.devices)
    total = sum(counts.values()) + rest
    if total == 0:
        return REST * width
    widths = {mark: max(1, count * width // total) for mark, count in counts.items() if count}
    if rest:
        widths[REST] = max(1, rest * width // total)
    largest = max(widths, key=lambda mark: widths[mark])
    widths[largest] += width - sum(widths.values())
    return "".join(mark * widths.get(mark, 0) for mark in (*MARKS, REST))


def outcomes(rollout: Rollout, tally: Tally) -> dict[str, int]:
    """How many devices each mark stands for."""
    good = successes(rollout, tally)
    return {
        "#": good,
        "x": tally.failed + tally.rolled_back,
        "?": tally.silent,
        "-": tally.excused,
        ">": tally.devices - tally.bad - tally.excused - good,
    }


def legend(one: Shown) -> str:
    """What the marks mean, with all devices of the rollout counted."""
    counts, back = outcomes(one.rollout, one.tally), one.tally.rolled_back
    more = {"x": f" ({back:,} rolled back)" if back else ""}
    said = [
        f"{mark} {counts[mark]:,} {word}{more.get(mark, '')}"
        for mark, word in MARKS.items()
        if counts[mark] or word != "excused"
    ]
    devices = one.stages[-1].devices
    if devices is not None:
        said.append(f"{REST} {max(0, devices - one.tally.devices):,} nothing yet")
    return "   ".join(said)


def in_a_line(seen: Seen) -> str:
    """How it stands, for a log."""
    counts = outcomes(seen.rollout, seen.shown.tally)
    said = ", ".join(f"{counts[mark]:,} {word}" for mark, word in MARKS.items() if counts[mark])
    return f"{headline(seen.rollout)}; {said or 'no device was asked yet'}"


def what_counts(seen: Seen) -> object:
    """Equal as long as nobody has to be told anything: not while only time passes."""
    rollout = seen.rollout
    return (rollout.state, rollout.stage, rollout.share, rollout.reason, seen.shown.tally)


def fitted(lines: Sequence[str], columns: int, rows: int) -> list[str]:
    """As much as a terminal shows without breaking lines or scrolling."""
    return [line[: columns - 1] for line in lines[: rows - 1]]


def coloured(text: str) -> str:
    """The bars in colour, unless the user wants none (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return text
    return _BAR.sub(lambda bar: _RUN.sub(_painted, bar[0]), text)


def _percent(stage: StageShown) -> str:
    return f"{stage.percent:g} %"


def _painted(run: re.Match[str]) -> str:
    return click.style(run[0], fg=_COLOURS[run[1]])


def _what_is_next(one: Shown) -> list[str]:
    rollout, number = one.rollout, one.rollout.id
    if rollout.state is State.RUNNING:
        waits = one.waits_for or "nothing: the next look takes it further"
        return [f"{span(rollout.stage_seconds)} in this stage; waits for {waits}"]
    if rollout.state in (State.PAUSED, State.HALTED):
        resume = f"ota_http_server rollouts resume {number} --reason …"
        return [f"it goes on when somebody says so: {resume}, or abort"]
    ended = datetime.fromtimestamp(rollout.changed_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [f"since {ended}"]


def _whom(rollout: Rollout) -> list[str]:
    """Which devices it is for, where somebody said that."""
    target, lines = rollout.target, []
    if rollout.takes_back is not None:
        lines.append(f"back to {rollout.version}, for devices with the tag {DOWNGRADE_TAG}")
    if target.selection is not None:
        lines.append(f"for {target.selection.text}")
    if target.devices:
        lines.append(f"for {_some(target.devices)} alone")
    if rollout.canaries:
        lines.append(f"canaries: {_some(rollout.canaries)}")
    return lines


def _some(devices: frozenset[str]) -> str:
    more = len(devices) - NAMED_MAX
    named_ones = ", ".join(sorted(devices)[:NAMED_MAX])
    return f"{named_ones} and {more:,} more" if more > 0 else named_ones


def _went_wrong(seen: Seen) -> list[str]:
    if not seen.wrong:
        return []
    more = seen.shown.tally.bad - len(seen.wrong)
    lines = ["", "It went wrong on:"]
    lines += [f"  {device:<36} {what.replace('_', ' ')}" for device, what in seen.wrong]
    if more > 0:
        lines.append(f"  … and {more:,} more")
    return [*lines, f"Why: ota_http_server devices explain {seen.wrong[0][0]}"]
