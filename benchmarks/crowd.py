"""Measures the row of the slow readers: their rate, a poll's p99 and the memory meanwhile."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contestants import FLASK, NGINX, WE, Contestant, running
from benchmarks.loads import LoadFailed, run_wrk
from benchmarks.processes import pss_bytes
from benchmarks.slow_readers import READY
from benchmarks.stage import SLOW_IMAGE_PATH, VERSIONS_PATH, Stage
from benchmarks.table import NAMES, Line, in_words
from benchmarks.throughput import Say

RATE_BYTES = 40_000
POLL_P99_MS = 30.0
READER_KB_MAX = {False: 40.0, True: 150.0}
"""Memory per reader, plain and over TLS."""
SAMPLE_SECONDS = 4.0
PATIENCE_SECONDS = 60.0
_PAGE_BYTES = 4096
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many, and for how long."""

    readers: int
    ramp_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Slow:
    """What one server made of its crowd."""

    readers: int
    full_rate: int
    failed: int
    """Readers that got a wrong or broken answer."""
    failures: tuple[str, ...]
    poll_p99_ms: float
    polls_failed: int
    reader_kb: float
    """Memory of the server's processes per reader (Pss), beyond what they had before."""
    kernel_kb: float
    """What all sockets of the machine hold per reader, the readers' own side included."""


def contestants(*, tls: bool) -> tuple[str, ...]:
    return (WE, NGINX) if tls else (WE, NGINX, FLASK)


def measure(stage: Stage, crowd: Crowd, *, tls: bool, say: Say) -> dict[str, Slow]:
    """Each server by itself, freshly started: what it held before is not what readers cost."""
    found = {}
    for name in contestants(tls=tls):
        say(f"{crowd.readers:,} slow readers{' over TLS' if tls else ''}, {NAMES[name]}")
        with running(name, stage, tls=tls) as server:
            found[name] = _measure(server, stage, crowd)
    return found


def _measure(server: Contestant, stage: Stage, crowd: Crowd) -> Slow:
    # The first requests bring in code and caches that no reader should be charged with.
    bearer = {"Authorization": f"Bearer {stage.token()}"}
    run_wrk(server.url(VERSIONS_PATH), bearer, connections=16, seconds=1)
    before = Memory.now(server)
    tokens = "\n".join(stage.token() for _ in range(crowd.readers))
    pace = ["--rate", RATE_BYTES, "--ramp", crowd.ramp_seconds, "--seconds", crowd.seconds]
    with _child("slow_readers", server, stage, [SLOW_IMAGE_PATH, *pace], tokens) as readers:
        assert readers.stdout is not None
        if readers.stdout.readline().strip() != READY:
            raise LoadFailed(f"the slow readers did not begin: {readers.communicate()[1]}")
        # They end before the readers leave, which is a burst of its own.
        window = ["--seconds", crowd.seconds - 2]
        with _child("polls", server, stage, [VERSIONS_PATH, *window], stage.token()) as polls:
            most = _watch(server, polls)
            polled = _result(polls)
        read = _result(readers)
    return Slow(
        crowd.readers,
        read["full_rate"],
        read["failed"],
        tuple(read["failures"]),
        polled["p99_ms"],
        polled["failed"],
        (most.server - before.server) / 1000 / crowd.readers,
        (most.kernel - before.kernel) / 1000 / crowd.readers,
    )


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that the server's processes and the kernel's TCP buffers hold."""

    server: int
    kernel: int

    @classmethod
    def now(cls, server: Contestant) -> "Memory":
        return cls(pss_bytes(server.pid), socket_bytes())


def _watch(server: Contestant, polls: "subprocess.Popen[str]") -> Memory:
    """The most that was seen until the polls ended."""
    seen = [Memory.now(server)]
    while polls.poll() is None:
        seen.append(Memory.now(server))
        with suppress(subprocess.TimeoutExpired):
            polls.wait(SAMPLE_SECONDS)
    return Memory(max(one.server for one in seen), max(one.kernel for one in seen))


def socket_bytes() -> int:
    """What TCP's buffers hold on this machine (proc(5), /proc/net/sockstat, TCP mem in pages)."""
    for line in Path("/proc/net/sockstat").read_text("ascii").splitlines():
        if line.startswith("TCP:"):
            words = line.split()
            return int(words[words.index("mem") + 1]) * _PAGE_BYTES
    return 0


@contextmanager
def _child(
    module: str, server: Contestant, stage: Stage, options: Sequence[object], text: str
) -> Iterator["subprocess.Popen[str]"]:
    """One of our own load makers, told `text`; it does not outlive the block."""
    ca = ["--ca", stage.tls.ca_cert] if server.tls else []
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *map(str, [server.port, *options, *ca])],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        cwd=_ROOT,
        start_new_session=True,
    )
    try:
        assert child.stdin is not None
        child.stdin.write(text)
        child.stdin.close()
        child.stdin = None
        yield child
    finally:
        child.kill()
        child.communicate()


def _result(child: "subprocess.Popen[str]") -> dict[str, Any]:
    output, complaints = child.communicate(timeout=PATIENCE_SECONDS)
    if child.returncode != 0:
        raise LoadFailed(f"a load maker failed: {complaints.strip()[-500:]}")
    found: dict[str, Any] = json.loads(output)
    return found


def lines(found: dict[str, Slow], *, tls: bool) -> list[Line]:
    """Three lines: everybody at full rate, the polls meanwhile, the memory."""
    we, over = found[WE], " over TLS" if tls else ""
    most = READER_KB_MAX[tls]
    crowd = f"{we.readers:,} slow readers{over}"
    return [
        Line(
            f"{crowd}: at full rate",
            {name: f"{slow.full_rate:,}" for name, slow in found.items()},
            promised="all",
            met=we.full_rate == we.readers,
        ),
        Line(
            f"{crowd}: a poll's p99 meanwhile, ms",
            {name: _p99(slow) for name, slow in found.items()},
            promised=f"< {POLL_P99_MS:.0f}",
            met=we.poll_p99_ms < POLL_P99_MS and not we.polls_failed,
        ),
        Line(
            f"{crowd}: memory per reader, KB",
            {name: in_words(slow.reader_kb) for name, slow in found.items()},
            promised=f"≤ {most:.0f}",
            met=we.reader_kb <= most,
        ),
    ]


def notes(found: dict[str, Slow], *, tls: bool) -> list[str]:
    """What the table has no column for."""
    over = " over TLS" if tls else ""
    kernel = ", ".join(f"{NAMES[n]} {in_words(slow.kernel_kb)}" for n, slow in found.items())
    said = [f"socket buffers in the kernel per slow reader{over}, KB: {kernel}"]
    for name, slow in found.items():
        if slow.failed:
            why = "; ".join(slow.failures)
            said.append(f"{slow.failed:,} slow readers{over} failed, {NAMES[name]}: {why}")
    return said


def _p99(slow: Slow) -> str:
    failed = f" ({slow.polls_failed:,} failed)" if slow.polls_failed else ""
    return in_words(slow.poll_p99_ms) + failed
