"""Trying the admin secret: whoever guesses is slowed down, whoever knows it is not locked out.

The first wrong tries of a network are free, the next ones cost it 1 second, 2, 4 … of silence.
Over all networks there is a limit by the minute, for those who guess from everywhere at once; a
network from which the secret was right lately is exempt from that one. All processes of all
instances count together, and a try is evaluated inside the transaction that counts it, so
guessing in parallel gains nothing. Refused tries cost next to nothing and are told of in the
audit log, gathered by address and minute.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

from ota_http_server.domain.errors import Forbidden, TooMany
from ota_http_server.storage.database import Database
from ota_http_server.storage.secret_tries import EVERYWHERE, Record, Refused, SecretTries
from ota_http_server.storage.transaction import Writing

FREE_FAILURES = 5  # typing mistakes of a person
WAIT_SECONDS_MAX = 15 * 60
CALM_SECONDS = 15 * 60  # each such time without a failure halves the count
FAILURES_A_MINUTE_MAX = 100  # over all networks: 53 million guesses a year, nothing for 2^384
KNOWN_SECONDS = 30 * 24 * 3600  # how long a right secret makes a network known
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
        self._blocked: dict[str, int] = {}
        self._refused: Counter[Refused] = Counter()

    def admit(self, given: str | None, address: str) -> None:
        """Returns if the secret is right; raises `Forbidden`, or `TooMany` without looking."""
        if given is None:
            # Nothing was guessed: it is told of, but does not count against the network.
            self._count(address)
            raise Forbidden(WRONG)
        network = network_of(address)
        wait = self._known_wait(network)
        if not wait:
            right, wait = self._database.change(lambda tx: self._try(tx, given, address, network))
            if right:
                return
            if not wait:
                raise Forbidden(WRONG)
        self._remember(network, wait)
        self._count(address)
        raise TooMany(f"too many wrong admin secrets; try again in {wait} seconds", wait)

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
            self._database.change(lambda tx: _tell(tx, counted, finished))
        except Exception:
            with self._lock:
                self._refused.update(counted)
            raise

    def _known_wait(self, network: str) -> int:
        """Seconds to wait, as far as a look without a lock can tell."""
        now = int(self._clock().timestamp())
        with self._lock:
            until = self._blocked.get(network, 0)
        if until > now:
            return until - now
        with self._database.reading() as tx:
            return wait_seconds(
                tx.secret_tries.get(network), tx.secret_tries.get(EVERYWHERE), tx.second
            )

    def _try(self, tx: Writing, given: str, address: str, network: str) -> tuple[bool, int]:
        """Whether the secret is right, and how long to wait if it was not even looked at."""
        tx.secret_tries.take_turn()
        own, everywhere = tx.secret_tries.get(network), tx.secret_tries.get(EVERYWHERE)
        if wait := wait_seconds(own, everywhere, tx.second):
            return False, wait
        if self._is_right(given):
            if own.succeeded_at <= tx.second - DAY_SECONDS:
                tx.secret_tries.put(network, replace(own, succeeded_at=tx.second))
            return True, 0
        _fail(tx.secret_tries, network, own, everywhere, tx.second)
        tx.secret_tries.refuse({Refused(address, tx.second // 60): 1})
        return False, 0

    def _remember(self, network: str, wait: int) -> None:
        until = int(self._clock().timestamp()) + wait
        with self._lock:
            self._blocked.pop(network, None)
            if len(self._blocked) >= BLOCKED_NETWORKS_MAX:
                self._blocked.pop(next(iter(self._blocked)))
            self._blocked[network] = until

    def _count(self, address: str) -> None:
        """Counts a refusal in memory: a flood must not make the database write."""
        refused = Refused(address, int(self._clock().timestamp()) // 60)
        with self._lock:
            if len(self._refused) >= ADDRESSES_MAX and refused not in self._refused:
                refused = Refused(OTHERS, refused.minute)
            self._refused[refused] += 1


def network_of(address: str) -> str:
    """The network that is slowed down with this address: an IPv4 /24, an IPv6 /64."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]  # a Unix socket, or a server that knows no address
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


def wait_seconds(own: Record, everywhere: Record, now: int) -> int:
    """How long this network must wait before a secret of it is looked at; 0: not at all."""
    wait = own.blocked_until - now
    if not own.succeeded_at or own.succeeded_at < now - KNOWN_SECONDS:
        wait = max(wait, everywhere.blocked_until - now)
    return max(0, wait)


def after_failure(own: Record, now: int) -> Record:
    """The network's record after one more wrong secret."""
    calm = max(0, now - max(own.failed_at, own.blocked_until)) // CALM_SECONDS
    failures = (own.failures >> min(calm, 31)) + 1
    beyond = failures - FREE_FAILURES
    wait = 0 if beyond <= 0 else min(WAIT_SECONDS_MAX, 1 << min(beyond - 1, 31))
    return replace(own, failures=failures, failed_at=now, blocked_until=now + wait)


def after_failure_anywhere(everywhere: Record, now: int) -> Record:
    """The record of all networks: so many in one minute, and it is closed until the next."""
    minute = now // 60
    failures = (everywhere.failures if everywhere.failed_at // 60 == minute else 0) + 1
    closed = failures >= FAILURES_A_MINUTE_MAX
    until = (minute + 1) * 60 if closed else everywhere.blocked_until
    return replace(everywhere, failures=failures, failed_at=now, blocked_until=until)


def _fail(
    secret_tries: SecretTries, network: str, own: Record, everywhere: Record, now: int
) -> None:
    secret_tries.put(network, after_failure(own, now))
    secret_tries.put(EVERYWHERE, after_failure_anywhere(everywhere, now))


def _tell(tx: Writing, counted: Counter[Refused], finished: int) -> None:
    tx.secret_tries.refuse(counted)
    taken = tx.secret_tries.take_refused(finished)
    for refused, count in sorted(taken.items()):
        tx.events.add("admin_refused", IP=refused.address, count=count)
    if taken:
        tx.secret_tries.forget(
            failed_before=tx.second - DAY_SECONDS, succeeded_before=tx.second - KNOWN_SECONDS
        )
