"""`python -m benchmarks [--quick] [--rows NAME …] [--json FILE]`: measures, and prints one table.

Exit status 0 even where a figure is missed: it is printed as it is. 2 where a tool is missing.
"""

import argparse
import json
import os
import platform
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import crowd, herd, publishing, throughput
from benchmarks.contestants import NotReady, program
from benchmarks.loads import LoadFailed
from benchmarks.rows import ROWS
from benchmarks.stage import prepare
from benchmarks.table import Line, render

TOOLS = {"wrk": "wrk", "nginx": "nginx", "openssl": "openssl"}
"""What must be on the path, and the package of Debian that brings it."""
SLOW = {"slow": False, "slow-tls": True}
"""The rows of the slow readers, and whether they speak TLS."""
PUBLISH = "publish"
"""The row about the memory of whoever publishes."""
HERD = "herd"
"""The rows about the devices that the power comes back to."""
HERDS_MAX = 3
"""Rounds: each needs two servers of its own."""
FILES_BESIDE_READERS = 500
LOAD_MAX = 1.0
"""With more than this before it began, somebody else takes part of what is measured."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How long it takes: the full run some ten minutes, the quick one two."""

    rounds: int
    seconds: int
    crowd: crowd.Crowd


FULL = Extent(5, 2, crowd.Crowd(readers=2_000, ramp_seconds=4, seconds=40))
QUICK = Extent(2, 1, crowd.Crowd(readers=500, ramp_seconds=1, seconds=6))


def main() -> int:
    """The exit status."""
    asked = _arguments()
    extent = QUICK if asked.quick else FULL
    if problem := missing(program) or too_few_files(max(extent.crowd.readers, herd.DEVICES // 2)):
        print(problem, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _leave)
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {text}", file=sys.stderr, flush=True)

    try:
        with tempfile.TemporaryDirectory(prefix="ota-bench-") as folder:
            lines, notes, figures = measure(Path(folder), asked.rows, extent, say)
    except KeyboardInterrupt:
        print("interrupted; everything that was started has ended", file=sys.stderr)
        return 130
    except (NotReady, LoadFailed) as error:
        print(error, file=sys.stderr)
        return 1
    print(render(lines, notes))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def missing(which: Callable[[str], str | None]) -> str:
    """What to install, or nothing."""
    packages = [package for tool, package in TOOLS.items() if which(tool) is None]
    if not packages:
        return ""
    return f"the bench needs {', '.join(packages)}: apt-get install {' '.join(packages)}"


def too_few_files(readers: int) -> str:
    """Raises the limit of open files as far as it goes; a word if that is too little.

    A server has two files per slow reader at the worst: the connection and the image.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = 2 * readers + FILES_BESIDE_READERS
    if hard != resource.RLIM_INFINITY and hard < needed:
        return f"the bench needs {needed:,} open files, {hard:,} are allowed: raise ulimit -Hn"
    return ""


def measure(
    folder: Path, keys: Sequence[str], extent: Extent, say: throughput.Say
) -> tuple[list[Line], list[str], dict[str, Any]]:
    """The lines of the table, what is said under it, and the same for machines."""
    load = os.getloadavg()[0]
    stage = prepare(folder)
    rows = [row for row in ROWS if row.key in keys]
    found = throughput.measure(rows, stage, rounds=extent.rounds, seconds=extent.seconds, say=say)
    lines = [line for row in rows for line in throughput.lines(row, found.rows[row.key])]
    notes = [*_explained(extent, load), *throughput.notes(rows, found)]
    figures: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "load": load,
        "python": platform.python_version(),
        "rows": {
            key: {name: [asdict(run) for run in made] for name, made in runs.items()}
            for key, runs in found.rows.items()
        },
    }
    if PUBLISH in keys:
        published = publishing.measure(stage, extent.rounds, say)
        lines += publishing.lines(published)
        figures["rows"][PUBLISH] = asdict(published)
    if HERD in keys:
        herds = herd.measure(stage, min(extent.rounds, HERDS_MAX), say)
        lines += herd.lines(herds)
        notes += herd.notes(herds)
        figures["rows"][HERD] = [asdict(one) for one in herds]
    for key, tls in SLOW.items():
        if key in keys:
            slow = crowd.measure(stage, extent.crowd, tls=tls, say=say)
            lines += crowd.lines(slow, tls=tls)
            notes += crowd.notes(slow, tls=tls)
            figures["rows"][key] = {name: asdict(one) for name, one in slow.items()}
    figures["table"] = [asdict(line) for line in lines]
    return lines, notes, figures


def _explained(extent: Extent, load: float) -> list[str]:
    notes = [
        f"medians of {extent.rounds} interleaved runs of {extent.seconds} s; two workers each",
        "in brackets: the server's CPU seconds per GB (MB/s rows) or per 1,000 requests",
    ]
    if load > LOAD_MAX:
        notes.append(f"others were busy on this machine (load {load:.1f}): all figures are rough")
    return notes


def _arguments() -> argparse.Namespace:
    every = [*(row.key for row in ROWS), PUBLISH, HERD, *SLOW]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="speed and memory beside rivals"
    )
    parser.add_argument(
        "--quick", action="store_true", help="rough figures in two minutes, not ten"
    )
    parser.add_argument(
        "--rows", nargs="+", choices=every, default=every, metavar="NAME", help=", ".join(every)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures of every run too")
    return parser.parse_args()


def _leave(number: int, _frame: object) -> None:
    """A polite end: what was started ends on the way out."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
