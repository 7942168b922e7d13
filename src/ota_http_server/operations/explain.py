"""Explaining: why this device gets this, now, in words for the person who is asked about it.

The answer comes from the same function that decides, on the rows as they are.
"""

from dataclasses import dataclass

from ota_http_server.domain.attempt import Attempt
from ota_http_server.domain.decision import decide, verdicts
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import device_key
from ota_http_server.domain.offer import Decision, Hold, Reason
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.project import Project
from ota_http_server.domain.reach import Reach, place_in
from ota_http_server.domain.release import Release, State
from ota_http_server.operations.find_device import NO_SUCH_DEVICE
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.registry import Known, read
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading

ATTEMPTS_SHOWN = 10

_KNOWN_BY = {
    VersionFrom.OPERATOR: "somebody wrote that down",
    VersionFrom.REPORT: "it reported that installation and never says its version",
    VersionFrom.DEVICE: "it said so",
    VersionFrom.IMAGE: "it named the image's digest",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Facts and words; `releases` are those of its channel, the newest first."""

    device: Device
    channel: str
    decision: Decision
    sentences: tuple[str, ...]
    releases: tuple[tuple[Release, Decision], ...]
    attempts: tuple[Attempt, ...]


class Explain:
    """The operation."""

    def __init__(self, database: Database, reach: ReachNow) -> None:
        self._database = database
        self._reach = reach

    def __call__(self, operator: Operator, device_id: str) -> Explanation:
        """`NotFound` for a device that is not there, or that this operator may not see."""
        with self._database.reading() as rows:
            known = read(rows, device_key(device_id))
            if known is None or not operator.may_see(known.device.project):
                raise NotFound(NO_SUCH_DEVICE)
            operator.must(Role.VIEWER, known.device.project)
            project = rows.projects.get(known.device.project)
            return _explained(rows, known, project, self._reach.as_written(rows, project))


def _explained(rows: Reading, known: Known, project: Project, reach: Reach) -> Explanation:
    device = known.device
    releases = rows.releases.of_project(device.project, (State.PUBLISHED,))
    decision = decide(
        device,
        project,
        releases,
        known.open_attempt,
        known.history,
        at=rows.second,
        reach=reach,
        defers=True,
    )
    judged = verdicts(device, project, releases, known.history, at=rows.second, reach=reach)
    return Explanation(
        device=device,
        channel=project.channel_of(device),
        decision=decision,
        sentences=(
            *_sentences(device, project, decision, known.latest),
            *_where_it_stands(device, project, reach),
        ),
        releases=tuple(judged),
        attempts=tuple(rows.attempts.of_device(device.id, ATTEMPTS_SHOWN)),
    )


def _sentences(
    device: Device, project: Project, decision: Decision, latest: Attempt | None
) -> list[str]:
    return [
        _what_runs(device),
        _what_follows(device, project),
        _what_happens(decision),
        *([] if latest is None else [_what_happened(latest)]),
    ]


def _what_runs(device: Device) -> str:
    if device.version is None or device.version_from is None:
        return "It is not known what it runs: it never said, and nobody wrote it down."
    return f"It runs {device.version}: {_KNOWN_BY[device.version_from]}."


def _what_follows(device: Device, project: Project) -> str:
    if device.pinned is not None:
        return f"It is pinned to {device.pinned} and gets nothing else."
    channel = project.channel_of(device)
    if device.channel is not None:
        return f"It follows the channel {channel}, which was chosen for it."
    tag = next((tag for tag in device.tags if tag in project.tag_channels), None)
    if tag is not None:
        return f"It follows the channel {channel}, because it has the tag {tag}."
    return f"It follows the channel {channel}, like every device without another one."


def _what_happens(decision: Decision) -> str:
    if isinstance(decision, Hold):
        why = f": {decision.detail}" if decision.detail else ""
        if decision.reason is Reason.UP_TO_DATE:
            return f"It gets nothing, because it is up to date{why}."
        return f"It gets nothing, because of {decision.reason}{why}."
    image, release = decision.image, decision.release
    word = "is offered" if decision.attempt is not None else "would be offered"
    return (
        f"At its next check-in it {word} {release.version} as {image.name} ({image.size:,} bytes);"
        f" newer by the rule {decision.rule}."
    )


def _where_it_stands(device: Device, project: Project, reach: Reach) -> list[str]:
    """In each rollout that is for it and not finished."""
    channel = project.channel_of(device)
    return [
        f"Rollout {rollout.id} of {rollout.version} is {rollout.state}:"
        f" {place_in(rollout, device)}."
        for of_one in reach.rollouts.values()
        for rollout in of_one
        if rollout.is_unfinished and rollout.is_for(device, channel)
    ]


def _what_happened(attempt: Attempt) -> str:
    said = f", which said: {attempt.detail.rstrip('.')}" if attempt.detail else ""
    return f"Its latest try, {attempt.id} at {attempt.version}, is {attempt.state}{said}."
