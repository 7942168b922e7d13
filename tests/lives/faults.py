"""What goes wrong in a life, and how often; all of it follows from the life's seed.

`OTA_LIVES_SEED=7` lives that one life again, `OTA_LIVES=100` a hundred times as many.
"""

import os
from dataclasses import dataclass
from random import Random

DAY_SECONDS = 24 * 3_600
STEP_SECONDS = 30 * DAY_SECONDS
STEPS = (STEP_SECONDS, 3_600, 90, 20)
"""By so much somebody sets the clock, on or back."""


def some_step(random: Random) -> int:
    return random.choice(STEPS) * random.choice((-1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What becomes of words on their way; chances from 0 to 1."""

    lost: float = 0.0
    """Of reports, of requests, and of answers."""
    repeated: float = 0.0
    """Of reports: they come once more, up to `late_seconds_max` later, at any process."""
    late: float = 0.0
    """Of reports: they come after others that were said later."""
    late_seconds_max: float = 1_200.0

    def arrivals(self, random: Random) -> list[float]:
        """When a report comes, in seconds from now: once, never, or several times."""
        if random.random() < self.lost:
            return []
        first = random.uniform(0.0, self.late_seconds_max) if random.random() < self.late else 0.1
        arrivals = [first]
        while random.random() < self.repeated:
            arrivals.append(random.uniform(0.0, self.late_seconds_max))
        return arrivals

    def loses(self, random: Random) -> bool:
        return random.random() < self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often each thing happens in a life, at random moments."""

    network: Network = Network()
    clock_steps: int = 0
    """The clock is set on or back."""
    steps_at_restarts: float = 0.0
    """The chance that it is set, too, between the report of a board and its restart."""
    kills: int = 0
    """A process dies at some moment of the writes that it does next."""
    dies_within: int | None = None
    """So many moments of writing no process outlives; a statement is one."""
    admins: int = 0
    """Two people do something with the rollout at the same time."""
    new_plans: int = 0
    """Somebody aborts a rollout and begins another one of the same release."""
    stops: int = 0
    """Somebody stops all offers, and mostly lifts that later."""


NONE = Faults()
BAD_NETWORK = Network(lost=0.1, repeated=0.2, late=0.2)


def seeds(many: int) -> list[int]:
    """So many lives; or `OTA_LIVES` times as many; or the one that somebody wants to look at."""
    told = os.environ.get("OTA_LIVES_SEED")
    if told is not None:
        return [int(told)]
    return list(range(many * int(os.environ.get("OTA_LIVES", "1"))))
