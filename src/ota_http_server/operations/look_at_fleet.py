"""Looking at all devices of a project, to say how many a rollout has and where it begins."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ota_http_server.domain.candidates import Candidates
from ota_http_server.domain.device import Device
from ota_http_server.domain.release import Release, State
from ota_http_server.domain.rollout import Rollout, first_of, sizes
from ota_http_server.storage.database import Database
from ota_http_server.storage.devices import Wanted

PAGE = 500  # a hundredth of a second; between two pages others have their turn


@dataclass(frozen=True, slots=True)
class Member:
    """A device that follows the release's channel."""

    device: Device
    channel: str
    why_not: str | None
    """Why it could not be offered the release now, however far that had come."""
    is_expected: bool
    """It could be offered it, or may before long."""


Fleet = list[Member]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many devices a rollout has."""

    sizes: tuple[int, ...]
    """Of each stage, with those of the stages before it."""
    left_out: Mapping[str, int]
    """Devices of its target that are not counted, because they could not be offered it now: how
    many, by the reason."""


def fleet_of(database: Database, release: Release, *, takes_back: bool) -> Fleet:
    """The devices that follow the release's channel, by id, whether it could be theirs or not."""
    with database.reading() as rows:
        settings = rows.projects.get(release.project)
        published = rows.releases.of_project(release.project, (State.PUBLISHED,))
        closed = rows.releases.withdrawn_floors(release.project)
    candidates = Candidates(settings, release, published, closed=closed, takes_back=takes_back)
    wanted = Wanted(project=release.project, blocked=False)
    channel = release.channel

    def member(device: Device) -> Member:
        why_not = candidates.why_not(device, channel)
        return Member(device, channel, why_not, candidates.expects(why_not))

    fleet: Fleet = []
    last = ""
    while True:
        with database.reading() as rows:
            page = rows.devices.page(wanted, last, PAGE)
        fleet += [member(one) for one in page if settings.channel_of(one) == channel]
        if len(page) < PAGE:
            return fleet
        last = page[-1].id
        time.sleep(0)


def fleet_for(database: Database, rollout: Rollout) -> Fleet:
    """The same for a rollout; nobody, where its release is gone."""
    with database.reading() as rows:
        release = rows.releases.by_number(rollout.release)
    if release is None:
        return []
    return fleet_of(database, release, takes_back=rollout.takes_back is not None)


def first_device(rollout: Rollout, fleet: Fleet) -> str | None:
    """With whom it begins beside its first stage; None where that has somebody, or nobody is there.

    A device that could be offered the release now, if there is any. Canaries that are named are
    waited for as long as one of them may take it.
    """
    able = [one for one in fleet if one.why_not is None]
    expected = [one for one in fleet if one.is_expected]
    if any(one.device.id in rollout.canaries for one in expected):
        return None
    for some in (able, expected):
        first = first_of(rollout, _followers(some))
        if first is not None:
            is_in = rollout.bucket(first) < rollout.stages[0].share
            return None if is_in else first
    return None


def counts_of(rollout: Rollout, fleet: Fleet, tried: Collection[str] = ()) -> Counts:
    """`tried`: devices that it went to already; they count, whatever they run now."""
    mine = [one for one in fleet if rollout.is_for(one.device, one.channel)]
    meant = [one for one in mine if one.is_expected or one.device.id in tried]
    left_out = Counter(
        one.why_not or "" for one in mine if not one.is_expected and one.device.id not in tried
    )
    return Counts(tuple(sizes(rollout, _followers(meant))), dict(sorted(left_out.items())))


def counted(database: Database, rollout: Rollout) -> Counts:
    """How many a rollout has now, with those that it went to."""
    fleet = fleet_for(database, rollout)
    with database.reading() as rows:
        tried = rows.rollouts.outcomes(rollout.id)
    return counts_of(rollout, fleet, tried)


def _followers(members: Iterable[Member]) -> list[tuple[Device, str]]:
    return [(one.device, one.channel) for one in members]
