"""Trying the admin secret: whoever guesses is slowed down, whoever knows it is not locked out.

The first wrong tries of a network are free, the next ones cost it 1 second, 2, 4 … of silence.
Over all networks there is a limit by the minute, for those who guess from everywhere at once; a
network from which the secret was right lately is exempt from that one. All processes of all
instances count together, and a try is evaluated inside the transaction that counts it, so
guessing in parallel gains nothing. While the database takes no rows, each process counts for
itself: a full disk must not make guessing free. Refused tries cost next to nothing and are told
of in the audit log, gathered by address and minute.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from threading import Lock

from ota_http_server.domain.errors import Forbidden, Refusal, TooMany, Unavailable
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.slow_guessing import (
    KNOWN_SECONDS,
    after_failure,
    after_failure_anywhere,
    network_of,
    wait_seconds,
)
from ota_http_server.storage.database import Database
from ota_http_server.storage.secret_tries import EVERYWHERE, Record, Refused
from ota_http_server.storage.transaction import Writing

DAY_SECONDS = 24 * 3600

BLOCKED_NETWORKS_MAX = 4_096  # remembered in memory; the others are asked for in the database
ADDRESSES_MAX = 256  # gathered one by one in memory; the rest of a flood counts as OTHERS
OTHERS = "others"
LATE_SECONDS = 15  # other processes hand in the last refusals of a minute within this time

WRONG = "the admin secret is missing or wrong"


class AdminGate:
    """Lets those pass who know the admin secret. `is_right` compares in constant time."""

    def __init__(
        self,
        database: Database,
        is_right: Callable[[str], bool],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._is_right = is_right
        self._clock = clock
        self._lock = Lock()
        self._blocked: Bounded[str, int] = Bounded(BLOCKED_NETWORKS_MAX)
        self._unwritten: Bounded[str, Record] = Bounded(BLOCKED_NETWORKS_MAX)
        self._refused: Counter[Refused] = Counter()

    def admit(self, given: str | None, address: str) -> None:
        """Returns if the secret is right; raises `Forbidden`, or `TooMany` without looking."""
        if given is None:
            # Nothing was guessed: it is told of, but does not count against the network.
            self._count(address)
            raise Forbidden(WRONG)
        network = network_of(address)
        right, wait = self._judged(given, address, network)
        if right:
            return
        if not wait:
            raise Forbidden(WRONG)
        self._remember(network, wait)
        self._count(address)
        raise TooMany(f"too many wrong admin secrets; try again in {wait} seconds", wait)

    def note_refused(self, address: str) -> None:
        """A wrong API key: told of like a wrong secret, but nobody guesses 256 random bits."""
        self._count(address)

    def gather(self, *, all_minutes: bool = False) -> None:
        """Turns the refusals of each finished minute into one event an address.

        Call it every few seconds, and with `all_minutes` before the process ends: what belongs to
        the running minute is then told of too, in a second event if more follows elsewhere.
        """
        with self._lock:
            counted, self._refused = self._refused, Counter()
        now = int(self._clock().timestamp())
        finished = (now if all_minutes else now - 60 - LATE_SECONDS) // 60 + 1
        with self._database.reading() as tx:
            waiting = tx.secret_tries.anything_refused(finished)
        if not counted and not waiting:
            return
        try:
            told = self._database.change(lambda tx: _tell(tx, counted, finished))
        except Exception:  # whatever it was, it goes on up, and nothing counted is lost
            with self._lock:
                self._refused.update(counted)
            raise
        if told:
            # Apart: a try locks these rows first and refusals later, here it would be crosswise.
            self._database.change(_forget)

    def _known_wait(self, network: str) -> int:
        """Seconds to wait, as far as a look without a lock can tell."""
        now = int(self._clock().timestamp())
        until = self._blocked.get(network) or 0
        if until > now:
            return until - now
        with self._database.reading() as tx:
            return wait_seconds(
                tx.secret_tries.get(network), tx.secret_tries.get(EVERYWHERE), tx.second
            )

    def _judged(self, given: str, address: str, network: str) -> tuple[bool, int]:
        """Whether the secret is right, and how long to wait if it was not even looked at."""
        try:
            if wait := self._known_wait(network):
                return False, wait
        except Unavailable:
            return self._tried_here(given, address, network)
        return self._tried(given, address, network)

    def _tried(self, given: str, address: str, network: str) -> tuple[bool, int]:
        wrong: list[Record] = []
        right = False

        def tried(tx: Writing) -> tuple[bool, int]:
            nonlocal right
            tx.secret_tries.take_turn()
            if wait := self._wait(tx, network):
                return False, wait
            right = self._is_right(given)
            if right:
                _succeed(tx, network)
                return True, 0
            # Before it is written: if it cannot be, the next try knows of it nevertheless.
            wrong.append(self._fail_in_memory(network, tx.second))
            _fail(tx, address, network)
            return False, 0

        try:
            answer = self._database.change(tried)
        except Refusal:
            if right:
                return True, 0  # all that is not kept is when it was right last
            if not wrong:
                return self._tried_here(given, address, network)
            self._count(address)
            if wait := wait_seconds(wrong[-1], Record(), wrong[-1].failed_at):
                self._remember(network, wait)
            raise
        if wrong:
            self._unwritten.forget(network)
        return answer

    def _tried_here(self, given: str, address: str, network: str) -> tuple[bool, int]:
        """The same without the database: who can stop everything must get in now, too."""
        now = int(self._clock().timestamp())
        with self._lock:
            own = self._unwritten.get(network) or Record()
            everywhere = self._unwritten.get(EVERYWHERE) or Record()
            if wait := wait_seconds(own, everywhere, now):
                return False, wait
            if self._is_right(given):
                return True, 0
            self._fail_in_memory(network, now)
            self._unwritten.put(EVERYWHERE, after_failure_anywhere(everywhere, now))
        self._count(address)
        return False, 0

    def _wait(self, tx: Writing, network: str) -> int:
        own, everywhere = tx.secret_tries.get(network), tx.secret_tries.get(EVERYWHERE)
        unwritten = self._unwritten.get(network) or Record()
        return max(
            wait_seconds(own, everywhere, tx.second), wait_seconds(unwritten, Record(), tx.second)
        )

    def _fail_in_memory(self, network: str, now: int) -> Record:
        record = after_failure(self._unwritten.get(network) or Record(), now)
        return self._unwritten.put(network, record)

    def _remember(self, network: str, wait: int) -> None:
        self._blocked.put(network, int(self._clock().timestamp()) + wait)

    def _count(self, address: str) -> None:
        """Counts a refusal in memory: a flood must not make the database write."""
        refused = Refused(address, int(self._clock().timestamp()) // 60)
        with self._lock:
            if len(self._refused) >= ADDRESSES_MAX and refused not in self._refused:
                refused = Refused(OTHERS, refused.minute)
            self._refused[refused] += 1


def _succeed(tx: Writing, network: str) -> None:
    own = tx.secret_tries.get(network)
    if own.succeeded_at <= tx.second - DAY_SECONDS:
        tx.secret_tries.put(network, replace(own, succeeded_at=tx.second))


def _fail(tx: Writing, address: str, network: str) -> None:
    tries, now = tx.secret_tries, tx.second
    tries.put(network, after_failure(tries.get(network), now))
    tries.put(EVERYWHERE, after_failure_anywhere(tries.get(EVERYWHERE), now))
    tries.refuse({Refused(address, now // 60): 1})


def _tell(tx: Writing, counted: Counter[Refused], finished: int) -> bool:
    """Writes what was counted here and tells of the finished minutes; whether there were any."""
    taken = tx.secret_tries.gathered(counted, finished)
    for refused, count in sorted(taken.items()):
        tx.events.add("admin_refused", IP=refused.address, count=count)
    return bool(taken)


def _forget(tx: Writing) -> None:
    tx.secret_tries.forget(
        failed_before=tx.second - DAY_SECONDS, succeeded_before=tx.second - KNOWN_SECONDS
    )
