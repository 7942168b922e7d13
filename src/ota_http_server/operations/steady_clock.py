"""Since when the clock has gone as time does: what it shows across a step says nothing.

A server without a battery for its clock starts in 1970 and learns the date later; somebody sets it
by hand; a laptop sleeps. Where a verdict is final, only time that surely passed counts.
"""

import time
from collections.abc import Callable

from ota_http_server.logs import logger

LOG = logger("clock")

STEP_SECONDS_MAX = 5  # by which the clock may differ from the time that passed
EVERY_SECONDS = 2.0  # how often it is looked at


class SteadyClock:
    """One for each process. `wall` is in unix seconds."""

    def __init__(
        self, wall: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._ahead = wall() - monotonic()
        self._since = int(wall())

    def since(self) -> int:
        """Since when it made no step, as far as this process saw: in unix seconds."""
        self.look()
        return self._since

    def look(self) -> None:
        """Notices a step, and says so once."""
        now = self._wall()
        ahead = now - self._monotonic()
        step, self._ahead = ahead - self._ahead, ahead
        if abs(step) > STEP_SECONDS_MAX:
            self._since = int(now)
            way = "on" if step > 0 else "back"
            LOG.warning("the clock was set %s by %d seconds", way, abs(step))
