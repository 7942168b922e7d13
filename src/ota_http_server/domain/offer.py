"""The words of a decision: what is offered, or why nothing is."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeGuard

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.release import Release, ReleaseImage
from ota_http_server.domain.rollout import Rollout


class Reason(StrEnum):
    """Why a device gets nothing, or not this release. Each has its place in the reference."""

    UP_TO_DATE = "up-to-date"
    NO_RELEASE = "no-release"
    BLOCKED = "blocked"
    WRONG_PROJECT = "wrong-project"
    NOT_REGISTERED = "not-registered"
    PIN_MISSING = "pin-missing"
    UNKNOWN_VERSION = "unknown-version"
    NOT_NEWER = "not-newer"
    NEEDS_STEP = "needs-step"
    BELOW_FLOOR = "below-floor"
    NO_IMAGE = "no-image"
    UNKNOWN_CHIP = "unknown-chip"
    WRONG_CHIP = "wrong-chip"
    UNKNOWN_REVISION = "unknown-revision"
    WRONG_REVISION = "wrong-revision"
    UNKNOWN_BOARD = "unknown-board"
    WRONG_BOARD = "wrong-board"
    TOO_BIG = "too-big"
    LOWER_COUNTER = "lower-counter"
    OTHER_KIND = "other-kind"
    AWAITING_RESTART = "awaiting-restart"
    LOOPING = "looping"
    FAILING = "failing"
    CANCELING = "canceling"
    CANCELED = "canceled"
    STOPPED = "stopped"
    NO_ROLLOUT = "no-rollout"
    NOT_TARGETED = "not-targeted"
    NOT_YET = "not-yet"
    PAUSED = "paused"
    HALTED = "halted"
    ABORTED = "aborted"
    BUSY = "busy"
    OUTSIDE_WINDOW = "outside-window"
    NO_SLOT = "no-slot"
    RESTING = "resting"
    TAKEN_BACK = "taken-back"
    DOWNLOAD_ONLY = "download-only"


class Rule(StrEnum):
    """By which comparison a release is newer than what runs."""

    VERSION = "version"
    UPLOAD_ORDER = "upload-order"
    PINNED = "pinned"
    UNKNOWN = "unknown-version"
    TAKEN_BACK = "taken-back"


@dataclass(frozen=True, slots=True)
class Offer:
    """Take this image."""

    release: Release
    image: ReleaseImage
    rule: Rule
    attempt: Attempt | None = None
    """The open attempt that it goes on with."""
    rollout: Rollout | None = None
    """The rollout by which the release has reached the device, if it has one."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing now; `detail` is for people."""

    reason: Reason
    detail: str = ""
    release: Release | None = None
    """The release that it is about, if it is about one."""


Decision = Offer | Hold

OUTLASTED = frozenset(
    {
        Reason.BLOCKED,
        Reason.WRONG_PROJECT,
        Reason.CANCELING,
        Reason.STOPPED,
        Reason.PAUSED,
        Reason.OUTSIDE_WINDOW,
    }
)
"""An offer that was not taken up outlasts these: they say nothing against its release."""


def is_void(attempt: Attempt | None, decision: Decision) -> TypeGuard[Attempt]:
    """Whether it was offered what it did not take up, and is offered no more."""
    if attempt is None or attempt.state is not State.OFFERED or isinstance(decision, Offer):
        return False
    return decision.reason not in OUTLASTED


@dataclass(frozen=True, slots=True)
class History:
    """What became of a device's earlier tries, since somebody last wiped the slate."""

    failures: Mapping[int, int] = field(default_factory=dict)
    """By release: how often it failed, was rolled back, or the device gave up by itself."""
    failed_at: Mapping[int, int] = field(default_factory=dict)
    """By release: when it failed last, in unix seconds."""
    canceled: Set[int] = frozenset()
    """Releases that an operator called off."""
    deliveries: Mapping[str, int] = field(default_factory=dict)
    """By image: how often all of it went out since the device's version last changed."""


NO_HISTORY = History()
