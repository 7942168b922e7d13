"""A fleet of simulated devices: each checks in now and then, many at the same time.

    fleet = Fleet(members, Pace(parallel=32, every_seconds=1, seconds_max=60))
    for tally in fleet.live():
        …                       # a few times a second: how it goes
    print(fleet.tally)

A device is done when it runs something new and the server heard so, when it has nothing to do, when
it went silent, or when it tried often enough. Threads step the devices; a device is never stepped
by two at once.
"""

import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from ota_http_server.simulation.board import Device, Did
from ota_http_server.simulation.failed import Failed

STEPS_MAX = 6  # of one device: an update with three roll-backs, and a look afterwards
SHOWN_SECONDS = 0.25
LATENCIES_MAX = 200_000


@dataclass(slots=True)
class Member:
    """A device in the fleet."""

    client: str
    """Which client it is: what the figures are told by."""
    device: Device
    name: str = ""
    steps: int = 0
    updated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many at once, how often each, how long at most."""

    parallel: int
    every_seconds: float
    seconds_max: float
    stays: bool = False
    """They go on until their time is up: something may come that is not there yet."""


@dataclass(slots=True)
class Tally:
    """What came of it so far."""

    devices: int
    done: int = 0
    check_ins: int = 0
    updated: int = 0
    body_bytes: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By client and what a step came to."""
    complaints: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By client and the words with which it failed."""
    latencies: list[float] = field(default_factory=list)
    """Seconds of each step that downloaded nothing."""

    def share_of_latency(self, share: float) -> float:
        """The time within which so many of these steps were done; 0 without any."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Fleet:
    """Runs once."""

    def __init__(
        self,
        members: Sequence[Member],
        pace: Pace,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace = pace
        self._monotonic = monotonic
        self.tally = Tally(len(members))
        self._members = list(members)
        # They were not all switched on in the same moment.
        spread = pace.every_seconds / max(1, len(members))
        self._due = [(number * spread, number) for number in range(len(members))]
        self._changed = threading.Condition()
        self._stopped = False

    def live(self) -> Generator[Tally]:
        """Yields while the devices live; ends with them, or when their time is up."""
        began = self._monotonic()
        threads = [
            threading.Thread(target=self._work, args=(began,), daemon=True)
            for _ in range(self._pace.parallel)
        ]
        for thread in threads:
            thread.start()
        try:
            while alive := [thread for thread in threads if thread.is_alive()]:
                yield self.tally
                alive[0].join(SHOWN_SECONDS)
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            for thread in threads:
                thread.join()

    def _work(self, began: float) -> None:
        while (number := self._next(began)) is not None:
            member = self._members[number]
            is_done = self._step(member)
            with self._changed:
                if is_done:
                    self.tally.done += 1
                else:
                    due = self._monotonic() - began + self._pace.every_seconds
                    heapq.heappush(self._due, (due, number))
                self._changed.notify_all()

    def _next(self, began: float) -> int | None:
        """The device whose time has come; None when there is nothing more to do."""
        with self._changed:
            while True:
                now = self._monotonic() - began
                over = self._stopped or now >= self._pace.seconds_max
                if over or self.tally.done == self.tally.devices:
                    return None
                if self._due and self._due[0][0] <= now:
                    return heapq.heappop(self._due)[1]
                wait = self._due[0][0] - now if self._due else SHOWN_SECONDS
                self._changed.wait(min(wait, SHOWN_SECONDS))

    def _step(self, member: Member) -> bool:
        """Whether the device is done."""
        member.steps += 1
        began = self._monotonic()
        try:
            outcome = member.device.step()
        except Failed as failed:
            with self._changed:
                self.tally.check_ins += 1
                self.tally.outcomes[member.client, "failed"] += 1
                self.tally.complaints[member.client, str(failed)] += 1
            return member.steps >= STEPS_MAX and not self._pace.stays
        with self._changed:
            self.tally.check_ins += 1
            self.tally.body_bytes += outcome.body_bytes
            self.tally.outcomes[member.client, str(outcome.did)] += 1
            if outcome.did is Did.NOTHING and len(self.tally.latencies) < LATENCIES_MAX:
                self.tally.latencies.append(self._monotonic() - began)
            if outcome.did is Did.UPDATED and not member.updated:
                member.updated = True
                self.tally.updated += 1
        if self._pace.stays:
            return outcome.did is Did.SILENT
        is_over = outcome.did is Did.SILENT or (outcome.did is Did.NOTHING and member.steps > 1)
        return is_over or member.steps >= STEPS_MAX
