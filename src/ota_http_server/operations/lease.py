"""The lease: one process of all instances does the work that is done once.

It also knows since when somebody looked without a gap, and the clock made no step: silence of a
device means nothing before, because nobody could have heard it.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from ota_http_server.logs import logger
from ota_http_server.operations.steady_clock import STEP_SECONDS_MAX
from ota_http_server.storage.database import Database
from ota_http_server.storage.leases import Lease
from ota_http_server.storage.transaction import Writing

LOG = logger("lease")

LEASE_SECONDS = 30
RENEW_SECONDS = 10
GAP_SECONDS_MAX = 60  # between two looks; longer, and nobody listened meanwhile


@dataclass(frozen=True, slots=True)
class Held:
    """The lease is ours. `elapsed_seconds` since the last look, if we looked not long ago."""

    at: int
    elapsed_seconds: float
    steady_seconds: int
    """So long somebody looked, and the clock made no step."""


class Leasing:
    """One for each process; asked every few seconds."""

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._name = name
        self._monotonic = monotonic
        self._me = secrets.token_hex(8)
        self._last: tuple[float, int] | None = None
        """When we looked last while we held it: by the two clocks."""
        self._told = False

    def hold(self) -> Held | None:
        """The lease, if it is ours or free; None while another process has it."""
        with self._database.reading() as rows:
            lease, at = rows.leases.get(self._name), rows.second
        if lease is not None and not self._may_have(lease, at):
            self._last = None
            return None
        if lease is None or not self._goes_on(lease, at):
            before, lease = lease, self._database.change(self._taken)
            if lease is None:
                self._last = None
                return None
            if before is not None and before.holder != self._me:
                self._take_over(before, at)
        now = self._monotonic()
        elapsed = 0.0 if self._last is None else now - self._last[0]
        if elapsed > GAP_SECONDS_MAX:
            elapsed = 0.0  # nobody looked; the database was away, say, and no device was heard
        self._last = (now, at)
        return Held(at, elapsed, max(0, at - lease.steady_since))

    def _take_over(self, before: Lease, at: int) -> None:
        """The time until now was the other one's to count."""
        self._last = None
        if before.until > at + LEASE_SECONDS + STEP_SECONDS_MAX and not self._told:
            # Two such hosts take it from each other all the time, and neither counts any.
            self._told = True
            ahead = before.until - LEASE_SECONDS - at
            LOG.warning(
                "the lease of %s was another process's whose clock is %d seconds ahead, or this"
                " one was set back; rollouts stand still as long as the clocks of hosts differ",
                self._name,
                ahead,
            )

    def _taken(self, tx: Writing) -> Lease | None:
        before = tx.leases.get(self._name, locks=True)
        if before is not None and not self._may_have(before, tx.second):
            return None
        lease = Lease(
            name=self._name,
            holder=self._me,
            until=tx.second + LEASE_SECONDS,
            looked_at=tx.second,
            steady_since=self._steady_since(before, tx.second),
        )
        tx.leases.put(lease)
        return lease

    def _may_have(self, lease: Lease, at: int) -> bool:
        # An end far ahead was written before the clock was set back.
        runs = at <= lease.until <= at + 2 * LEASE_SECONDS
        return lease.holder == self._me or not runs

    def _goes_on(self, lease: Lease, at: int) -> bool:
        """Nothing of it need be written yet."""
        fresh = 0 <= at - lease.looked_at < RENEW_SECONDS
        return lease.holder == self._me and fresh and not self._stepped(at)

    def _steady_since(self, before: Lease | None, at: int) -> int:
        if before is None or self._stepped(at) or before.steady_since > at:
            return at
        gap = at - before.looked_at
        return before.steady_since if -STEP_SECONDS_MAX <= gap <= GAP_SECONDS_MAX else at

    def _stepped(self, at: int) -> bool:
        """Whether the clock went another way than the time did since our last look."""
        if self._last is None:
            return False
        passed, shown = self._monotonic() - self._last[0], at - self._last[1]
        return abs(shown - passed) > STEP_SECONDS_MAX or passed > GAP_SECONDS_MAX
