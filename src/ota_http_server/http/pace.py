"""How fast image bytes go out: of all downloads together, and of one project's.

Each process has a bucket for the server's rate and one for each project that has a rate. A block
of bytes takes its place in the bucket before it is sent, behind all that took theirs before: so
the downloads have equal shares, however many there are, and none wakes in vain. Who sends waits
by itself, as suits the server that it runs in; nothing here sleeps.

Without any rate `is_on` is false, and that is all that a block costs.
"""

import time
from collections.abc import Callable, Mapping
from threading import Lock

REFRESH_SECONDS = 0.5  # how often the projects' rates are looked at
REST_SECONDS_MAX = 0.5  # so long a wait goes on without a look whether the rate is another one
BURST_SECONDS = 0.25  # so much of what was not used may go out at once
BLOCKS_A_SECOND = 64  # many enough to share a slow line justly, few enough to cost nothing
BLOCK_BYTES_MIN = 1_024  # fewer would be headers of TCP and TLS for the most part
BLOCK_BYTES_MAX = 256 * 1_024

Rest = Callable[[float], None]
"""Waits so many seconds, or not quite; raises `OSError` if the line ended meanwhile."""


class Bucket:
    """So many bytes come in each second, and what nobody takes is kept for a moment.

    In any span of time no more go out than `bytes_per_second` in each of its seconds, and
    `burst_bytes` once.
    """

    def __init__(self, bytes_per_second: float, monotonic: Callable[[], float]) -> None:
        self.bytes_per_second = bytes_per_second
        block_bytes = int(bytes_per_second / BLOCKS_A_SECOND)
        self.block_bytes = min(max(block_bytes, BLOCK_BYTES_MIN), BLOCK_BYTES_MAX)
        """As many are sent at a time, at most."""
        self.burst_bytes = max(bytes_per_second * BURST_SECONDS, self.block_bytes)
        self._monotonic = monotonic
        self._taken_until = float("-inf")
        """The moment at which all that was taken has come in."""
        self._turn = Lock()

    def take(self, count: int) -> float:
        """Takes `count` bytes, a block at most; from which moment on they may go out."""
        with self._turn:
            begins = max(self._taken_until, self._monotonic())
            self._taken_until = begins + count / self.bytes_per_second
            return self._taken_until - self.burst_bytes / self.bytes_per_second


Buckets = tuple[Bucket, ...]
"""Those that a download goes through, one after another."""


class Pace:
    """One for each process. The rates are the instance's; each of its processes has its share.

    `of_projects` tells the rates of those projects that have one.
    """

    def __init__(
        self,
        bytes_per_second: int | None,
        of_projects: Callable[[], Mapping[str, int]],
        *,
        processes: int = 1,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._of_projects = of_projects
        self._processes = processes
        self.monotonic = monotonic
        self._server: Buckets = (self._bucket(bytes_per_second),) if bytes_per_second else ()
        self._projects: dict[str, Buckets] = {}
        self.is_on = bool(self._server)
        """Something has a rate: only then whoever sends must ask."""

    def refresh(self) -> None:
        """Learns the projects' rates; called by the background. The same rate stays as it is."""
        rates = self._of_projects()
        known, projects = self._projects, {}
        for project, rate in rates.items():
            buckets = known.get(project)
            if buckets is None or buckets[0].bytes_per_second != rate / self._processes:
                # The project's first: what waits there has taken nothing from the others.
                buckets = (self._bucket(rate), *self._server)
            projects[project] = buckets
        self._projects = projects
        self.is_on = bool(self._server or projects)

    def buckets(self, project: str) -> Buckets:
        """None of them: its downloads are as fast as they can be."""
        return self._projects.get(project, self._server)

    def _bucket(self, bytes_per_second: int) -> Bucket:
        return Bucket(bytes_per_second / self._processes, self.monotonic)


class Flow:
    """One answer's bytes, of this project."""

    __slots__ = ("_pace", "_project")

    def __init__(self, pace: Pace, project: str) -> None:
        self._pace = pace
        self._project = project

    @property
    def is_paced(self) -> bool:
        """Ask before each block; nearly always there is no rate, and nothing to wait for."""
        return self._pace.is_on

    @property
    def has_rate(self) -> bool:
        return bool(self._pace.buckets(self._project))

    def wait(self, bytes_max: int, rest: Rest) -> int:
        """Returns when some bytes may go out, and how many: `bytes_max` at most.

        A rate that is changed meanwhile counts from then on, for what waits already too.
        """
        while buckets := self._pace.buckets(self._project):
            count = min(bytes_max, *(bucket.block_bytes for bucket in buckets))
            if all(self._waited(bucket, buckets, count, rest) for bucket in buckets):
                return count
        return bytes_max

    def _waited(self, bucket: Bucket, among: Buckets, count: int, rest: Rest) -> bool:
        """Whether its turn came; False: by now the rates are others."""
        due = bucket.take(count)
        while (seconds := due - self._pace.monotonic()) > 0:
            rest(min(seconds, REST_SECONDS_MAX))
            if self._pace.buckets(self._project) is not among:
                return False
        return True
