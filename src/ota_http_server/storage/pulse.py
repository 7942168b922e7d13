"""Whether the database answers: one asks again and again, the others need not wait to learn it.

A host that was switched off or cut off does not refuse a connection, it is silent. Without this
each request would find that out for itself, for as long as the network's time-outs take.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ota_http_server.domain.errors import Unavailable

SILENT_SECONDS_MAX = 3.0  # a probe takes milliseconds; a machine that is that busy answers nobody
BELIEVED_SECONDS = 2.0  # a failure is believed so long: four probes of a running server


class Pulse:
    """What the probes of one process found out."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began: float | None = None
        self._failed: tuple[float, str] | None = None

    @contextmanager
    def felt(self) -> Iterator[None]:
        """The block asks the database; how it ends is what `check` goes by."""
        self._began = self._monotonic()
        try:
            yield
        except Unavailable as refusal:
            self._failed = (self._monotonic(), refusal.detail)
            raise
        else:
            self._failed = None
        finally:
            self._began = None

    def check(self) -> None:
        """Raises `Unavailable` while the database is known not to answer."""
        now = self._monotonic()
        began, failed = self._began, self._failed
        if began is not None and now - began > SILENT_SECONDS_MAX:
            raise Unavailable("the database does not answer")
        if failed is not None and now - failed[0] <= BELIEVED_SECONDS:
            raise Unavailable(failed[1])
