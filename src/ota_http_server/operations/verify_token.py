"""Verifying a token: its signature and claims, and that nobody took it back.

The revocations are kept in memory as a snapshot, so that a check reads no row and goes on while
the database is away. A chore asks every half second, by one cheap query, whether there are new
ones. Where no chore ran for too long (a process that was idle since its start), the request asks.
"""

import hashlib
import time
from collections.abc import Callable
from threading import Lock

from ota_http_server.domain.errors import Refusal, Unauthenticated
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.logs import logger
from ota_http_server.security.claims import Claims
from ota_http_server.security.tokens import Tokens
from ota_http_server.storage.database import Database
from ota_http_server.storage.revocations import Snapshot

LOG = logger("tokens")

# A revocation must hold everywhere within two seconds.
REFRESH_SECONDS = 0.5  # how often the chore asks
LATE_SECONDS = 1.2  # after that long without an answer or a failure, a request asks
PATIENCE_SECONDS = 0.5  # how long a request waits for an answer that somebody else asked for


def credential_of(token: str) -> bytes:
    """What names a token in memory and in rows without holding it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class TokenVerifier:
    """Turns a token into an Identity. One for each process."""

    def __init__(
        self,
        tokens: Tokens,
        database: Database,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._database = database
        self._monotonic = monotonic
        self._away = False
        self._turn = Lock()
        self._began_at = self._tried_at = monotonic()
        with database.probing() as rows:
            self._revoked: Snapshot = rows.revocations.snapshot()

    def verify(self, token: str, now: int) -> tuple[Identity, Claims]:
        """Who this token speaks for; `Unauthenticated` if it does not hold (any more)."""
        claims = self._tokens.verify(token, now)
        credential = credential_of(token)
        if self._is_revoked(claims, credential):
            raise Unauthenticated("the token was revoked")
        return Identity(device_key(claims.subject), claims.project, credential), claims

    def revocations(self) -> int:
        """A number that changes with every revocation; about a second old at most.

        Nobody waits here for a database that does not answer.
        """
        # pylint: disable-next=consider-using-with  # `with` knows no time-out
        if self._is_late() and self._turn.acquire(timeout=self._patience_seconds()):
            try:
                if self._is_late():
                    self._refresh()
            finally:
                self._turn.release()
        return self._revoked.counter

    def is_device_revoked(self, device: str, issued_at: int | None) -> bool:
        """Whether what was issued to it at this second (None: nobody knows when) is dead."""
        revoked_at = self._revoked.devices.get(device)
        return revoked_at is not None and (issued_at is None or issued_at <= revoked_at)

    def refresh(self) -> None:
        """Reads new revocations, if there are any. Keeps what it knows if the database is away."""
        with self._turn:
            self._refresh()

    def _is_late(self) -> bool:
        return self._monotonic() - self._tried_at >= LATE_SECONDS

    def _patience_seconds(self) -> float:
        """Who asked just now has the answer in milliseconds, or the database is away."""
        if not self._turn.locked():
            return PATIENCE_SECONDS
        return max(0.0, self._began_at + PATIENCE_SECONDS - self._monotonic())

    def _refresh(self) -> None:
        self._began_at = self._monotonic()
        try:
            with self._database.probing() as rows:
                if rows.revocations.counter() != self._revoked.counter:
                    self._revoked = rows.revocations.snapshot()
        except Refusal as refusal:
            if not self._away:
                LOG.warning("%s; revocations are as they were last known", refusal.detail)
            self._away = True
        else:
            self._away = False
        finally:
            self._tried_at = self._monotonic()

    def _is_revoked(self, claims: Claims, credential: bytes) -> bool:
        revoked = self._revoked
        if self.is_device_revoked(device_key(claims.subject), claims.issued_at):
            return True
        if f"sha256:{credential.hex()}" in revoked.tokens:
            return True
        return claims.token_id is not None and f"jti:{claims.token_id}" in revoked.tokens
