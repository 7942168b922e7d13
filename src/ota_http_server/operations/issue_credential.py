"""Writing down a new opaque credential, in whatever transaction; its text is told once."""

from dataclasses import dataclass, field

from ota_http_server.domain.errors import Conflict
from ota_http_server.operations.verify_token import credential_of
from ota_http_server.storage.credentials import Credential, Kind
from ota_http_server.storage.transaction import Writing

LIVE_MAX = 16  # good at a time, of one device or of a project's gateways: rotation needs two
REVOKED_KEPT = 16  # of one device: who looks wants to see the latest
NAME_CHARACTERS = 16  # of a digest: what people and the audit call a credential by


@dataclass(frozen=True, slots=True)
class IssuedCredential:
    """A new credential, with its text."""

    credential: Credential
    text: str = field(repr=False)
    is_first: bool
    """The device came into the registry with it, or at least took a place of its claim."""
    warning: str | None = None


def issued(
    tx: Writing, text: str, device: str, project: str, by: str, address: str | None
) -> Credential:
    """The row of it, and its event. `device` "": it is a gateway's."""
    mine = tx.credentials.of(project, device)
    if sum(one.revoked_at is None for one in mine) >= LIVE_MAX:
        raise Conflict(f"there are {LIVE_MAX} good credentials already: revoke one first")
    old = [one.digest for one in mine if one.revoked_at is not None]
    if len(old) > REVOKED_KEPT:
        tx.credentials.forget(old[REVOKED_KEPT:])
    digest = credential_of(text).hex()
    kind = Kind.DEVICE if device else Kind.GATEWAY
    credential = Credential(digest, kind, device, project, tx.second, by)
    tx.credentials.add(credential)
    tx.events.add(
        "issue_credential",
        IP=address,
        device=device or None,
        project=project,
        actor=by,
        credential=digest[:NAME_CHARACTERS],
    )
    return credential
