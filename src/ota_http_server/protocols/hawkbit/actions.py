"""Attempts as hawkBit's actions: whose they are, and which bytes belong to them.

An action is bound to the image that it was opened with: whatever is published meanwhile, these are
its bytes. It is remembered for some seconds, so that the hundred ranges of one image are one look
at the database.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.errors import NotFound
from ota_http_server.domain.formats.swupdate import FORMAT as SWUPDATE
from ota_http_server.domain.release import ReleaseImage
from ota_http_server.domain.rollout_plan import Mode
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.visit import Visit
from ota_http_server.protocols.hawkbit.links import MD5_SUFFIX, short_name
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading

REMEMBERED_SECONDS = 5.0
REMEMBERED_MAX = 20_000  # downloads at a time, about a kilobyte each
DELTA_ENDING = ".zck"
"""What SWUpdate's delta handler reads beside its bundle. Other files it would try to install."""
MESSAGES_MAX = 100  # of `actionHistory`; hawkBit's own limit

NO_SUCH_ACTION = "there is no such action of this target"
FETCHED_IN = frozenset(
    {
        State.OFFERED,
        State.DOWNLOADING,
        State.DOWNLOADED,
        State.INSTALLED,
        # Who began goes on: it was slow, or does not know yet that a newer one came.
        State.SILENT,
        State.SUPERSEDED,
    }
)
"""States in which bytes are given out."""


@dataclass(frozen=True, slots=True)
class Action:
    """`images`: the attempt's own first, then what belongs to it."""

    attempt: Attempt
    images: tuple[ReleaseImage, ...]
    mode: Mode = Mode.FORCED
    """How urgently the rollout asks, by which it was offered."""

    def image(self, name: str) -> ReleaseImage:
        for image in self.images:
            if name in (image.name, short_name(image)):
                return image
        raise NotFound(f"the action has no artifact {name}")

    def named(self, name: str) -> tuple[ReleaseImage, bool]:
        """The image that a URL names, and whether its MD5 is asked for."""
        try:
            return self.image(name), False
        except NotFound:
            if not name.endswith(MD5_SUFFIX):
                raise
            return self.image(name.removesuffix(MD5_SUFFIX)), True


class Actions:
    """One for each process."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._known: Bounded[tuple[str, str, int], tuple[float, Action]] = Bounded(REMEMBERED_MAX)

    def find(self, visit: Visit, number: int) -> Action:
        """The action as it is now; `NotFound` for another device's."""
        with self._database.reading() as rows:
            action = _read(rows, visit, number)
        until = self._monotonic() + REMEMBERED_SECONDS
        self._known.put((visit.device, visit.project, number), (until, action))
        return action

    def fetching(self, visit: Visit, number: int) -> Action:
        """The same for a download, some seconds old at most."""
        known = self._known.get((visit.device, visit.project, number))
        if known is not None and self._monotonic() < known[0]:
            action = known[1]
        else:
            action = self.find(visit, number)
        if action.attempt.state not in FETCHED_IN:
            raise NotFound("the action has ended, and gives out nothing more")
        return action

    def messages(self, number: int, most: int) -> list[str]:
        """What the device said of it, the latest first."""
        with self._database.reading() as rows:
            lines = rows.attempts.lines(number)
        return [line.text for line in reversed(lines)][:most]


def _read(rows: Reading, visit: Visit, number: int) -> Action:
    attempt = rows.attempts.get(number)
    if attempt is None or (attempt.device, attempt.project) != (visit.device, visit.project):
        raise NotFound(NO_SUCH_ACTION)
    release = rows.releases.by_number(attempt.release)
    images = release.images if release is not None else ()
    own = [image for image in images if image.sha256 == attempt.sha256]
    if not own:
        raise NotFound("the release of this action is gone")
    image = next((one for one in own if one.name == attempt.image_name), own[0])
    beside = (one for one in images if one.name.endswith(DELTA_ENDING) and one is not image)
    rollout = None if attempt.rollout is None else rows.rollouts.get(attempt.rollout)
    mode = Mode.FORCED if rollout is None else rollout.policy.mode
    return Action(attempt, (image, *(beside if image.format == SWUPDATE else ())), mode)
