"""Measures the rows of work per second: interleaved runs, their medians, the verdict."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from statistics import median

from benchmarks import commits, goosebit
from benchmarks.contestants import GOOSEBIT, WE, WORKERS, Absent, Contestant, running
from benchmarks.processes import cpu_seconds
from benchmarks.rows import Promise, Row
from benchmarks.stage import Stage
from benchmarks.table import NAMES, NOTHING, Line, in_words
from ota_http_server.operations.lease import RENEW_SECONDS
from ota_http_server.operations.registry import WRITE_SECONDS

Say = Callable[[str], None]

ABSENT = "absent"
SETTLE_SECONDS = 1.5
"""After so long what a download before left behind (progress, beginnings) has been written."""


@dataclass(frozen=True, slots=True)
class Run:
    """One server under one load, once."""

    rate: float
    """Bytes or requests per second."""
    cpu_per_work: float
    """The server's CPU seconds per GB (10^9 bytes), or per 1,000 requests."""
    errors: int
    seconds: float = 0.0
    commits: int | None = None
    """How often the server's database was seen to change; None where nobody looked."""


Runs = Mapping[str, Sequence[Run]]
"""By contestant, in the order in which they were made."""


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured."""

    rows: dict[str, dict[str, list[Run]]]
    """By the row's key and the contestant; who is absent has no run."""
    absent: dict[str, str] = field(default_factory=dict)
    """Contestants that could not be had, and why."""


def measure(rows: Sequence[Row], stage: Stage, *, rounds: int, seconds: int, say: Say) -> Found:
    """All rows. In each round every server has its turn at each row: what disturbs the machine
    for a while disturbs them all."""
    found = Found({row.key: {name: [] for name in row.contestants} for row in rows})
    for tls in (False, True):
        chosen = [row for row in rows if row.tls is tls]
        names = {name: None for row in chosen for name in row.contestants}
        with ExitStack() as stack:
            servers = {}
            for name in names:
                try:
                    servers[name] = stack.enter_context(_starting(name, stage, say, tls=tls))
                except Absent as absent:
                    found.absent[name] = str(absent)
            for number in range(1, rounds + 1):
                for row in chosen:
                    for name in filter(servers.__contains__, row.contestants):
                        say(f"round {number} of {rounds}: {row.key}, {NAMES[name]}")
                        run = _run(row, servers[name], stage, seconds)
                        found.rows[row.key][name].append(run)
    return found


def _starting(
    name: str, stage: Stage, say: Say, *, tls: bool
) -> AbstractContextManager[Contestant]:
    if name != GOOSEBIT:
        return running(name, stage, tls=tls)
    say("gooseBit is made ready (at its first time it is installed)")
    return goosebit.running(stage)


def _run(row: Row, server: Contestant, stage: Stage, seconds: int) -> Run:
    watched = row.writes_nothing and server.name == WE
    if watched:
        time.sleep(SETTLE_SECONDS)
    before = cpu_seconds(server.pid)
    with ExitStack() as stack:
        seen = stack.enter_context(commits.counted(server.database)) if watched else None
        load = row.make(server, stage, seconds)
    used = cpu_seconds(server.pid) - before
    done = load.bytes if row.in_bytes else load.requests
    per = 1e9 if row.in_bytes else 1e3
    return Run(
        done / load.seconds,
        used / max(done, 1) * per,
        load.errors,
        load.seconds,
        seen.count if seen is not None else None,
    )


def lines(row: Row, runs: Runs) -> list[Line]:
    """The row in words, and in a second line what was written meanwhile, if that was watched.

    A server that answered with errors has not kept its promise, nor has one whose rival is absent.
    """
    there = [name for name in row.contestants if runs[name]]
    rates = {name: median(run.rate for run in runs[name]) for name in there}
    promises = [promise for promise in row.promises if promise.of in rates]
    ratios = [(promise, ratio(rates, promise)) for promise in promises]
    right = not any(run.errors for run in runs[WE])
    found = Line(
        row.work,
        {n: _figure(row, rates[n], runs[n]) if n in rates else ABSENT for n in row.contestants},
        " · ".join(_times(promise, value) for promise, value in ratios) or NOTHING,
        " · ".join(f"≥ {_times(promise, promise.at_least)}" for promise in row.promises) or NOTHING,
        (right and all(value >= promise.at_least for promise, value in ratios))
        if ratios or not right
        else None,
    )
    return [found, _written(row, runs[WE])] if row.writes_nothing else [found]


def _written(row: Row, runs: Sequence[Run]) -> Line:
    """How often anything was committed, at the most; what is gathered is written now and then."""
    seen = max(run.commits or 0 for run in runs)
    seconds = max(run.seconds for run in runs)
    allowed = WORKERS * (int(seconds / WRITE_SECONDS) + 1) + int(seconds / RENEW_SECONDS) + 1
    return Line(
        f"{row.key}: commits in {seconds:.0f} s",
        {WE: f"{seen:,}"},
        promised=f"≤ {allowed}",
        met=seen <= allowed,
    )


def ratio(rates: Mapping[str, float], promise: Promise) -> float:
    """How we do beside the one whom the promise names; a rival that did nothing is no measure."""
    return rates[WE] / rates[promise.of] if rates[promise.of] else 0.0


def notes(rows: Sequence[Row], found: Found) -> list[str]:
    """What went wrong while it was measured, and who was not there."""
    notes = list(found.absent.values())
    for row in rows:
        for name in row.contestants:
            count = sum(run.errors for run in found.rows[row.key][name])
            if count:
                notes.append(f"{row.key}: {NAMES[name]} had {count:,} errors")
    return notes


def _figure(row: Row, rate: float, runs: Sequence[Run]) -> str:
    cpu = median(run.cpu_per_work for run in runs)
    return f"{in_words(rate / 1e6 if row.in_bytes else rate)} ({cpu:.2f})"


def _times(promise: Promise, value: float) -> str:
    """A multiple of a slow rival, a part of the fast one."""
    number = f"{value:.2f}" if promise.at_least < 1 else f"{value:.1f}".removesuffix(".0")
    return f"{number} × {NAMES[promise.of]}"
