"""Claim codes: an operator gives one, a device turns it into its first credential.

A use belongs to the device that made it. One that lost the answer may ask again within the code's
life: it takes no second place, and what it was given before is revoked. It may do so until it is
seen with what it was given, and only so often; then the code is worth nothing to whoever has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ota_http_server.domain.claim import (
    DEVICES_MAX,
    EXPIRES_SECONDS_MAX,
    EXPIRES_SECONDS_MIN,
    EXPIRES_SECONDS_USUAL,
    LABEL_CHARACTERS_MAX,
    Claim,
)
from ota_http_server.domain.device import Device, tags_of
from ota_http_server.domain.errors import Conflict, Invalid, NotFound
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.release import channel_name
from ota_http_server.security.claim_codes import ClaimCodes
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

CLAIMS_MAX = 10_000  # that could let somebody in, of one project


@dataclass(frozen=True, slots=True)
class ClaimWish:
    """What is asked for."""

    project: str
    devices: int
    label: str
    expires_at: int | None
    """In unix seconds; None: after the usual time."""
    channel: str | None
    tags: tuple[str, ...]

    @classmethod
    def of(
        cls,
        project: str,
        devices: int = 1,
        *,
        label: str = "",
        expires_at: int | None = None,
        channel: str | None = None,
        tags: Sequence[str] = (),
    ) -> "ClaimWish":
        """The wish that these words from outside express, or `Invalid`."""
        if isinstance(devices, bool) or not 1 <= devices <= DEVICES_MAX:
            raise Invalid(f"a code is for 1 to {DEVICES_MAX:,} devices")
        if len(label) > LABEL_CHARACTERS_MAX or not label.isprintable():
            raise Invalid(f"label must have at most {LABEL_CHARACTERS_MAX} printable characters")
        followed = channel_name(channel) if channel else None
        return cls(project_name(project), devices, label, expires_at, followed, tags_of(tags))


@dataclass(frozen=True, slots=True)
class GivenClaim:
    """A new claim, with its code."""

    claim: Claim
    code: str = field(repr=False)


class Claims:
    """The operations of people."""

    def __init__(self, database: Database, codes: ClaimCodes) -> None:
        self._database = database
        self._codes = codes

    def create(self, operator: Operator, wish: ClaimWish) -> GivenClaim:
        """A new code; it is told this once."""
        operator.must(Role.OPERATOR, wish.project)
        code = self._codes.new()
        digest = self._codes.digest(code) or ""

        def created(tx: Writing) -> Claim:
            if tx.claims.count_good(wish.project, tx.second) >= CLAIMS_MAX:
                raise Conflict(f"there are {CLAIMS_MAX:,} good codes of this project already")
            claim = tx.claims.add(
                Claim(
                    id=0,
                    digest=digest,
                    project=wish.project,
                    label=wish.label,
                    uses_max=wish.devices,
                    expires_at=_end(wish.expires_at, tx.second),
                    channel=wish.channel,
                    tags=wish.tags,
                    created_at=tx.second,
                    created_by=operator.name,
                )
            )
            _note(tx, "create_claim", operator, claim)
            return claim

        return GivenClaim(self._database.change(created), code)

    def revoke(self, operator: Operator, number: int) -> Claim:
        """Nobody comes in by it any more; who did stays. Again is no error, and no event."""
        operator.must(Role.OPERATOR, operator.project)

        def revoked(tx: Writing) -> Claim:
            claim = tx.claims.get(number)
            if claim is None or not operator.may_see(claim.project):
                raise NotFound("there is no such claim")
            if tx.claims.revoke(number, tx.second):
                _note(tx, "revoke_claim", operator, claim)
            return tx.claims.get(number) or claim

        return self._database.change(revoked)


def claimed_device(claim: Claim, device: Device, at: int) -> Device:
    """The device as it comes into the registry by this claim."""
    return replace(
        device,
        channel=claim.channel,
        tags=claim.tags,
        created_at=at,
        created_by=claim.name,
    )


def _end(expires_at: int | None, now: int) -> int:
    end = now + EXPIRES_SECONDS_USUAL if expires_at is None else expires_at
    if not EXPIRES_SECONDS_MIN <= end - now <= EXPIRES_SECONDS_MAX:
        days = EXPIRES_SECONDS_MAX // (24 * 3600)
        raise Invalid(f"a code holds from a minute to {days} days")
    return end


def _note(tx: Writing, action: str, operator: Operator, claim: Claim) -> None:
    tx.events.add(
        action,
        IP=operator.address,
        project=claim.project,
        exp=claim.expires_at,
        actor=operator.name,
        claim=claim.name,
        count=claim.uses_max,
    )
