"""Measures the rows of work per second: interleaved runs, their medians, the verdict."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.contestants import WE, Contestant, running
from benchmarks.processes import cpu_seconds
from benchmarks.rows import Promise, Row
from benchmarks.stage import Stage
from benchmarks.table import NAMES, Line, in_words

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One server under one load, once."""

    rate: float
    """Bytes or requests per second."""
    cpu_per_work: float
    """The server's CPU seconds per GB (10^9 bytes), or per 1,000 requests."""
    errors: int


Runs = Mapping[str, Sequence[Run]]
"""By contestant, in the order in which they were made."""


def measure(
    rows: Sequence[Row], stage: Stage, *, rounds: int, seconds: int, say: Say
) -> dict[str, Runs]:
    """All rows, by key. In each round every server has its turn at each row: what disturbs the
    machine for a while disturbs them all."""
    found: dict[str, dict[str, list[Run]]] = {
        row.key: {name: [] for name in row.contestants} for row in rows
    }
    for tls in (False, True):
        chosen = [row for row in rows if row.tls is tls]
        names = {name: None for row in chosen for name in row.contestants}
        with ExitStack() as stack:
            servers = {n: stack.enter_context(running(n, stage, tls=tls)) for n in names}
            for number in range(1, rounds + 1):
                for row in chosen:
                    for name in row.contestants:
                        say(f"round {number} of {rounds}: {row.key}, {NAMES[name]}")
                        run = _run(row, servers[name], stage, seconds)
                        found[row.key][name].append(run)
    return {key: dict(runs) for key, runs in found.items()}


def _run(row: Row, server: Contestant, stage: Stage, seconds: int) -> Run:
    before = cpu_seconds(server.pid)
    load = row.make(server, stage, seconds)
    used = cpu_seconds(server.pid) - before
    done = load.bytes if row.in_bytes else load.requests
    per = 1e9 if row.in_bytes else 1e3
    return Run(done / load.seconds, used / max(done, 1) * per, load.errors)


def line(row: Row, runs: Runs) -> Line:
    """The row in words. A server that answered with errors has not kept its promise."""
    rates = {name: median(run.rate for run in runs[name]) for name in row.contestants}
    ratios = [(promise, ratio(rates, promise)) for promise in row.promises]
    right = not any(run.errors for run in runs[WE])
    return Line(
        row.work,
        {name: _figure(row, rates[name], runs[name]) for name in row.contestants},
        " · ".join(_times(promise, value) for promise, value in ratios),
        " · ".join(f"≥ {_times(promise, promise.at_least)}" for promise in row.promises),
        right and all(value >= promise.at_least for promise, value in ratios),
    )


def ratio(rates: Mapping[str, float], promise: Promise) -> float:
    """How we do beside the one whom the promise names; a rival that did nothing is no measure."""
    return rates[WE] / rates[promise.of] if rates[promise.of] else 0.0


def errors(rows: Sequence[Row], found: Mapping[str, Runs]) -> list[str]:
    """What went wrong while it was measured, for the notes."""
    notes = []
    for row in rows:
        for name in row.contestants:
            count = sum(run.errors for run in found[row.key][name])
            if count:
                notes.append(f"{row.key}: {NAMES[name]} had {count:,} errors")
    return notes


def _figure(row: Row, rate: float, runs: Sequence[Run]) -> str:
    cpu = median(run.cpu_per_work for run in runs)
    return f"{in_words(rate / 1e6 if row.in_bytes else rate)} ({cpu:.2f})"


def _times(promise: Promise, value: float) -> str:
    """A multiple of the slow rival, a part of the fast one."""
    number = f"{value:.2f}" if promise.at_least < 1 else f"{value:.1f}".removesuffix(".0")
    return f"{number} × {NAMES[promise.of]}"
