"""The decision: which release this device gets now, or why none.

The rule that everything serves: offer the newest release that fits this device and whose rollout
has reached it; otherwise say why not. What is not known counts as not fitting. Pure: facts go in,
an answer comes out, and the same facts give the same answer in every process.
"""

from collections.abc import Sequence
from dataclasses import replace

from ota_http_server.domain.attempt import BEGUN, Attempt, State
from ota_http_server.domain.device import Device
from ota_http_server.domain.fitting import misfit_of
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.judging import DELIVERIES_MAX, FAILURES_MAX, Case, judged
from ota_http_server.domain.newness import Running, newer
from ota_http_server.domain.offer import (
    NO_HISTORY,
    OUTLASTED,
    Decision,
    History,
    Hold,
    Offer,
    Reason,
    Rule,
)
from ota_http_server.domain.project import Project
from ota_http_server.domain.reach import EVERYWHERE, Reach, standing
from ota_http_server.domain.release import FLASHED_WHOLE, Release
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import Rollout

__all__ = [
    "DELIVERIES_MAX",
    "FAILURES_MAX",
    "Decision",
    "History",
    "Hold",
    "Offer",
    "Reason",
    "Rule",
    "decide",
    "verdicts",
]

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
    {
        Reason.UNKNOWN_VERSION,
        Reason.LOOPING,
        Reason.FAILING,
        Reason.CANCELED,
        Reason.RESTING,
        Reason.BUSY,
        Reason.OUTSIDE_WINDOW,
        Reason.NO_SLOT,
        Reason.DOWNLOAD_ONLY,
    }
)
"""An older release is no answer to these: the device may have come from it, or it only waits."""
NOT_REACHED = frozenset(
    {
        Reason.NO_ROLLOUT,
        Reason.NOT_TARGETED,
        Reason.NOT_YET,
        Reason.PAUSED,
        Reason.HALTED,
        Reason.ABORTED,
    }
)
"""Such a release has not reached the device: it keeps the newest one that has."""
STAYS_SECONDS = 3_600  # a download that has begun is not taken away for so long


def decide(
    device: Device,
    project: Project,
    releases: Sequence[Release],
    attempt: Attempt | None = None,
    history: History = NO_HISTORY,
    *,
    at: int,
    parts: Sequence[Kind] = FLASHED_WHOLE,
    reach: Reach = EVERYWHERE,
    defers: bool = False,
) -> Decision:
    """Offer the release, or say why not. The first reason found is the one reported.

    `releases` are the project's published ones, the newest first. `attempt` is the device's open
    one; `at` is now, in unix seconds. `parts`: which kinds of image are asked for. `reach`: how far
    releases may spread now. `defers`: the client can fetch an image without installing it.
    """
    if reach.stop is not None:
        return Hold(Reason.STOPPED, f"nothing is offered now: {reach.stop.reason}")
    if device.blocked:
        return Hold(Reason.BLOCKED, "an operator blocked this device")
    if device.project != project.name:
        return Hold(Reason.WRONG_PROJECT, "the device belongs to another project")
    if attempt is not None and attempt.is_canceling:
        return Hold(Reason.CANCELING, f"attempt {attempt.id} is being called off")
    running = Running(device, releases, reach.closed)
    case = Case(device, project, releases, running, attempt, history, parts, reach, at, defers)
    going_on = _going_on(case)
    if going_on is not None:
        return going_on
    if device.pinned is not None:
        return _pinned(case)
    back = reach.taking_back(device, case.channel)
    return _newest(case) if back is None else _taken_back(case, back)


def verdicts(
    device: Device,
    project: Project,
    releases: Sequence[Release],
    history: History = NO_HISTORY,
    *,
    at: int,
    parts: Sequence[Kind] = FLASHED_WHOLE,
    reach: Reach = EVERYWHERE,
) -> list[tuple[Release, Decision]]:
    """Each release of the device's channel with what stands for or against it, for `explain`."""
    channel = project.channel_of(device)
    running = Running(device, releases, reach.closed)
    case = Case(device, project, releases, running, None, history, parts, reach, at)
    return [
        (release, judged(case, release, pinned=pinned))
        for release in releases
        if (pinned := _is_pinned(device, release)) or release.channel == channel
    ]


def _going_on(case: Case) -> Decision | None:
    """A try that has begun goes on with its own image, even if a newer release came meanwhile."""
    attempt = case.attempt
    # A moment far in the future is as far away: somebody set a clock back.
    if attempt is None or attempt.state not in BEGUN or _far(attempt.changed_at, case.at):
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
    rollout = _rollout_of(case, attempt)
    if attempt.state is State.DOWNLOADED and rollout is not None and rollout.only_fetches:
        return None  # all that was asked of it is done; another rollout may ask for more
    misfit = misfit_of(case.device, case.project, release, image)
    if image.part not in case.parts or misfit is not None:
        return None  # it may have said more about itself since
    if attempt.deliveries >= DELIVERIES_MAX or not _is_still_wanted(case, release):
        return None
    return Offer(release, image, Rule.VERSION, attempt, rollout)


def _rollout_of(case: Case, attempt: Attempt) -> Rollout | None:
    rollouts = case.reach.rollouts.get(attempt.release, ())
    return next((one for one in rollouts if one.id == attempt.rollout), None)


def _is_still_wanted(case: Case, release: Release) -> bool:
    """False for one that was flashed by cable meanwhile, with something newer."""
    is_newer = newer(case.running, case.project, release)
    older = isinstance(is_newer, Hold) and is_newer.reason is Reason.NOT_NEWER
    return not older or _is_pinned(case.device, release)


def _is_pinned(device: Device, release: Release) -> bool:
    return device.pinned is not None and release.is_version(device.pinned)


def _far(moment: int, at: int) -> bool:
    return abs(at - moment) > STAYS_SECONDS


def _newest(case: Case) -> Decision:
    """The newest that fits; if none does, the reason against the newest of all."""
    first: Hold | None = None
    channel = case.channel
    for release in case.releases:
        if release.channel != channel:
            continue
        found = judged(case, release)
        if isinstance(found, Offer):
            return found
        if found.reason is Reason.UP_TO_DATE:
            # Newer ones for other boards are none of its business; what it lacks to have one is.
            if first is None or first.reason in FOR_OTHERS:
                return found
            if first.reason in NOT_REACHED and not _keeps_an_offer(case, first):
                return replace(found, detail=f"{found.detail}; {first.detail}")
            return first
        if found.reason is Reason.NOT_NEWER:
            return first or found  # everything behind is older still
        if found.reason in ENDS_THE_SEARCH:
            return found
        if found.reason in NOT_REACHED and _may_run(case, release):
            return found
        first = first or found
    nothing = Hold(Reason.NO_RELEASE, f"channel {channel} has no published release")
    return first or nothing


def _may_run(case: Case, release: Release) -> bool:
    """Whether a device of which nobody knows what it runs may run this release: an older one would
    take it back."""
    if not case.running.is_unknown:
        return False
    if any(image.sha256 in case.history.deliveries for image in release.images):
        return True
    rollouts = case.reach.rollouts.get(release.number, ())
    return any(one.takes_back is None and one.covers(case.device, case.channel) for one in rollouts)


def _keeps_an_offer(case: Case, hold: Hold) -> bool:
    """Whether it was offered this release before, and the offer only waits."""
    if case.attempt is None or hold.release is None or hold.reason not in OUTLASTED:
        return False
    return case.attempt.release == hold.release.number


def _pinned(case: Case) -> Decision:
    device = case.device
    release = next((r for r in case.releases if _is_pinned(device, r)), None)
    if release is None:
        return Hold(Reason.PIN_MISSING, f"it is pinned to {device.pinned}, which is not published")
    return judged(case, release, pinned=True)


def _taken_back(case: Case, back: Rollout) -> Decision:
    """What came after the downgrade was decided; else the release that it goes back to."""
    assert back.takes_back is not None
    later = [release for release in case.releases if release.number > back.takes_back]
    newest = _newest(replace(case, releases=later))
    if isinstance(newest, Offer) or any(map(case.running.is_release, later)):
        return newest
    if any(_may_run(case, release) for release in later):
        return newest
    release = next((one for one in case.releases if one.number == back.release), None)
    if release is None:
        detail = f"rollout {back.id} takes it back to {back.version}, which is not published"
        return Hold(Reason.TAKEN_BACK, detail)
    found = judged(case, release, takes_back=True, back=back)
    if isinstance(found, Hold):
        return found
    return standing(back, release) or replace(found, rule=Rule.TAKEN_BACK)
