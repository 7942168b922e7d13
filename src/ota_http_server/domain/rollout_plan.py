"""The plan of a rollout: its stages, what halts it, and how fast it may go.

Each default is the careful one; a desk with ten boards and a fleet of fifty thousand can both use
the default plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.windows import Window

HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS
SHARE_MAX = 10_000
STAGES_MAX = 20
SECONDS_MAX = 365 * DAY_SECONDS
COUNT_MAX = 10_000_000
DEFAULT_SHARES = (100, 500, 2_500, 5_000, SHARE_MAX)
DEFAULT_DWELL_SECONDS = HOUR_SECONDS
VERIFIED_MORE_MAX = 50
"""So many new successes say enough of a default stage, and a big fleet has offline devices."""


class Mode(StrEnum):
    """How urgently a device is asked, where its protocol can say it."""

    SOFT = "soft"
    """It may choose the moment."""
    FORCED = "forced"
    """At once."""
    DOWNLOAD_ONLY = "download-only"
    """It fetches the image and does not install it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """So far, and what must hold before it goes further."""

    share: int
    """In ten-thousandths of the target; 0: the named canaries alone."""
    dwell_seconds: int = DEFAULT_DWELL_SECONDS
    verified_min: int = 1
    """So many devices of the rollout were seen running the release, those of earlier stages too."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= SHARE_MAX:
            raise Invalid("a stage has 0 to 100 percent")
        _check("dwell_seconds", self.dwell_seconds, SECONDS_MAX)
        _check("verified_min", self.verified_min, COUNT_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What halts it, and how fast it may go. Shares are ten-thousandths.

    Each threshold that halts has a second part, so that one device of two never halts.
    """

    failed_share_max: int = 200
    """Of the devices that succeeded or failed, so many failed: it is halted,"""
    finished_min: int = 10
    """if at least so many have come to an end, silence included."""
    silent_share_max: int = 2_000
    """Of the devices that were offered it, so many were not heard of"""
    silent_seconds: int = HOUR_SECONDS
    """for so long: it is halted. Longer than the longest time between two check-ins."""
    rolled_back_share_max: int = 100
    """Of the devices that succeeded or went back, so many run the old image again: it is halted."""
    halting_devices_min: int = 2
    """Fewer devices than this never halt it."""
    counts_installed: bool = False
    """A report of success is believed, for devices that never tell what they run."""
    concurrent_max: int | None = None
    """Devices that update at the same time."""
    offers_max: int | None = None
    """New devices in a period."""
    period_seconds: int = HOUR_SECONDS
    windows: tuple[Window, ...] = ()
    """It is offered while one of them is open; none: at any time."""
    site_tag: str | None = None
    """Devices that share a tag with this beginning are at one site."""
    site_max: int = 1
    """Devices of a site that update at the same time."""
    retry_seconds: int = 15 * 60
    """So long a device waits after its first failure; twice as long after each further one."""
    failures_max: int = 3
    """A device on which it failed so often is left out until somebody lets it try again."""
    mode: Mode = Mode.FORCED

    def __post_init__(self) -> None:
        for name in ("failed_share_max", "silent_share_max", "rolled_back_share_max"):
            _check(name, getattr(self, name), SHARE_MAX, least=1)
        for name in ("finished_min", "halting_devices_min", "site_max", "failures_max"):
            _check(name, getattr(self, name), COUNT_MAX, least=1)
        for name in ("concurrent_max", "offers_max"):
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), COUNT_MAX, least=1)
        for name in ("silent_seconds", "period_seconds"):
            _check(name, getattr(self, name), SECONDS_MAX, least=1)
        _check("retry_seconds", self.retry_seconds, SECONDS_MAX)

    @property
    def is_paced(self) -> bool:
        """Whether others that update now can make a device wait."""
        return not (self.concurrent_max is None and self.offers_max is None and not self.site_tag)


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages and policy as they are wished for, before anybody looked at the fleet."""

    stages: tuple[Stage, ...] = ()
    """None: the default ones."""
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        if len(self.stages) > STAGES_MAX:
            raise Invalid(f"a rollout has at most {STAGES_MAX} stages")
        shares = [stage.share for stage in self.stages]
        if any(after <= before for before, after in pairwise(shares)):
            raise Invalid("each stage must go further than the one before it")
        if shares and shares[-1] != SHARE_MAX:
            raise Invalid("the last stage must go to 100 percent")


def default_shares(*, has_canaries: bool) -> tuple[int, ...]:
    """Canary, 5, 25, 50, 100 %; the canary is 1 %, or those that are named."""
    return (0, *DEFAULT_SHARES[1:]) if has_canaries else DEFAULT_SHARES


def default_stages(shares: Sequence[int], sizes: Sequence[int]) -> tuple[Stage, ...]:
    """Half of the devices of a stage must be seen running the release, at most 50 more than in the
    stage before.

    `sizes`: how many each of these stages has, with those of the stages before it.
    """
    stages: list[Stage] = []
    verified_min = 0
    for share, size in zip(shares, sizes, strict=True):
        verified_min = max(1, min(size // 2, verified_min + VERIFIED_MORE_MAX))
        stages.append(Stage(share, DEFAULT_DWELL_SECONDS, verified_min))
    return tuple(stages)


def _check(name: str, value: object, most: int, least: int = 0) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Invalid(f"{name} must be a whole number from {least:,} to {most:,}")
