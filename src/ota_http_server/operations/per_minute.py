"""How often something happened within the running minute, in memory: a limit for what costs."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from ota_http_server.operations.bounded import Bounded

K = TypeVar("K", bound=Hashable)
MINUTE_SECONDS = 60


class PerMinute(Generic[K]):
    """Counts by key. Each process counts for itself, so the limit of a server is some times it."""

    def __init__(self, times_max: int, keys_max: int) -> None:
        self._times_max = times_max
        self._counts: Bounded[K, tuple[int, int]] = Bounded(keys_max)

    def wait_seconds(self, key: K, now: int) -> int:
        """Counts once more; 0 within the limit, else the seconds until the minute is over."""
        minute = now // MINUTE_SECONDS
        began, times = self._counts.get(key) or (minute, 0)
        times = times + 1 if began == minute else 1
        self._counts.put(key, (minute, times))
        return 0 if times <= self._times_max else MINUTE_SECONDS - now % MINUTE_SECONDS
