"""Which devices could be offered a release, if its rollout had come to all of them.

A rollout counts these, and those that may be soon: of which too little is known, or that must take
another step first. A stage of boards that the release does not fit, or that run it already, would
test nothing, and wait for ever.
"""

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

from ota_http_server.domain.device import Device
from ota_http_server.domain.judging import Case, judged
from ota_http_server.domain.newness import Running
from ota_http_server.domain.offer import NO_HISTORY, Hold, Reason
from ota_http_server.domain.project import Project, Spread
from ota_http_server.domain.reach import Reach
from ota_http_server.domain.release import FLASHED_WHOLE, Release, State

PINNED = "pinned"
"""Why a device is none, beside the reasons of a hold: it follows no rollout."""

_PASSES = frozenset(
    {
        Reason.UNKNOWN_VERSION,
        Reason.UNKNOWN_CHIP,
        Reason.UNKNOWN_REVISION,
        Reason.UNKNOWN_BOARD,
        Reason.NEEDS_STEP,
    }
)
"""Reasons that are over as soon as the device says more, or has come a step further."""
_MAY_GET_AN_IMAGE = frozenset({Reason.NO_IMAGE, Reason.WRONG_CHIP, Reason.WRONG_BOARD})
"""As long as the release is a draft."""

_FACTS = (
    "chip",
    "revision",
    "revision_min",
    "board",
    "version",
    "image_sha256",
    "secure_version",
    "free_bytes",
)
"""Of many thousand devices few differ in these: each kind is judged once."""
_facts_of = attrgetter(*_FACTS)


class Candidates:
    """For one release. `releases` are the project's published ones; it may be a draft. `closed`:
    its withdrawn floors. `takes_back`: it goes to devices that run something newer, too."""

    def __init__(
        self,
        project: Project,
        release: Release,
        releases: Sequence[Release],
        *,
        closed: Sequence[Release] = (),
        takes_back: bool = False,
    ) -> None:
        # How far releases have come is not the question here.
        self._project = replace(project, spread=Spread.AT_ONCE)
        self._release = release
        known = any(one.number == release.number for one in releases)
        every = releases if known else [release, *releases]
        self._releases = sorted(every, key=lambda one: one.order, reverse=True)
        self._takes_back = takes_back
        self._reach = Reach(closed=closed)
        its = {image.part for image in release.images}
        self._parts = tuple(its) if its.isdisjoint(FLASHED_WHOLE) else FLASHED_WHOLE
        self._judged: dict[tuple[object, ...], str | None] = {}

    def why_not(self, device: Device, channel: str) -> str | None:
        """Why the device, which follows this channel, is none now; None: it is one."""
        if device.pinned is not None:
            return PINNED
        alike = (channel, *_facts_of(device))
        if alike not in self._judged:
            self._judged[alike] = self._judge(alike)
        return self._judged[alike]

    def expects(self, why: str | None) -> bool:
        """Whether a device to which this is in the way may be offered it all the same, in time."""
        if why in _MAY_GET_AN_IMAGE and self._release.state is State.DRAFT:
            return True
        return why is None or why in _PASSES

    def _judge(self, alike: tuple[object, ...]) -> str | None:
        channel, *facts = alike
        said = dict(zip(_FACTS, facts, strict=True))
        said |= {"id": "", "project": self._project.name, "channel": channel}
        # mypy cannot know that each fact has its own field's type.
        device = Device(**said)  # type: ignore[arg-type]
        case = Case(
            device=device,
            project=self._project,
            releases=self._releases,
            running=Running(device, self._releases, self._reach.closed),
            attempt=None,
            history=NO_HISTORY,
            parts=self._parts,
            reach=self._reach,
            at=0,
        )
        found = judged(case, self._release, takes_back=self._takes_back)
        return str(found.reason) if isinstance(found, Hold) else None
