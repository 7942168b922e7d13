"""Thousands of slow devices in one process: each reads its image at a steady pace.

    python -m benchmarks.slow_readers PORT PATH --rate … --ramp … --seconds … [--ca …] < TOKENS

Sockets do not block and wait in one epoll set. Receive buffers and segments are small, as on a
board, so that the server cannot get rid of an image by handing it to the kernel. Who has read
its image asks for it again. Tokens come in, one a line; out go `ready` when all have begun, and
one JSON object at the end.
"""

import argparse
import json
import math
import select
import ssl
import sys
import time
from collections.abc import Iterator

from benchmarks.reader import Reader, Target, Want

STEP_SECONDS = 0.01
STEPS_PER_TURN = 20
"""A reader reads each 0.2 s: at 40 KB/s that is 8 KB, what a board has for a buffer."""
FULL_RATE_PART = 0.95
READY = "ready"
_EVENTS = {Want.TO_READ: select.EPOLLIN, Want.TO_WRITE: select.EPOLLOUT}


class Crowd:
    """The readers and the epoll set in which those wait who want what is not there yet."""

    def __init__(self, readers: list[Reader]) -> None:
        self._readers = readers
        self._epoll = select.epoll()
        self._waiting: dict[int, Reader] = {}
        self._begun = 0

    def run(self, ramp_seconds: float, seconds: float) -> Iterator[None]:
        """Begin with the readers evenly over the ramp, then go on; yields where the ramp ends."""
        start = time.monotonic()
        ramp_end, end = start + ramp_seconds, start + ramp_seconds + seconds
        step, in_ramp = 0, True
        while (now := time.monotonic()) < end:
            if in_ramp and now >= ramp_end:
                in_ramp = False
                yield
            self._begin(min(1.0, (now - start) / ramp_seconds), now)
            for reader in self._readers[step % STEPS_PER_TURN : self._begun : STEPS_PER_TURN]:
                if not reader.waits:
                    self._advance(reader, now)
            step += 1
            due = start + step * STEP_SECONDS
            while (left := due - time.monotonic()) > 0:
                self._wake(left)
            if left < -1:
                # So far behind that the lost steps need not be made up one by one.
                step = math.ceil((time.monotonic() - start) / STEP_SECONDS)
        yield

    def _begin(self, part: float, now: float) -> None:
        until = math.ceil(part * len(self._readers))
        for reader in self._readers[self._begun : until]:
            self._advance(reader, now)
        self._begun = max(self._begun, until)

    def _wake(self, seconds: float) -> None:
        for fd, _ in self._epoll.poll(seconds):
            reader = self._waiting.pop(fd)
            self._epoll.unregister(fd)
            reader.waits = False
            self._advance(reader, time.monotonic())

    def _advance(self, reader: Reader, now: float) -> None:
        want = reader.advance(now)
        if want in _EVENTS:
            reader.waits = True
            self._waiting[reader.fileno()] = reader
            self._epoll.register(reader.fileno(), _EVENTS[want])


def measure(
    target: Target, tokens: list[str], *, rate: int, ramp_seconds: float, seconds: float
) -> dict[str, object]:
    """Run a crowd, one reader for each token; what became of it."""
    readers = [Reader(target, token, rate) for token in tokens]
    moments = Crowd(readers).run(ramp_seconds, seconds)
    try:
        next(moments)
        print(READY, flush=True)
        began, before = time.monotonic(), [reader.received for reader in readers]
        next(moments)
        due = FULL_RATE_PART * rate * (time.monotonic() - began)
        received = [reader.received - old for reader, old in zip(readers, before, strict=True)]
    finally:
        for reader in readers:
            reader.close()
    failures = sorted({reader.failure for reader in readers if reader.failure})
    return {
        "readers": len(readers),
        "full_rate": sum(count >= due for count in received),
        "slowest": min(received) / due * FULL_RATE_PART,
        "failed": sum(bool(reader.failure) for reader in readers),
        "failures": failures[:5],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="a crowd of slow readers")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--rate", type=int, default=40_000, help="bytes per second and reader")
    parser.add_argument("--ramp", type=float, default=4.0, help="seconds until all have begun")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--ca", help="speak TLS and trust this authority")
    asked = parser.parse_args()
    context = ssl.create_default_context(cafile=asked.ca) if asked.ca else None
    found = measure(
        Target(asked.port, asked.path, context),
        sys.stdin.read().split(),
        rate=asked.rate,
        ramp_seconds=asked.ramp,
        seconds=asked.seconds,
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
