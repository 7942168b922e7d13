"""Grants: a verified credential is remembered for some minutes.

The hundred ranges of one image then cost one signature check, and a device that comes every five
minutes with an opaque credential costs no look at the database. What is remembered is the answer,
never the token: the key is its digest. A grant ends with its token, and all of them at once when
the revocation counter moves. While the database is away, what is remembered goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.identity import Identity
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.verify_token import credential_of

GRANT_SECONDS = 600.0  # longer than devices wait between two check-ins, if nobody set that
GRANTS_MAX = 30_000  # some 600 bytes each


class Validity(Protocol):
    """Until when what was verified holds by itself."""

    @property
    def expires_at(self) -> int: ...


class Verifier(Protocol):
    """Knows what holds."""

    def verify(self, text: str, now: int, /) -> tuple[Identity, Validity]:
        """Who it speaks for, or `Unauthenticated`."""

    def revocations(self) -> int:
        """A number that changes with every revocation."""

    def read_ticket(self, text: str, project: str, digest_start: str, now: int, /) -> Identity:
        """Who a download ticket was made for, or `Unauthenticated`."""


@dataclass(frozen=True, slots=True)
class Grant:
    identity: Identity
    expires_at: int
    """The token's own end, in unix seconds."""
    forgotten_at: float
    """On the monotonic clock: a wrong wall clock must not keep a grant alive."""
    revocations: int
    """The counter before the token was verified; a grant of another count does not count."""


class Grants:
    """Token → Identity, as cheaply as it may be."""

    def __init__(
        self,
        verifier: Verifier,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verifier = verifier
        self._wall = wall
        self._monotonic = monotonic
        self._grants: Bounded[bytes, Grant] = Bounded(GRANTS_MAX)

    def identify(self, token: str) -> Identity:
        """Who this token speaks for; raises `Unauthenticated`."""
        revocations = self._verifier.revocations()
        key = credential_of(token)
        now = self._wall()
        grant = self._grants.get(key)
        if grant is not None and (grant.revocations != revocations or now >= grant.expires_at):
            grant = None
        if grant is not None and self._monotonic() < grant.forgotten_at:
            return grant.identity
        try:
            identity, validity = self._verifier.verify(token, int(now))
        except Unavailable:
            if grant is None:
                raise
            return grant.identity  # nobody can revoke anything while the database is away
        forgotten_at = self._monotonic() + GRANT_SECONDS
        self._grants.put(key, Grant(identity, validity.expires_at, forgotten_at, revocations))
        return identity

    def ticket(self, text: str, project: str, digest_start: str) -> Identity:
        """Whose download ticket this is; checking one costs no more than remembering it."""
        self._verifier.revocations()  # asks for news if those are old
        return self._verifier.read_ticket(text, project, digest_start, int(self._wall()))
