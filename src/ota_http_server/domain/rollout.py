"""A rollout: how far a release may spread now, and what must hold before it spreads further.

Which devices a stage has follows from the rollout's salt and their ids alone: the same in every
process and after every restart, and widening only adds. A release without a rollout reaches all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from ota_http_server.domain.device import Device
from ota_http_server.domain.rollout_plan import Mode, Policy, Stage
from ota_http_server.domain.selection import Selection

SHARES = 10_000
"""Shares are ten-thousandths: 1 % is 100."""
SALT_BYTES = 16
UNCANARIED_SHARE_MAX = 1_000
"""A release that no canary was seen running reaches no more than this without an override."""
DOWNGRADE_TAG = "accepts-downgrade"
"""A device with this tag lets a rollout take it back to an older release."""


class State(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    """A person stopped it."""
    HALTED = "halted"
    """It stopped by itself; only a person lets it go on."""
    FINISHED = "finished"
    """It has reached all of its target, and stays there unless it goes wrong for those who come
    late."""
    ABORTED = "aborted"


MOVES: dict[State, frozenset[State]] = {
    State.RUNNING: frozenset({State.PAUSED, State.HALTED, State.FINISHED, State.ABORTED}),
    # What is offered already may fail while it is paused, and then it is halted.
    State.PAUSED: frozenset({State.RUNNING, State.HALTED, State.ABORTED}),
    # What had reached all goes on where it was.
    State.HALTED: frozenset({State.RUNNING, State.FINISHED, State.ABORTED}),
    # Most of a fleet may come to it only now: one by one, or when their window opens.
    State.FINISHED: frozenset({State.HALTED, State.ABORTED}),
    State.ABORTED: frozenset(),
}
UNFINISHED = frozenset({State.RUNNING, State.PAUSED, State.HALTED})


def bucket(salt: bytes, device_id: str) -> int:
    """Where among 10,000 a device stands in the rollout with this salt."""
    return int.from_bytes(sha256(salt + device_id.encode()).digest()[:8], "big") % SHARES


@dataclass(frozen=True, slots=True)
class Target:
    """The devices that a rollout is for; those of the release's channel, if neither says more."""

    selection: Selection | None = None
    devices: frozenset[str] = frozenset()
    """These alone, if there are any."""

    def covers(self, device: Device, channel: str) -> bool:
        if self.devices and device.id not in self.devices:
            return False
        return self.selection is None or self.selection.covers(device, channel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Times are unix seconds."""

    id: int
    project: str
    release: int
    """`Release.number`."""
    version: str
    salt: bytes
    stages: tuple[Stage, ...]
    target: Target = Target()
    canaries: frozenset[str] = frozenset()
    """Devices that are in every stage, whatever their bucket."""
    policy: Policy = field(default_factory=Policy)
    state: State = State.RUNNING
    stage: int = 0
    stage_seconds: int = 0
    """How long it has been running in this stage, counted while a server looked."""
    first_device: str | None = None
    """In every stage like a canary, because the first stage would have nobody otherwise."""
    reached_all: bool = False
    """It was finished once: whatever state it is in, this is how far it has come."""
    is_canaried: bool = False
    """A stage of no more than 10 % held."""
    takes_back: int | None = None
    """A downgrade: it goes before all releases up to this number. None: it never goes back."""
    reason: str = ""
    """Why it is in this state."""
    created_at: int = 0
    created_by: str = ""
    changed_at: int = 0
    edition: int = 1

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def is_finished(self) -> bool:
        return self.state is State.FINISHED

    @property
    def is_everywhere(self) -> bool:
        """It has come to all of its target, whether it is offered to them now or not."""
        return self.reached_all or self.is_finished

    @property
    def only_fetches(self) -> bool:
        """Its devices are not to install the image."""
        return self.policy.mode is Mode.DOWNLOAD_ONLY

    @property
    def share(self) -> int:
        """How far it goes now, in ten-thousandths of its target."""
        return SHARES if self.is_everywhere else self.stages[self.stage].share

    @property
    def next_share(self) -> int | None:
        """How far the next stage goes; None in the last."""
        return self.stages[self.stage + 1].share if self.stage + 1 < len(self.stages) else None

    def has_always(self, device_id: str) -> bool:
        """Whether the device is in every stage, whatever its bucket."""
        return device_id in self.canaries or device_id == self.first_device

    def bucket(self, device_id: str) -> int:
        return bucket(self.salt, device_id)

    def is_for(self, device: Device, channel: str) -> bool:
        """Whether the device belongs to it at all.

        Who is not known by name belongs to none but what was finished: it has no place in a stage.
        """
        if not device.id and not self.is_everywhere:
            return False
        if self.takes_back is not None and DOWNGRADE_TAG not in device.tags:
            return False
        return device.id in self.canaries or self.target.covers(device, channel)

    def covers(self, device: Device, channel: str, share: int | None = None) -> bool:
        """Whether it has come so far, or to the given share: whatever its state."""
        if not self.is_for(device, channel):
            return False
        share = self.share if share is None else share
        return share >= SHARES or self.has_always(device.id) or self.bucket(device.id) < share

    def may_become(self, state: State) -> bool:
        return state in MOVES[self.state]


def percent_of(share: int) -> float:
    return 100 * share / SHARES


def percent(share: int) -> str:
    """The same, for people."""
    return f"{percent_of(share):g} %"


def stage_of(rollout: Rollout, device_id: str) -> int:
    """The first stage that has the device, if its target has it; counted from 0."""
    if rollout.has_always(device_id):
        return 0
    place = rollout.bucket(device_id)
    return next(
        (n for n, stage in enumerate(rollout.stages) if place < stage.share),
        len(rollout.stages) - 1,
    )


def sizes(rollout: Rollout, devices: Sequence[tuple[Device, str]]) -> list[int]:
    """How many of these devices, each with the channel that it follows, each stage has; with those
    of the stages before it."""
    counts = [0] * len(rollout.stages)
    for device, channel in devices:
        if rollout.is_for(device, channel):
            counts[stage_of(rollout, device.id)] += 1
    return [sum(counts[: number + 1]) for number in range(len(counts))]


def first_of(rollout: Rollout, devices: Sequence[tuple[Device, str]]) -> str | None:
    """Which of these devices comes first: the one with the lowest bucket; None: it is for none."""
    mine = [device.id for device, channel in devices if rollout.is_for(device, channel)]
    return min(mine, key=lambda device_id: (rollout.bucket(device_id), device_id), default=None)
