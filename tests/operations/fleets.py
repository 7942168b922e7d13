"""The operations on devices over a real database and a real folder, without any door."""

from functools import cached_property
from pathlib import Path

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.sighting import Sighting
from ota_http_server.operations.begin_rollout import BeginRollout
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.catalog import Catalog
from ota_http_server.operations.check_in import Answer, CheckIn
from ota_http_server.operations.collect import Collection
from ota_http_server.operations.lease import Held, Leasing
from ota_http_server.operations.look_after_device import LookAfterDevice
from ota_http_server.operations.mark_silent import MarkSilent
from ota_http_server.operations.news import News
from ota_http_server.operations.progress import Progress
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.release_folder import ReleaseFolder
from ota_http_server.operations.report import Report, Told, Word
from ota_http_server.operations.roll_out import RollOut
from ota_http_server.operations.steady_clock import SteadyClock
from ota_http_server.operations.steer_rollouts import SteerRollouts
from ota_http_server.operations.stop_offers import StopOffers
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.operations.visit import Visit
from ota_http_server.security.tokens import Tokens
from ota_http_server.storage.blobs import Blobs
from ota_http_server.storage.database import Database
from ota_http_server.storage.folder import Folder
from tests.operations.enrolling import SECRET

BOARD = Visit("board", "lamp", "192.0.2.7")
SILENT_SECONDS = 3_600


def lamp(version: str, **facts) -> bytes:
    return esp_application(version=version, project="lamp", payload_bytes=2_048, **facts)


class Fleet:
    """One process of a server: everything that it remembers is its own, rows and files are not."""

    def __init__(
        self,
        database: Database,
        clock,
        folder: Path,
        devices_max: int = 1_000,
        downloads_max: int | None = None,
        monotonic=None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.firmware = folder / "firmware"
        self.firmware.mkdir(exist_ok=True)
        wall = lambda: clock.now.timestamp()  # noqa: E731
        self.blobs = Blobs(folder / "blobs")
        self.collection = Collection(
            Folder(self.firmware),
            self.blobs,
            database,
            image_bytes_max=2**24,
            in_thread=lambda work: work(),
            monotonic=wall,
            wall=wall,
        )
        self.news = News(database, monotonic=wall)
        self.release_folder = ReleaseFolder(database, self.collection)
        self.catalog = Catalog(database, self.news, self.release_folder)
        self.registry = Registry(database, self.news, wall)
        self.progress = Progress(database, self.registry)
        self.brake = Brake(database, self.news, folder, monotonic=wall)
        self.reach = ReachNow(
            database, self.news, self.brake, downloads_max=downloads_max, monotonic=wall
        )
        self.check_in = CheckIn(
            database,
            self.catalog,
            self.registry,
            self.reach,
            SteadyClock(wall, monotonic or wall),
            poll_seconds=300,
            devices_max=devices_max,
        )
        self.report = Report(database, self.registry)
        self._mark_silent = MarkSilent(database, self.registry, SILENT_SECONDS)
        self.begin_rollout = BeginRollout(database, self.news)
        self.roll_out = RollOut(database, self.news, self.registry)
        self.stop_offers = StopOffers(database, self.news, self.brake)
        self.leasing = Leasing(database, "steering", monotonic=wall)
        self.steer = SteerRollouts(database, self.leasing, self._mark_silent, self.brake)

    def mark_silent(self) -> int:
        """As a server does that has been listening for long."""
        return self._mark_silent(Held(int(self.clock.now.timestamp()), 0.0, 10**9))

    @cached_property
    def look_after(self) -> LookAfterDevice:
        verifier = TokenVerifier(Tokens(SECRET), self.database)
        return LookAfterDevice(self.database, self.news, self.registry, verifier)

    def drop(self, name: str, content: bytes, project: str = "lamp") -> Path:
        folder = self.firmware / project
        folder.mkdir(exist_ok=True)
        partial = folder / f".{name}.part"
        partial.write_bytes(content)
        path = partial.replace(folder / name)
        self.clock.pass_seconds(2)
        return path

    def comes(self, visit: Visit = BOARD, **said) -> Answer:
        """A check-in, in words from outside."""
        return self.check_in(visit, Sighting.of(**said))

    def tells(self, told: Told, visit: Visit = BOARD, **more):
        return self.report(visit, Word(told, **more))

    def device(self, device_id: str = "board"):
        with self.database.reading() as rows:
            return rows.devices.get(device_id)

    def attempts(self, device_id: str = "board"):
        with self.database.reading() as rows:
            return rows.attempts.of_device(device_id, 50)
