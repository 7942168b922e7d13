"""The registry: what is known of each device, in memory as long as it stays true.

A device that has nothing to do is looked up in memory only. Where an attempt is under way, or
attributes are wanted of a device that can be asked for them, the rows are read each time, because
another instance may have been told something a moment ago. When each was last seen is gathered and
written in batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Forbidden, Refusal, Unavailable
from ota_http_server.domain.observation import KnownImage
from ota_http_server.domain.offer import NO_HISTORY, History, Reason
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.news import News
from ota_http_server.storage.counters import CATALOG, of_device
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading

WRITE_SECONDS = 5.0  # how often "last seen" is written
KNOWN_MAX = 60_000  # devices in memory, about a kilobyte each
SEEN_MAX = 100_000  # devices whose visit waits to be written
DIGESTS_MAX = 10_000
SETTLED_SECONDS = 3 * 3_600
"""What was installed so long ago without a proof is of a device that never tells what it runs."""


@dataclass(frozen=True, slots=True)
class Known:
    """A device and its latest attempt, open or not."""

    device: Device
    latest: Attempt | None
    history: History

    @property
    def open_attempt(self) -> Attempt | None:
        return self.latest if self.latest is not None and self.latest.is_open else None


class Registry:
    """One for each process. `wall` is in unix seconds."""

    def __init__(self, database: Database, news: News, wall: Callable[[], float]) -> None:
        self._database = database
        self._news = news
        self._wall = wall
        self._known: Bounded[str, tuple[int, Known]] = Bounded(KNOWN_MAX)
        self._named: Bounded[tuple[str, frozenset[str]], tuple[int, KnownImage | None]] = Bounded(
            DIGESTS_MAX
        )
        self._blocked: Bounded[str, tuple[int, bool]] = Bounded(KNOWN_MAX)
        self._seen: dict[str, tuple[int, str]] = {}
        self._turn = Lock()

    def find(self, device_id: str, *, converses: bool = False) -> Known | None:
        """What is known of the device; on the hot path. `converses`: it is asked for attributes.

        While the database is away, what was known last, if anything.
        """
        count = self._news.of(of_device(device_id))
        remembered = self._known.get(device_id)
        if remembered is not None and remembered[0] == count:
            same = remembered[1]
            if self._is_settled(same) and not (converses and same.device.attributes_wanted):
                return same
        try:
            with self._database.reading() as rows:
                known = read(rows, device_id)
        except Unavailable:
            if remembered is None:
                raise
            return remembered[1]
        if known is not None:
            self._known.put(device_id, (count, known))
        return known

    def check_not_blocked(self, device_id: str) -> None:
        """Raises `Forbidden` for a device that an operator blocked: it is sent no image.

        From memory, as it comes with every range. Whom nobody can look up meanwhile gets his bytes.
        """
        count = self._news.of(of_device(device_id))
        remembered = self._blocked.get(device_id)
        if remembered is None or remembered[0] != count:
            try:
                with self._database.reading() as rows:
                    device = rows.devices.get(device_id)
            except Unavailable:
                remembered = remembered or (count, False)
            else:
                remembered = (count, device is not None and device.blocked)
                self._blocked.put(device_id, remembered)
        if remembered[1]:
            raise Forbidden(f"{Reason.BLOCKED}: an operator blocked this device")

    def named_by(self, digests: frozenset[str], project: str = "") -> KnownImage | None:
        """The image of ours that any of these digests names, as this project releases it."""
        if not digests:
            return None
        count = self._news.of(CATALOG)
        remembered = self._named.get((project, digests))
        if remembered is not None and remembered[0] == count:
            return remembered[1]
        with self._database.reading() as rows:
            image = known_image(rows, digests, project)
        self._named.put((project, digests), (count, image))
        return image

    def forget(self, device_id: str) -> None:
        self._known.forget(device_id)

    def saw(self, device_id: str, address: str) -> None:
        """Notes that the device was here; nothing is written at once."""
        with self._turn:
            if device_id in self._seen or len(self._seen) < SEEN_MAX:
                self._seen[device_id] = (int(self._wall()), address)

    def _is_settled(self, known: Known) -> bool:
        """Nothing is under way that another instance could be told of."""
        attempt = known.open_attempt
        if attempt is None:
            return True
        waits = self._wall() - attempt.changed_at
        return attempt.state is State.INSTALLED and waits > SETTLED_SECONDS

    def write(self) -> None:
        """Writes who was here; called by the background every `WRITE_SECONDS`, and at the end."""
        with self._turn:
            seen, self._seen = self._seen, {}
        if not seen:
            return
        visits = [(device_id, at, address[:64]) for device_id, (at, address) in seen.items()]
        try:
            self._database.change(lambda tx: tx.devices.see(visits))
        except Refusal:
            with self._turn:
                self._seen = {**seen, **self._seen}
            raise


def read(rows: Reading, device_id: str) -> Known | None:
    """The same from the rows, in whatever transaction."""
    device = rows.devices.get(device_id)
    if device is None:
        return None
    latest = rows.attempts.latest_of(device_id)
    if latest is None or latest.state is State.VERIFIED:
        return Known(device, latest, NO_HISTORY)  # a success ends what counts: one look less
    return Known(device, latest, rows.attempts.history(device_id))


def known_image(rows: Reading, digests: frozenset[str], project: str) -> KnownImage | None:
    """The image that any of these digests names, with the version of the release that has it.

    Of several the one in this project counts: the same bytes may be another version elsewhere.
    """
    image = rows.images.named_by(digests)
    if image is None:
        return None
    released = rows.releases.versions_of(image.sha256)
    versions = sorted(released, key=lambda one: one[0] != project)  # else the latest first
    return KnownImage(
        sha256=image.sha256,
        digests=image.digests,
        version=versions[0][1] if versions else image.version,
        header_version=image.version,
        chip=image.chip,
        min_chip_revision=image.min_chip_revision,
        secure_version=image.secure_version,
    )
