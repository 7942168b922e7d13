"""The decision: which release this device gets now, or why none.

The rule that everything serves: offer the newest release that fits this device; otherwise say why
not. What is not known counts as not fitting. Pure: facts go in, an answer comes out, and the same
facts give the same answer in every process.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ota_http_server.domain.attempt import BEGUN, Attempt, State
from ota_http_server.domain.device import Device
from ota_http_server.domain.fitting import fitting, misfit_of
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.newness import Running, newer
from ota_http_server.domain.offer import (
    NO_HISTORY,
    Decision,
    History,
    Hold,
    Offer,
    Reason,
    Rule,
)
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import FLASHED_WHOLE, Release, ReleaseImage
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.version import version_key

__all__ = ["Decision", "History", "Hold", "Offer", "Reason", "Rule", "decide", "verdicts"]

DELIVERIES_MAX = 3  # the same complete image so often, and it still runs another one: a loop
FAILURES_MAX = 3  # a release that failed so often on a device is not tried on it again
FOR_OTHERS = frozenset(
    {
        Reason.NO_IMAGE,
        Reason.WRONG_CHIP,
        Reason.WRONG_REVISION,
        Reason.WRONG_BOARD,
        Reason.OTHER_KIND,
    }
)
"""Such a release was not made for this device."""
ENDS_THE_SEARCH = frozenset(
    {Reason.UNKNOWN_VERSION, Reason.LOOPING, Reason.FAILING, Reason.CANCELED}
)
"""An older release is no answer to these: the device may have come from it."""
STAYS_SECONDS = 3_600  # a download that has begun is not taken away for so long


@dataclass(frozen=True, slots=True)
class _Case:
    """What one decision is about."""

    device: Device
    project: Project
    releases: Sequence[Release]
    running: Running
    attempt: Attempt | None
    history: History
    parts: Sequence[Kind]


def decide(
    device: Device,
    project: Project,
    releases: Sequence[Release],
    attempt: Attempt | None = None,
    history: History = NO_HISTORY,
    *,
    at: int,
    parts: Sequence[Kind] = FLASHED_WHOLE,
) -> Decision:
    """Offer the release, or say why not. The first reason found is the one reported.

    `releases` are the project's published ones, the newest first. `attempt` is the device's open
    one; `at` is now, in unix seconds. `parts`: which kinds of image are asked for.
    """
    if device.blocked:
        return Hold(Reason.BLOCKED, "an operator blocked this device")
    if device.project != project.name:
        return Hold(Reason.WRONG_PROJECT, "the device belongs to another project")
    if attempt is not None and attempt.is_canceling:
        return Hold(Reason.CANCELING, f"attempt {attempt.id} is being called off")
    running = Running(device, releases)
    case = _Case(device, project, releases, running, attempt, history, parts)
    going_on = _going_on(case, at)
    if going_on is not None:
        return going_on
    return _newest(case) if device.pinned is None else _pinned(case)


def verdicts(
    device: Device,
    project: Project,
    releases: Sequence[Release],
    history: History = NO_HISTORY,
    parts: Sequence[Kind] = FLASHED_WHOLE,
) -> list[tuple[Release, Decision]]:
    """Each release of the device's channel with what stands for or against it, for `explain`."""
    channel = project.channel_of(device)
    running = Running(device, releases)
    case = _Case(device, project, releases, running, None, history, parts)
    return [
        (release, _judged(case, release, pinned=pinned))
        for release in releases
        if (pinned := _is_pinned(device, release)) or release.channel == channel
    ]


def _going_on(case: _Case, at: int) -> Decision | None:
    """A try that has begun goes on with its own image, even if a newer release came meanwhile."""
    attempt = case.attempt
    # A moment far in the future is as far away: somebody set a clock back.
    if attempt is None or attempt.state not in BEGUN or _far(attempt.changed_at, at):
        return None
    release = next((r for r in case.releases if r.number == attempt.release), None)
    if release is None or release.state is not ReleaseState.PUBLISHED:
        return None
    image = next((i for i in release.images if i.sha256 == attempt.sha256), None)
    if image is None:
        return None
    if attempt.state is State.INSTALLED:
        detail = f"it reported {attempt.version} as installed and was not seen running it yet"
        return Hold(Reason.AWAITING_RESTART, detail, release)
    misfit = misfit_of(case.device, case.project, release, image)
    if image.part not in case.parts or misfit is not None:
        return None  # it may have said more about itself since
    if attempt.deliveries >= DELIVERIES_MAX or not _is_still_wanted(case, release):
        return None
    return Offer(release, image, Rule.VERSION, attempt)


def _is_still_wanted(case: _Case, release: Release) -> bool:
    """False for one that was flashed by cable meanwhile, with something newer."""
    is_newer = newer(case.running, case.project, release)
    older = isinstance(is_newer, Hold) and is_newer.reason is Reason.NOT_NEWER
    return not older or _is_pinned(case.device, release)


def _is_pinned(device: Device, release: Release) -> bool:
    return device.pinned is not None and release.is_version(device.pinned)


def _far(moment: int, at: int) -> bool:
    return abs(at - moment) > STAYS_SECONDS


def _newest(case: _Case) -> Decision:
    """The newest that fits; if none does, the reason against the newest of all."""
    first: Hold | None = None
    channel = case.project.channel_of(case.device)
    for release in case.releases:
        if release.channel != channel:
            continue
        judged = _judged(case, release)
        if isinstance(judged, Offer):
            return judged
        if judged.reason is Reason.UP_TO_DATE:
            # Newer ones for other boards are none of its business; what it lacks to have one is.
            return judged if first is None or first.reason in FOR_OTHERS else first
        if judged.reason is Reason.NOT_NEWER:
            return first or judged  # everything behind is older still
        if judged.reason in ENDS_THE_SEARCH:
            return judged
        first = first or judged
    nothing = Hold(Reason.NO_RELEASE, f"channel {channel} has no published release")
    return first or nothing


def _pinned(case: _Case) -> Decision:
    device = case.device
    release = next((r for r in case.releases if _is_pinned(device, r)), None)
    if release is None:
        return Hold(Reason.PIN_MISSING, f"it is pinned to {device.pinned}, which is not published")
    return _judged(case, release, pinned=True)


def _judged(case: _Case, release: Release, *, pinned: bool = False) -> Decision:
    """This release for this device: hardware first, for an image decides what runs."""
    if case.running.is_release(release):
        return Hold(Reason.UP_TO_DATE, f"it runs {release.version}", release)
    is_newer = newer(case.running, case.project, release)
    if isinstance(is_newer, Hold) and not pinned:
        return is_newer
    rule = Rule.PINNED if pinned or isinstance(is_newer, Hold) else is_newer
    image = fitting(case.device, case.project, release, case.releases, case.parts)
    if isinstance(image, Hold):
        return image
    if (hold := _floor(case, release)) is not None and not pinned:
        return hold
    attempt, history = case.attempt, case.history
    goes_on = attempt if attempt is not None and _is_at(attempt, release, image) else None
    deliveries = history.deliveries.get(image.sha256, 0)
    if goes_on is not None:  # who was let try again may go on with an attempt from before
        deliveries = max(deliveries, goes_on.deliveries)
    if deliveries >= DELIVERIES_MAX:
        detail = f"it was sent {release.version} whole {deliveries} times and still runs another"
        return Hold(Reason.LOOPING, detail, release)
    if history.failures.get(release.number, 0) >= FAILURES_MAX:
        detail = f"{release.version} failed on it {history.failures[release.number]} times"
        return Hold(Reason.FAILING, detail, release)
    if release.number in history.canceled:
        detail = f"{release.version} was called off for it; `devices retry` lets it try again"
        return Hold(Reason.CANCELED, detail, release)
    return Offer(release, image, rule, goes_on)


def _is_at(attempt: Attempt, release: Release, image: ReleaseImage) -> bool:
    return (attempt.release, attempt.sha256) == (release.number, image.sha256)


def _floor(case: _Case, release: Release) -> Hold | None:
    if release.min_from is None:
        return None
    version = case.running.version
    if version is not None and version_key(version) >= version_key(release.min_from):
        return None
    detail = f"{release.version} can follow {release.min_from} or newer, not {version}"
    return Hold(Reason.NEEDS_STEP, detail, release)
