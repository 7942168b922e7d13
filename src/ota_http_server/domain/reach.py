"""How far releases may spread at this moment: their rollouts, the room there is, and the stop.

Facts for the decision, gathered by whoever decides; without any, every release reaches all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ota_http_server.domain.clocks import CLOCKS_DIFFER_SECONDS
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.offer import History, Hold, Reason
from ota_http_server.domain.project import Project, Spread
from ota_http_server.domain.release import Release
from ota_http_server.domain.rollout import DOWNGRADE_TAG, Rollout, State, percent, stage_of
from ota_http_server.domain.windows import any_open, next_opening


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody said that nothing is offered any more."""

    reason: str
    downloads: bool = False
    """Nor is anything sent, begun or not."""


def check_sending(stop: Stop | None) -> None:
    """Raises `Unavailable` where no image is sent any more."""
    if stop is not None and stop.downloads:
        raise Unavailable(f"{Reason.STOPPED}: {stop.reason}")


@dataclass(frozen=True, slots=True)
class Load:
    """What a rollout's devices do now."""

    open: int = 0
    """Devices that update."""
    offered: int = 0
    """Offers of the current period."""
    by_site: Mapping[str, int] = field(default_factory=dict)
    """Devices that update, by the tag of their site."""

    def with_more(self, devices: Sequence[Sequence[str]]) -> "Load":
        """As it is when these have begun as well, each told by its sites."""
        sites = Counter(site for its in devices for site in its)
        by_site = {**self.by_site, **{s: self.by_site.get(s, 0) + n for s, n in sites.items()}}
        count = len(devices)
        return Load(self.open + count, self.offered + count, by_site if sites else self.by_site)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Downloads at a time: how many there may be, and how many there are."""

    most: int
    taken: int
    project: str | None = None
    """None: of the whole server."""

    @property
    def are_taken(self) -> bool:
        return self.taken >= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`rollouts` are the project's, by release; `loads` by rollout: of those that are paced."""

    rollouts: Mapping[int, tuple[Rollout, ...]] = field(default_factory=dict)
    loads: Mapping[int, Load] = field(default_factory=dict)
    slots: Sequence[Slots] = ()
    """Of the server, of the project: where they are limited."""
    stop: Stop | None = None
    closed: Sequence[Release] = ()
    """Floors that were withdrawn: nobody goes past them all the same."""

    def taking_back(self, device: Device, channel: str) -> Rollout | None:
        """The rollout that takes this device back to an older release, if one does."""
        if DOWNGRADE_TAG not in device.tags:
            return None
        going = [
            rollout
            for of_one in self.rollouts.values()
            for rollout in of_one
            if rollout.takes_back is not None
            # One that stands still lets nobody forward again, either.
            and rollout.state is not State.ABORTED
            and rollout.covers(device, channel)
        ]
        return max(going, key=lambda rollout: rollout.id, default=None)


EVERYWHERE = Reach()


def by_release(rollouts: Sequence[Rollout]) -> dict[int, tuple[Rollout, ...]]:
    found: dict[int, tuple[Rollout, ...]] = {}
    for rollout in rollouts:
        found[rollout.release] = (*found.get(rollout.release, ()), rollout)
    return found


def reaching(
    reach: Reach, project: Project, release: Release, device: Device, channel: str
) -> Rollout | Hold | None:
    """The rollout by which the release has reached the device, or why it has not.

    None: it reaches all. Of several rollouts that have come to it the latest counts; a downgrade
    is none of them.
    """
    known = reach.rollouts.get(release.number, ())
    rollouts = [rollout for rollout in known if rollout.takes_back is None]
    if not rollouts:
        if project.spread is Spread.AT_ONCE:
            return None
        detail = f"{release.version} has no rollout, and this project spreads by rollouts alone"
        return Hold(Reason.NO_ROLLOUT, detail, release)
    holds = []
    for rollout in reversed(rollouts):
        hold = _why_not(rollout, release, device, channel)
        if hold is None:
            return rollout
        holds.append(hold)
    return min(holds, key=lambda hold: _TOLD_FIRST.index(hold.reason))


def _why_not(rollout: Rollout, release: Release, device: Device, channel: str) -> Hold | None:
    name = f"rollout {rollout.id} of {release.version}"
    if not rollout.is_for(device, channel):
        return Hold(Reason.NOT_TARGETED, f"{name} is not for this device", release)
    if rollout.state is State.ABORTED:
        return Hold(Reason.ABORTED, f"{name} was aborted{_because(rollout)}", release)
    if not rollout.covers(device, channel):
        return Hold(Reason.NOT_YET, f"{name} has not come to it: {place_in(rollout, device)}")
    return standing(rollout, release)


def standing(rollout: Rollout, release: Release) -> Hold | None:
    """Why the rollout makes no offers now to devices that it has come to; None: it does."""
    name = f"rollout {rollout.id} of {release.version}"
    if rollout.state is State.PAUSED:
        return Hold(Reason.PAUSED, f"{name} is paused{_because(rollout)}", release)
    if rollout.state is State.HALTED:
        return Hold(Reason.HALTED, f"{name} is halted{_because(rollout)}", release)
    return None


def place_in(rollout: Rollout, device: Device) -> str:
    """Where the device stands in the rollout, and how far that has come; for people."""
    stage = f"stage {rollout.stage + 1} of {len(rollout.stages)} goes to {percent(rollout.share)}"
    if rollout.has_always(device.id):
        return f"it is a canary; {stage}"
    mine = stage_of(rollout, device.id) + 1
    return f"its bucket {rollout.bucket(device.id)} comes with stage {mine}; {stage}"


def room(reach: Reach, rollout: Rollout | None, device: Device, at: int) -> Hold | None:
    """Why the device must wait although the release has reached it; None: it may begin now."""
    if rollout is not None:
        if not any_open(rollout.policy.windows, at):
            return _closed(rollout, at)
        if (hold := _paced(rollout, reach.loads.get(rollout.id, Load()), device)) is not None:
            return hold
    full = next((slots for slots in reach.slots if slots.are_taken), None)
    if full is not None:
        detail = f"{full.taken} of {full.most} downloads at a time are under way"
        return Hold(Reason.NO_SLOT, detail)
    return None


def _closed(rollout: Rollout, at: int) -> Hold:
    opens = next_opening(rollout.policy.windows, at)
    windows = ", ".join(window.text for window in rollout.policy.windows)
    when = "" if opens is None else f"; the next one opens in {max(1, opens - at):,} seconds"
    return Hold(Reason.OUTSIDE_WINDOW, f"it is offered {windows}{when}")


def _paced(rollout: Rollout, load: Load, device: Device) -> Hold | None:
    policy = rollout.policy
    if policy.concurrent_max is not None and load.open >= policy.concurrent_max:
        return Hold(Reason.BUSY, f"{load.open} of {policy.concurrent_max} devices update now")
    if policy.offers_max is not None and load.offered >= policy.offers_max:
        detail = f"{load.offered} of {policy.offers_max} devices were asked within"
        return Hold(Reason.BUSY, f"{detail} {policy.period_seconds:,} seconds")
    for site in sites_of(rollout, device):
        if load.by_site.get(site, 0) >= policy.site_max:
            detail = f"{load.by_site[site]} of {policy.site_max} devices of {site} update now"
            return Hold(Reason.BUSY, detail)
    return None


def sites_of(rollout: Rollout, device: Device) -> tuple[str, ...]:
    """The tags that say at which sites the device is."""
    beginning = rollout.policy.site_tag
    return () if beginning is None else tuple(t for t in device.tags if t.startswith(beginning))


def resting(rollout: Rollout, history: History, device: Device, at: int) -> Hold | None:
    """Why it must wait, or is left out, after what failed on it."""
    failures = history.failures.get(rollout.release, 0)
    policy = rollout.policy
    if failures == 0:
        return None
    if failures >= policy.failures_max:
        detail = f"{rollout.version} failed on it {failures} times; `devices retry {device.id}`"
        return Hold(Reason.FAILING, f"{detail} lets it try again")
    rest = policy.retry_seconds * 2 ** (failures - 1)
    # In the future lies a failure that was written by a clock which was set back since.
    since = at - history.failed_at.get(rollout.release, 0)
    if -CLOCKS_DIFFER_SECONDS <= since < rest:
        wait = rest - max(0, since)
        detail = f"{rollout.version} failed on it; it may try again in {wait:,} seconds"
        return Hold(Reason.RESTING, detail)
    return None


def about(hold: Hold, release: Release) -> Hold:
    return replace(hold, release=release)


def _because(rollout: Rollout) -> str:
    return f": {rollout.reason}" if rollout.reason else ""


_TOLD_FIRST = (
    Reason.HALTED,
    Reason.PAUSED,
    Reason.NOT_YET,
    Reason.ABORTED,
    Reason.NOT_TARGETED,
)
