"""How many strangers one worker lets in, from one address and in all.

A connection counts until the application has seen a valid credential on it. Over the limit of its
address a newcomer waits outside, unread, until one of that address leaves or shows a credential;
over the limit of all it is turned away, and so it is when too many wait.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Generic, TypeVar

Visitor = TypeVar("Visitor")

Networks = tuple[IPv4Network | IPv6Network, ...]


class Verdict(Enum):
    COME_IN = auto()
    WAIT = auto()
    GO_AWAY = auto()


class Doorkeeper(Generic[Visitor]):
    """`admit` is called with a visitor who waited, when there is a place."""

    def __init__(
        self,
        *,
        per_address_max: int,
        total_max: int,
        trusted: Networks,
        admit: Callable[[Visitor], None],
    ) -> None:
        self._per_address_max = per_address_max
        self._total_max = total_max
        self._admit = admit
        self._inside: dict[str, int] = {}
        self._total = 0
        self._waiting: dict[str, deque[tuple[float, Visitor]]] = {}
        self._waiting_total = 0
        self.place_of = lru_cache(maxsize=4_096)(lambda address: _place(address, trusted))
        """What an address counts as; None for a trusted proxy, who does not count."""

    def arrive(self, visitor: Visitor, place: str, deadline: float) -> Verdict:
        """Let in (then `leave` must follow), put among the waiting until `deadline`, or refuse."""
        if self._inside.get(place, 0) >= self._per_address_max:
            if self._waiting_total >= self._total_max:
                return Verdict.GO_AWAY
            self._waiting.setdefault(place, deque()).append((deadline, visitor))
            self._waiting_total += 1
            return Verdict.WAIT
        if self._total >= self._total_max:
            return Verdict.GO_AWAY
        self._count_in(place)
        return Verdict.COME_IN

    def leave(self, place: str) -> None:
        """One of this place is gone or no stranger any more: the next may come in."""
        left = self._inside[place] - 1
        if left:
            self._inside[place] = left
        else:
            del self._inside[place]
        self._total -= 1
        queue = self._waiting.get(place)
        if queue and self._total < self._total_max:
            _, visitor = queue.popleft()
            self._forget_waiting(place, queue)
            self._count_in(place)
            self._admit(visitor)

    def give_up(self, now: float) -> list[Visitor]:
        """Those who waited past their deadline; they are no longer waiting."""
        gone: list[Visitor] = []
        for place, queue in list(self._waiting.items()):
            while queue and queue[0][0] <= now:
                gone.append(queue.popleft()[1])
                self._forget_waiting(place, queue)
        return gone

    def _count_in(self, place: str) -> None:
        self._inside[place] = self._inside.get(place, 0) + 1
        self._total += 1

    def _forget_waiting(self, place: str, queue: deque[tuple[float, Visitor]]) -> None:
        self._waiting_total -= 1
        if not queue:
            del self._waiting[place]


def _place(address: str, trusted: Networks) -> str | None:
    """An IPv4 address, or the /64 of an IPv6 one: a home or a server gets a whole /64."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if any(ip.version == network.version and ip in network for network in trusted):
        return None
    if isinstance(ip, IPv6Address):
        return ip.exploded[:19]
    return str(ip)
