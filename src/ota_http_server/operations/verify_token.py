"""Verifying a token: its signature and claims, and that nobody took it back.

The revocations are kept in memory as a snapshot, so that a check reads no row and goes on while
the database is away. Every half second at most one cheap query asks whether there are new ones.
"""

import hashlib
import time
from collections.abc import Callable

from ota_http_server.domain.errors import Unauthenticated, Unavailable
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.logs import logger
from ota_http_server.security.claims import Claims
from ota_http_server.security.tokens import Tokens
from ota_http_server.storage.database import Database
from ota_http_server.storage.revocations import Snapshot

LOG = logger("tokens")

REFRESH_SECONDS = 0.5  # a revocation must hold everywhere within two seconds


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
        self._refreshed_at = monotonic()
        self._away = False
        with database.reading() as rows:
            self._revoked: Snapshot = rows.revocations.snapshot()

    def verify(self, token: str, now: int) -> tuple[Identity, Claims]:
        """Who this token speaks for; `Unauthenticated` if it does not hold (any more)."""
        claims = self._tokens.verify(token, now)
        credential = credential_of(token)
        if self._is_revoked(claims, credential):
            raise Unauthenticated("the token was revoked")
        return Identity(claims.subject, claims.project, credential), claims

    def revocations(self) -> int:
        """A number that changes with every revocation; half a second old at most."""
        now = self._monotonic()
        if now - self._refreshed_at >= REFRESH_SECONDS:
            self._refreshed_at = now
            self.refresh()
        return self._revoked.counter

    def refresh(self) -> None:
        """Reads new revocations, if there are any. Keeps what it knows if the database is away."""
        try:
            with self._database.reading() as rows:
                if rows.revocations.counter() != self._revoked.counter:
                    self._revoked = rows.revocations.snapshot()
        except Unavailable:
            if not self._away:
                LOG.warning("the database is away; revocations are as they were last known")
            self._away = True
            return
        self._away = False

    def _is_revoked(self, claims: Claims, credential: bytes) -> bool:
        revoked = self._revoked
        device_revoked_at = revoked.devices.get(device_key(claims.subject))
        if device_revoked_at is not None and (
            claims.issued_at is None or claims.issued_at <= device_revoked_at
        ):
            return True
        if f"sha256:{credential.hex()}" in revoked.tokens:
            return True
        return claims.token_id is not None and f"jti:{claims.token_id}" in revoked.tokens
