"""Verifying whatever a device shows: a JWT, an opaque credential or a download ticket.

All three end in an Identity. What a stranger makes up is refused without a look at the database.
"""

from dataclasses import dataclass

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.domain.identity import Identity, device_key
from ota_http_server.operations.verify_token import TokenVerifier, credential_of
from ota_http_server.security.credentials import Opaque
from ota_http_server.storage.credentials import Kind
from ota_http_server.storage.database import Database

BELIEVED_SECONDS = 3_600  # a revocation moves the counter, so only memory is saved by less


@dataclass(frozen=True, slots=True)
class Validity:
    """Until when what was verified holds, unless it is revoked (unix seconds)."""

    expires_at: int


class CredentialVerifier:
    """One for each process."""

    def __init__(self, tokens: TokenVerifier, opaque: Opaque, database: Database) -> None:
        self._tokens = tokens
        self._opaque = opaque
        self._database = database
        self.revocations = tokens.revocations

    def verify(self, text: str, now: int) -> tuple[Identity, Validity]:
        """Who this speaks for; `Unauthenticated` if it does not hold (any more)."""
        if not self._opaque.may_be_credential(text):
            identity, claims = self._tokens.verify(text, now)
            return identity, Validity(claims.expires_at)
        digest = credential_of(text)
        with self._database.reading() as rows:
            row = rows.credentials.get(digest.hex())
        if row is None or row.revoked_at is not None:
            raise Unauthenticated("the credential is not known, or was revoked")
        identity = Identity(row.device, row.project, digest, is_gateway=row.kind is Kind.GATEWAY)
        return identity, Validity(now + BELIEVED_SECONDS)

    def read_ticket(self, text: str, project: str, digest_start: str, now: int) -> Identity:
        """Who this ticket was made for; it opens the one image whose digest begins so."""
        ticket = self._opaque.read_ticket(text, project, digest_start, now)
        if ticket.device and self._tokens.is_device_revoked(
            device_key(ticket.device), ticket.issued_at
        ):
            raise Unauthenticated("the device was revoked")
        return Identity(ticket.device, project, credential_of(text), sha256_start=digest_start)
