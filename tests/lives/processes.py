"""One process of a server over rows that it shares with others, and how it may die.

It has everything that checking in, reporting and rolling out need, and no door. Two clocks are
given to it: the one that people set, and the one that only goes on.
"""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import event

from ota_http_server.operations.begin_rollout import BeginRollout
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.catalog import Catalog
from ota_http_server.operations.check_in import CheckIn
from ota_http_server.operations.lease import Leasing
from ota_http_server.operations.mark_silent import MarkSilent
from ota_http_server.operations.news import News
from ota_http_server.operations.progress import Progress
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.report import Report
from ota_http_server.operations.roll_out import RollOut
from ota_http_server.operations.steady_clock import SteadyClock
from ota_http_server.operations.steer_rollouts import SteerRollouts
from ota_http_server.operations.stop_offers import StopOffers
from ota_http_server.storage.database import Database

DEVICES_MAX = 100_000
SILENT_SECONDS = 24 * 3_600  # outside of rollouts: the server's default


class Killed(BaseException):
    """The process is no more. Nobody catches that but who begins another one in its place."""


class Death:
    """When a process dies: at the so manieth of the moments that a power cut may choose."""

    def __init__(self) -> None:
        self._moments_left: int | None = None

    def comes_after(self, moments: int) -> None:
        self._moments_left = moments

    def comes_closer(self, place: str) -> None:
        """One more moment: before a statement, before the commit, after it."""
        if self._moments_left is None:
            return
        self._moments_left -= 1
        if self._moments_left <= 0:
            raise Killed(place)


class MortalDatabase(Database):
    """The database of a process that may die between any two writes."""

    def __init__(self, url: str, clock: Callable[[], datetime], death: Death) -> None:
        super().__init__(url, clock=clock)
        self._death = death
        for engine in (self._readers, self._writer):
            event.listen(engine, "connect", _without_waiting_for_the_disk)
        event.listen(self._writer, "commit", lambda _: death.comes_closer("before the commit"))

        @event.listens_for(self._writer, "before_cursor_execute")
        def _comes_closer(_connection, _cursor, statement, *_more):
            death.comes_closer(" ".join(statement.split()[:3]))

    def change(self, work):
        result = super().change(work)
        self._death.comes_closer("after the commit")
        return result


class Process:
    """What it remembers is its own, and gone when it dies."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        salt: Callable[[int], bytes],
        poll_seconds: int,
    ) -> None:
        def wall() -> float:
            return clock().timestamp()

        self.death = Death()
        self.database = database = MortalDatabase(url, clock, self.death)
        self.news = news = News(database, monotonic=monotonic)
        self.registry = Registry(database, news, wall)
        self.progress = Progress(database, self.registry)
        self.brake = Brake(database, news, folder, monotonic=monotonic)
        self.steady = SteadyClock(wall, monotonic)
        reach = ReachNow(database, news, self.brake, downloads_max=None, monotonic=monotonic)
        self.check_in = CheckIn(
            database,
            Catalog(database, news, _NoFolder()),
            self.registry,
            reach,
            self.steady,
            poll_seconds=poll_seconds,
            devices_max=DEVICES_MAX,
        )
        self.report = Report(database, self.registry)
        self.begin_rollout = BeginRollout(database, news, salt)
        self.roll_out = RollOut(database, news, self.registry)
        self.stop_offers = StopOffers(database, news, self.brake)
        self.steer = SteerRollouts(
            database,
            Leasing(database, "steering", monotonic=monotonic),
            MarkSilent(database, self.registry, SILENT_SECONDS),
            self.brake,
        )

    def do_chores(self) -> None:
        """What its threads do between requests."""
        self.news.refresh()
        self.brake.refresh()
        self.progress.write_due()
        self.registry.write()
        self.steer()


class _NoFolder:
    """Releases come by the rows alone."""

    def follow(self, _project: str) -> bool:
        return False


def _without_waiting_for_the_disk(connection: sqlite3.Connection, _record: object) -> None:
    """A thousand times faster; a process that dies loses nothing by it, only a machine would."""
    connection.execute("PRAGMA synchronous = OFF").close()
