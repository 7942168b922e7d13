"""Presenting what there is to clients that read a document and compare versions by themselves.

A device that says who it is checks in by that, but is opened no attempt: many look for display only
(`take_up` follows the download). Of a board that nobody knows, what it says of itself counts. Where
the chip is not known, a document that names chips has an entry for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ota_http_server.domain.decision import decide
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.observation import told
from ota_http_server.domain.offer import Decision, Offer, Reason
from ota_http_server.domain.release import FLASHED_WHOLE, Release, ReleaseImage
from ota_http_server.domain.self_comparing import chips_of, for_self_comparing
from ota_http_server.domain.sighting import REVISION_MAX, Sighting
from ota_http_server.operations.catalog import Catalog, Shelf
from ota_http_server.operations.check_in import CheckIn
from ota_http_server.operations.download import NO_SUCH_PROJECT
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.visit import visit_of

INSTALLED_WHOLE: tuple[Kind, ...] = (*FLASHED_WHOLE, "factory")
"""What a person may put on a new board."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks for what, and what was said of the board."""

    caller: Identity
    project: str
    address: str
    claimed: str | None
    """Which device it says it is; counts where the credential names none."""
    sighting: Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a board is shown."""

    device: str
    """"" where nobody knows which it is."""
    chip: str | None
    board: str | None
    decision: Decision
    release: Release | None
    """The one that is offered, or runs already and is the right one."""
    image: ReleaseImage | None
    """That of the release for this board."""
    version: str | None
    """What the client compares its own with: equal to that where there is nothing to do, as far
    as anybody knows."""
    says_what_runs: bool
    """The request itself told what runs, so the answer can be relied upon."""


class Present:
    """The operation; one for each process."""

    def __init__(
        self,
        catalog: Catalog,
        registry: Registry,
        check_in: CheckIn,
        reach: ReachNow,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._registry = registry
        self._check_in = check_in
        self._reach = reach
        self._clock = clock

    def __call__(self, asking: Asking) -> Shown:
        """What this device, or a board of which only that much is known, is shown."""
        return self._asked(asking, self._shelf(asking))[0]

    def by_chip(self, asking: Asking) -> list[Shown]:
        """The same; one for each chip where the board's is not known."""
        shelf = self._shelf(asking)
        shown, device = self._asked(asking, shelf)
        chips = chips_of(shelf.releases)
        if shown.chip is not None or device is None or not chips:
            return [shown]
        return [self._as_if(asking, shelf, replace(device, chip=chip)) for chip in chips]

    def by_board(self, asking: Asking) -> list[Shown]:
        """The same; one for each board that images name, where the board's own is not known."""
        shelf = self._shelf(asking)
        shown, device = self._asked(asking, shelf)
        if device is None or not is_unknown(shown.decision):
            return [shown]
        images = (image for release in shelf.releases for image in release.images)
        boards = dict.fromkeys((i.chip, board) for i in images for board in i.hardware)
        return [
            self._as_if(asking, shelf, replace(device, chip=chip or device.chip, board=board))
            for chip, board in boards
        ] or [shown]

    def to_people(self, asking: Asking) -> list[Shown]:
        """What a person may put on a board of each chip; no device checks in by that.

        The device of the credential counts as far as an operator decided about it. Whether the
        board in the person's hand is new enough for an image, the board will say.
        """
        shelf = self._shelf(asking)
        device = Device(id="", project=asking.project, revision_min=REVISION_MAX)
        if asking.caller.subject:
            known = self._registry.find(device_key(asking.caller.subject))
            if known is not None and known.device.project == asking.project:
                its, channel = known.device, shelf.project.channel_of(known.device)
                device = replace(device, channel=channel, pinned=its.pinned, blocked=its.blocked)
        chips: list[str | None] = [*chips_of(shelf.releases, INSTALLED_WHOLE)] or [None]
        return [
            self._as_if(asking, shelf, replace(device, chip=chip), INSTALLED_WHOLE)
            for chip in chips
        ]

    def _shelf(self, asking: Asking) -> Shelf:
        if not asking.caller.may_see(asking.project):
            raise NotFound(NO_SUCH_PROJECT)
        shelf = self._catalog.of(asking.project)
        if shelf.is_empty:
            raise NotFound(NO_SUCH_PROJECT)
        return shelf

    def _asked(self, asking: Asking, shelf: Shelf) -> tuple[Shown, Device | None]:
        """What is shown, and the device that it is shown to: None if it may not come in."""
        if not asking.caller.subject and not asking.claimed:
            image = self._registry.named_by(asking.sighting.digests, asking.project)
            board = Device(id="", project=asking.project)
            board = told(board, asking.sighting, image, int(self._clock().timestamp()))
            return self._as_if(asking, shelf, board), board
        visit = visit_of(asking.caller, asking.project, asking.claimed, asking.address)
        answer = self._check_in(visit, asking.sighting, opens=False, compares=True)
        device = answer.device
        seen = device or Device(id=visit.device, project=asking.project, chip=asking.sighting.chip)
        return _shown(asking, shelf, seen, answer.decision), device

    def _as_if(
        self, asking: Asking, shelf: Shelf, board: Device, parts: Sequence[Kind] = FLASHED_WHOLE
    ) -> Shown:
        """What such a board would be offered; nothing that it did before counts."""
        project = for_self_comparing(shelf.project, shelf.releases)
        at = int(self._clock().timestamp())
        reach = self._reach.of(shelf.project)
        decision = decide(board, project, shelf.releases, at=at, parts=parts, reach=reach)
        return _shown(asking, shelf, board, decision)


def is_unknown(decision: Decision) -> bool:
    """Nothing is shown because nobody knows which board it is."""
    unknown = (Reason.UNKNOWN_CHIP, Reason.UNKNOWN_BOARD)
    return not isinstance(decision, Offer) and decision.reason in unknown


def _shown(asking: Asking, shelf: Shelf, device: Device, decision: Decision) -> Shown:
    chip = device.chip or for_self_comparing(shelf.project, shelf.releases).chip
    said = asking.sighting.version
    release, image, version = None, None, said or device.version
    if isinstance(decision, Offer):
        release, image, version = decision.release, decision.image, decision.release.version
    elif decision.reason is Reason.UP_TO_DATE and decision.release is not None:
        release = decision.release
        image = _running(release, device, chip)
        version = said or release.version
    return Shown(
        device=device.id,
        chip=chip,
        board=device.board,
        decision=decision,
        release=release,
        image=image,
        version=version,
        says_what_runs=bool(said or asking.sighting.digests),
    )


def _running(release: Release, device: Device, chip: str | None) -> ReleaseImage | None:
    """The image of the release that it runs; the last one that may be it, where nothing tells."""
    images = [i for i in release.images if i.part in FLASHED_WHOLE and i.chip in (None, chip)]
    known = (image for image in images if image.sha256 == device.image_sha256)
    return next(known, images[-1] if images else None)
