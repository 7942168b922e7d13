"""How a rollout goes: what its devices came to, whether that halts it, what a stage waits for.

Counted by device, from their attempts: a report that comes twice, late, or at another instance is
one row all the same.
"""

from dataclasses import dataclass

from ota_http_server.domain.rollout import SHARES, UNCANARIED_SHARE_MAX, Rollout

OVERDUE_SHARE_MAX = 2_000
"""Of those who began, so many may have come to no end when a stage is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Devices that the rollout was offered to, by what became of them."""

    offered: int = 0
    """And nothing more was heard of it yet."""
    downloading: int = 0
    downloaded: int = 0
    installed: int = 0
    verified: int = 0
    failed: int = 0
    rolled_back: int = 0
    silent: int = 0
    excused: int = 0
    """Failed, rolled back or silent before a person let it go on."""

    @property
    def devices(self) -> int:
        return self.pending + self.bad + self.verified + self.excused

    @property
    def pending(self) -> int:
        return self.offered + self.begun

    @property
    def begun(self) -> int:
        """Under way, and not at an end."""
        return self.downloading + self.downloaded + self.installed

    @property
    def bad(self) -> int:
        return self.failed + self.rolled_back + self.silent


def successes(rollout: Rollout, tally: Tally) -> int:
    """Devices that did what was asked of them."""
    good = tally.verified
    if rollout.only_fetches:
        good += tally.downloaded
    return good + (tally.installed if rollout.policy.counts_installed else 0)


def why_halt(rollout: Rollout, tally: Tally) -> str | None:
    """The reason to halt it; None: it may go on."""
    policy = rollout.policy
    good = successes(rollout, tally)
    failed = tally.failed + tally.rolled_back
    # Each share is of this end and its good alternative: one kind of bad end hides no other.
    ends, seen = good + failed, good + tally.rolled_back

    def too_many(count: int, of: int, share_max: int) -> bool:
        return count >= policy.halting_devices_min and count * SHARES >= share_max * of

    finished = ends + tally.silent
    if finished >= policy.finished_min and too_many(failed, ends, policy.failed_share_max):
        return f"{failed} of {ends} devices failed ({_percent(failed, ends)})"
    if too_many(tally.rolled_back, seen, policy.rolled_back_share_max):
        return f"{tally.rolled_back} of {seen} devices run the old image again"
    asked = tally.devices - tally.excused
    if too_many(tally.silent, asked, policy.silent_share_max):
        return f"{tally.silent} of {asked} devices were not heard of again"
    return None


def what_lacks(rollout: Rollout, tally: Tally) -> str | None:
    """What the stage waits for before the next one; None: for nothing."""
    stage = rollout.stages[rollout.stage]
    if rollout.stage_seconds < stage.dwell_seconds:
        return f"{stage.dwell_seconds - rollout.stage_seconds:,} more seconds in this stage"
    good = successes(rollout, tally)
    needed = max(stage.verified_min, 1 if goes_far(rollout) and not rollout.is_canaried else 0)
    if good < needed:
        return f"{needed - good:,} more devices that run it ({good:,} do)"
    begun = tally.verified + tally.bad + tally.begun
    overdue = begun - good
    if overdue >= rollout.policy.halting_devices_min and (
        overdue * SHARES > min(rollout.policy.silent_share_max, OVERDUE_SHARE_MAX) * begun
    ):
        return f"word from {overdue:,} of {begun:,} devices that began"
    return None


def has_held(rollout: Rollout, tally: Tally) -> bool:
    """Whether its stage was a test that it passed: nothing lacks, and somebody does run it."""
    return what_lacks(rollout, tally) is None and successes(rollout, tally) > 0


def goes_far(rollout: Rollout) -> bool:
    """Whether the next stage is more than a release may reach that no canary was seen running."""
    following = rollout.next_share
    return following is not None and following > UNCANARIED_SHARE_MAX


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.1f} %"
