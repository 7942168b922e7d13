"""The newest image of a project, for clients that know one URL only and download what it gives.

That is a download and no offer: nothing is written down of it, and a device need not say what it
runs. But what would not be offered to this device, for its hardware or because it is blocked, is
not given to it here either; and whoever is at a release goes on with that one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ota_http_server.domain.attempt import Attempt
from ota_http_server.domain.decision import decide
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import BeginAnew, Conflict, Forbidden, NotFound, Refusal
from ota_http_server.domain.fitting import fitting
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.observation import told
from ota_http_server.domain.offer import Hold, Offer, Reason
from ota_http_server.domain.project import Project
from ota_http_server.domain.reach import check_sending
from ota_http_server.domain.release import FLASHED_WHOLE, Release, ReleaseImage
from ota_http_server.domain.self_comparing import for_self_comparing
from ota_http_server.domain.sighting import NOTHING_SAID, Sighting
from ota_http_server.operations.begun_downloads import BegunDownloads
from ota_http_server.operations.catalog import Catalog
from ota_http_server.operations.download import NO_SUCH_PROJECT
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.visit import as_known_in
from ota_http_server.storage.database import Database

NEWEST_NAME = "latest.bin"
REFUSALS: dict[Reason, type[Refusal]] = {
    Reason.BLOCKED: Forbidden,
    Reason.NO_RELEASE: NotFound,
    Reason.PIN_MISSING: NotFound,
}
"""All other reasons contradict what already is."""

HAS_IT = frozenset({Reason.UP_TO_DATE, Reason.AWAITING_RESTART})
"""It runs this release, or will after its restart."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The image, and its release."""

    release: Release
    image: ReleaseImage

    @property
    def since(self) -> int:
        """Since when it is the newest, in unix seconds."""
        return self.release.published_at or 0

    @property
    def modified_at(self) -> int:
        return self.image.modified_at or self.since


class NewestImage:
    """The operation; one for each process."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        registry: Registry,
        begun: BegunDownloads,
        reach: ReachNow,
    ) -> None:
        self._database = database
        self._reach = reach
        self._catalog = catalog
        self._registry = registry
        self._begun = begun

    def __call__(
        self,
        caller: Identity,
        project: str,
        device_id: str = "",
        sighting: Sighting = NOTHING_SAID,
    ) -> Newest:
        """The image for this device, "" where nobody knows which it is, and what it says of itself.

        Refuses in the words of a decision: 409 for what does not fit, or is not known to fit; 503
        while nothing is sent.
        """
        if not caller.may_see(project):
            raise NotFound(NO_SUCH_PROJECT)
        shelf = self._catalog.of(project)
        reach = self._reach.of(shelf.project)
        check_sending(reach.stop)
        found = self._registry.find(device_id) if device_id else None
        known = as_known_in(project, device_id, found)
        at = int(self._database.clock().timestamp())
        image = self._registry.named_by(sighting.digests, project)
        device = told(known.device, sighting, image, at)
        settings = for_self_comparing(shelf.project, shelf.releases)
        decision = decide(
            device,
            settings,
            shelf.releases,
            known.open_attempt,
            known.history,
            at=at,
            parts=FLASHED_WHOLE,
            reach=reach,
        )
        if isinstance(decision, Offer):
            return Newest(decision.release, decision.image)
        return _running(device, settings, shelf.releases, decision, known.open_attempt)

    def begun(
        self, caller: Identity, project: str, newest: Newest, *, in_the_middle: bool
    ) -> Newest:
        """What this caller goes on with: the image that it began within the hour, or the newest.

        `in_the_middle`: it has the first bytes of something, and no others must follow them.
        Raises `BeginAnew` where that is not published any more.
        """
        key = (caller.credential, project, NEWEST_NAME)
        begun = self._begun.begun_as_newest(key, newest.since, in_the_middle=in_the_middle)
        if begun is None or begun.sha256 == newest.image.sha256:
            return newest
        for release in self._catalog.of(project).releases:
            for image in release.images:
                if image.sha256 == begun.sha256:
                    return Newest(release, image)
        if in_the_middle:
            raise BeginAnew("the image that was begun is published no more; begin anew")
        return newest

    def begin(self, caller: Identity, project: str, newest: Newest) -> None:
        """Notes that this caller takes this one from its first byte on."""
        key = (caller.credential, project, NEWEST_NAME)
        self._begun.begin(key, newest.image.sha256, newest.modified_at, newest.since)


def _running(
    device: Device,
    project: Project,
    releases: Sequence[Release],
    hold: Hold,
    attempt: Attempt | None,
) -> Newest:
    """What it has already is the newest for it; anything else is refused."""
    if hold.reason in HAS_IT and hold.release is not None:
        at_it = None if attempt is None else attempt.sha256
        for one in hold.release.images:  # several may fit; it has the one of its attempt
            if one.sha256 == at_it and one.part in FLASHED_WHOLE:
                return Newest(hold.release, one)
        image = fitting(device, project, hold.release, releases, FLASHED_WHOLE)
        if isinstance(image, ReleaseImage):
            return Newest(hold.release, image)
        hold = image
    advice = "; say which chip it is, as ?chip=" if hold.reason is Reason.UNKNOWN_CHIP else ""
    refusal = REFUSALS.get(hold.reason, Conflict)
    raise refusal(f"{hold.reason}: {hold.detail}{advice}")
