"""Revoking: one token by its id or its text, or every token a device has so far."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ota_http_server.domain.errors import Invalid, Unauthenticated
from ota_http_server.domain.identity import device_key
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.operations.verify_token import TokenVerifier, credential_of
from ota_http_server.security.claims import Claims
from ota_http_server.security.tokens import Tokens
from ota_http_server.storage.database import Database
from ota_http_server.storage.revocations import LIFE_SECONDS_MAX
from ota_http_server.storage.transaction import Writing

TOKEN_ID_CHARACTERS_MAX = 128  # as long as a verified token's jti may be
TOKEN_CHARACTERS_MAX = 4096  # as long as a token may be at all


@dataclass(frozen=True, slots=True)
class Revoked:
    """What was revoked, since when, and what the caller should know."""

    what: str
    at: datetime
    warning: str | None


class RevokeToken:
    """The operation. After it returns, the process that did it refuses.

    The others, further workers of the same server too, do so as soon as they ask for news: within
    a second or so, two at most. Who is for one project alone revokes what is known to be of it.
    """

    def __init__(self, database: Database, tokens: Tokens, verifier: TokenVerifier) -> None:
        self._database = database
        self._tokens = tokens
        self._verifier = verifier

    def by_id(self, operator: Operator, token_id: str) -> Revoked:
        operator.must(Role.OPERATOR, None)
        if not 1 <= len(token_id) <= TOKEN_ID_CHARACTERS_MAX or not token_id.isprintable():
            raise Invalid(f"jti must be 1 to {TOKEN_ID_CHARACTERS_MAX} printable characters")

        def revoked(tx: Writing) -> datetime:
            tx.revocations.revoke_token(
                f"jti:{token_id}", at=tx.second, until=tx.second + LIFE_SECONDS_MAX
            )
            tx.events.add("revoke_token", IP=operator.address, jti=token_id, actor=operator.name)
            return tx.now

        return self._done("jti", revoked_at=self._database.change(revoked))

    def by_token(self, operator: Operator, token: str) -> Revoked:
        """By the digest of its text, whatever its claims say; it is not kept."""
        if not 1 <= len(token) <= TOKEN_CHARACTERS_MAX:
            raise Invalid(f"token must have 1 to {TOKEN_CHARACTERS_MAX} characters")
        claims, warning = self._claims(token)
        operator.must(Role.OPERATOR, claims.project if claims else None)
        credential = credential_of(token).hex()

        def revoked(tx: Writing) -> datetime:
            until = claims.expires_at if claims else tx.second + LIFE_SECONDS_MAX
            tx.revocations.revoke_token(f"sha256:{credential}", at=tx.second, until=until)
            tx.events.add(
                "revoke_token",
                IP=operator.address,
                device=claims.subject if claims else None,
                project=claims.project if claims else None,
                exp=claims.expires_at if claims else None,
                jti=claims.token_id if claims else None,
                sha256=credential,
                actor=operator.name,
            )
            return tx.now

        return self._done("token", revoked_at=self._database.change(revoked), warning=warning)

    def by_device(self, operator: Operator, device_id: str) -> Revoked:
        """All its tokens so far; those minted from now on work."""
        device = device_key(device_id)
        operator.must(Role.OPERATOR, operator.project)

        def revoked(tx: Writing) -> datetime:
            known = tx.devices.get(device)
            operator.must(Role.OPERATOR, known.project if known else None)
            tx.revocations.revoke_device(device, at=tx.second)
            tx.events.add("revoke_token", IP=operator.address, device=device, actor=operator.name)
            return tx.now

        return self._done("device_id", revoked_at=self._database.change(revoked))

    def _claims(self, token: str) -> tuple[Claims | None, str | None]:
        now = int(self._database.clock().timestamp())
        try:
            return self._tokens.verify(token, now), None
        except Unauthenticated:
            return None, "this token was not valid here anyway"

    def _done(self, what: str, *, revoked_at: datetime, warning: str | None = None) -> Revoked:
        self._verifier.refresh()
        return Revoked(what, revoked_at.astimezone(UTC).replace(microsecond=0), warning)
