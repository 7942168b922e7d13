"""Judging one release for one device: whether it is newer, fits, has come so far, may be tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.device import Device
from ota_http_server.domain.fitting import fitting
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.newness import Running, newer
from ota_http_server.domain.offer import Decision, History, Hold, Offer, Reason, Rule
from ota_http_server.domain.project import Project
from ota_http_server.domain.reach import Reach, about, reaching, resting, room
from ota_http_server.domain.release import Release, ReleaseImage
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import Rollout
from ota_http_server.domain.version import version_key

DELIVERIES_MAX = 3  # the same complete image so often, and it still runs another one: a loop
PIN_IT = "; nobody knows what it runs: pin it to the release that it may have"
FAILURES_MAX = 3  # a release that failed so often on a device is not tried on it again


@dataclass(frozen=True, slots=True)
class Case:
    """What one decision is about."""

    device: Device
    project: Project
    releases: Sequence[Release]
    running: Running
    attempt: Attempt | None
    history: History
    parts: Sequence[Kind]
    reach: Reach
    at: int
    defers: bool = False
    """The client can fetch an image and leave its installation for later."""

    @property
    def channel(self) -> str:
        return self.project.channel_of(self.device)


def judged(
    case: Case,
    release: Release,
    *,
    pinned: bool = False,
    takes_back: bool = False,
    back: Rollout | None = None,
) -> Decision:
    """This release for this device: hardware first, for an image decides what runs.

    `pinned`, by a person, and `takes_back`, by a rollout (`back`, where there is one already): it
    gets this one whether it is newer or not. Floors stand all the same, but whoever pins a device
    of which nobody knows what it runs answers for the step.
    """
    if case.running.is_release(release):
        return Hold(Reason.UP_TO_DATE, f"it runs {release.version}", release)
    is_newer = newer(case.running, case.project, release)
    is_chosen = pinned or takes_back
    if isinstance(is_newer, Hold) and not is_chosen:
        return is_newer
    rule = Rule.PINNED if is_chosen or isinstance(is_newer, Hold) else is_newer
    image = fitting(case.device, case.project, release, case.releases, case.parts)
    if isinstance(image, Hold):
        return image
    if not (pinned and case.running.is_unknown):
        hold = _step_before(case, release) or _below_floor(case, release)
        if hold is not None:
            return hold
    rollout = back
    if not is_chosen:
        reached = reaching(case.reach, case.project, release, case.device, case.channel)
        if isinstance(reached, Hold):
            return about(reached, release)
        rollout = reached
    goes_on = case.attempt if _is_at(case.attempt, release, image, rollout) else None
    hold = (
        _not_asked(case, release, rollout, goes_on)
        or _loops(case, release, image, goes_on)
        or _failed_before(case, release, rollout)
        or _waits(case, rollout, goes_on)
    )
    return Offer(release, image, rule, goes_on, rollout) if hold is None else about(hold, release)


def _step_before(case: Case, release: Release) -> Hold | None:
    """Whether another release comes first: a floor that nobody goes past, or any so new."""
    first = next(
        (one for one in _floors(case) if one.order < release.order and _is_ahead(case, one)), None
    )
    if first is not None:
        detail = f"{first.version} comes first: no device goes past it"
        if first.state is ReleaseState.WITHDRAWN:
            detail += f"; it is withdrawn: restore it, or `releases set {first.version} --no-floor`"
        elif case.running.is_unknown:
            detail += PIN_IT
        return Hold(Reason.NEEDS_STEP, detail, release)
    if release.min_from is None or _is_older(case, release):
        return None
    version = case.running.version
    if version is not None and version_key(version) >= version_key(release.min_from):
        return None
    detail = f"{release.version} can follow {release.min_from} or newer, not {version}"
    return Hold(Reason.NEEDS_STEP, detail, release)


def _below_floor(case: Case, release: Release) -> Hold | None:
    """Whether it would take the device back past a floor; as far as is known, for one that never
    tells its version."""
    is_unknown = case.running.is_unknown
    if not is_unknown and not _is_older(case, release):
        return None
    for floor in _floors(case):
        if floor.order > release.order and (is_unknown or not _is_ahead(case, floor)):
            detail = f"{floor.version} is a floor, and {release.version} lies below it"
            detail += PIN_IT if is_unknown else ""
            return Hold(Reason.BELOW_FLOOR, detail, release)
    return None


def _floors(case: Case) -> list[Release]:
    """The floors of the device's channel that were made for such devices, the oldest first."""
    return [
        floor
        for floor in case.running.floors
        if floor.channel == case.channel
        and isinstance(
            fitting(case.device, case.project, floor, case.releases, case.parts), ReleaseImage
        )
    ]


def _is_ahead(case: Case, release: Release) -> bool:
    """Whether the device comes from below it, or may do so."""
    if case.running.is_unknown:
        return True
    return not isinstance(newer(case.running, case.project, release), Hold)


def _is_older(case: Case, release: Release) -> bool:
    """Whether the device runs something newer, for sure."""
    is_newer = newer(case.running, case.project, release)
    return isinstance(is_newer, Hold) and is_newer.reason is Reason.NOT_NEWER


def _loops(
    case: Case, release: Release, image: ReleaseImage, goes_on: Attempt | None
) -> Hold | None:
    deliveries = case.history.deliveries.get(image.sha256, 0)
    if goes_on is not None:  # who was let try again may go on with an attempt from before
        deliveries = max(deliveries, goes_on.deliveries)
    if deliveries < DELIVERIES_MAX:
        return None
    detail = f"it was sent {release.version} whole {deliveries} times and still runs another"
    return Hold(Reason.LOOPING, detail)


def _failed_before(case: Case, release: Release, rollout: Rollout | None) -> Hold | None:
    failures = case.history.failures.get(release.number, 0)
    if rollout is not None:
        if (hold := resting(rollout, case.history, case.device, case.at)) is not None:
            return hold
    elif failures >= FAILURES_MAX:
        return Hold(Reason.FAILING, f"{release.version} failed on it {failures} times")
    if release.number in case.history.canceled:
        detail = f"{release.version} was called off for it; `devices retry` lets it try again"
        return Hold(Reason.CANCELED, detail)
    return None


def _not_asked(
    case: Case, release: Release, rollout: Rollout | None, goes_on: Attempt | None
) -> Hold | None:
    """Who cannot tell fetching from installing would install it."""
    if rollout is None or not rollout.only_fetches:
        return None
    if goes_on is not None and goes_on.state is State.DOWNLOADED:
        detail = f"it has {release.version}, and is not to install it yet"
        return Hold(Reason.DOWNLOAD_ONLY, detail)
    if case.defers:
        return None
    detail = f"{release.version} is to be fetched and not installed, and its client cannot do that"
    return Hold(Reason.DOWNLOAD_ONLY, detail)


def _waits(case: Case, rollout: Rollout | None, goes_on: Attempt | None) -> Hold | None:
    """Who was offered it already has the room that it needs, as long as the hour is right."""
    hold = room(case.reach, rollout, case.device, case.at)
    if hold is not None and goes_on is not None and hold.reason is not Reason.OUTSIDE_WINDOW:
        return None
    return hold


def _is_at(
    attempt: Attempt | None, release: Release, image: ReleaseImage, rollout: Rollout | None
) -> bool:
    """Whether the attempt is at this very offer; by another rollout it would count elsewhere."""
    if attempt is None or attempt.rollout != (None if rollout is None else rollout.id):
        return False
    return (attempt.release, attempt.sha256) == (release.number, image.sha256)
