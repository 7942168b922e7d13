"""Minting: a short-lived token for one device and one project, written down before it is given.

The device comes into the registry with it, unless it is there.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.errors import Conflict, Invalid, Unavailable
from ota_http_server.domain.identity import canonical_device_id, project_name
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.sighting import Sighting
from ota_http_server.operations.collect import Collection
from ota_http_server.operations.register_device import found_or_registered
from ota_http_server.security.claims import CLOCK_SKEW_SECONDS_MAX
from ota_http_server.security.tokens import Tokens
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

DEFAULT_FIRMWARE = "1.0.0"  # what the brief's server says of a device that did not tell
FIRMWARE_CHARACTERS_MAX = 64  # twice what an ESP-IDF descriptor holds

# ESP-IDF's default transmit buffer has 512 bytes; measured on five releases, a Bearer token of
# 485 characters and a path with query of 459 are the longest that fit.
BEARER_CHARACTERS_MAX = 485
PATH_CHARACTERS_MAX = 459
TRANSMIT_BUFFER_BYTES = 512
USUAL_FILE_CHARACTERS = 32  # of a project without files yet


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What is asked for. Values are right by construction, except the lifetime's upper end."""

    device_id: str
    project: str
    lifetime_minutes: int
    firmware: str
    runs: str | None = None
    """What the device runs, if anybody said so."""

    @classmethod
    def of(
        cls,
        device_id: object,
        project: object,
        lifetime_minutes: object,
        firmware: object = None,
        *,
        lifetime_minutes_max: int,
    ) -> "TokenWish":
        """The wish that these words from outside express, or `Invalid`."""
        if not isinstance(device_id, str) or not isinstance(project, str):
            raise Invalid("device_id and project are needed, both as text")
        runs = None if firmware is None else _firmware(firmware)
        return cls(
            canonical_device_id(device_id),
            project_name(project),
            _minutes(lifetime_minutes, lifetime_minutes_max),
            runs or DEFAULT_FIRMWARE,
            runs,
        )


@dataclass(frozen=True, slots=True)
class Minted:
    """A token, its claims, and what the caller should know."""

    token: str = field(repr=False)
    payload: dict[str, object]
    expires_at: datetime
    warning: str | None


class MintToken:
    """The operation; `url_prefix` is the path under which firmware is served."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        collection: Collection,
        url_prefix: str,
        *,
        devices_max: int,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._collection = collection
        self._url_prefix = url_prefix
        self._devices_max = devices_max

    def __call__(self, operator: Operator, wish: TokenWish) -> Minted:
        """Mints, and writes the event in one transaction: no token without its row.

        Raises `Conflict` if the device is revoked up to a moment that is still to come.
        """
        operator.must(Role.OPERATOR, wish.project)

        def minted(tx: Writing) -> tuple[str, dict[str, object], int, str | None]:
            note = self._registered(tx, operator, wish)
            issued_at = issued_at_for(tx, wish.device_id)
            expires_at = issued_at + wish.lifetime_minutes * 60
            token, payload = self._tokens.mint(
                wish.device_id,
                wish.project,
                wish.lifetime_minutes * 60,
                wish.firmware,
                issued_at,
            )
            tx.events.add(
                "generate_token",
                IP=operator.address,
                device=wish.device_id,
                project=wish.project,
                exp=expires_at,
                actor=operator.name,
            )
            return token, payload, expires_at, note

        token, payload, expires_at, note = self._database.change(minted)
        warning = "; ".join(filter(None, (note, self._warning(wish.project, token)))) or None
        return Minted(token, payload, datetime.fromtimestamp(expires_at, UTC), warning)

    def _registered(self, tx: Writing, operator: Operator, wish: TokenWish) -> str | None:
        """Puts the device into the registry; what there is to say if it cannot be, or is not so."""
        version = Sighting.of(version=wish.runs).version
        new = Device(
            id=wish.device_id,
            project=wish.project,
            version=version,
            version_from=VersionFrom.OPERATOR if version else None,
            running_since=tx.second if version else None,
            created_at=tx.second,
            created_by="token",
        )
        try:
            device, _ = found_or_registered(tx, new, self._devices_max)
        except Unavailable as full:  # the token is good all the same
            return full.detail
        if device.project == wish.project:
            return None
        other = device.project if operator.may_see(device.project) else "another project"
        return f"the device is registered for {other}: nothing of {wish.project} is offered to it"

    def _warning(self, project: str, token: str) -> str | None:
        said, names = [], None
        try:
            names = self._collection.names(project)
            if names is None:
                said.append(f"there is no folder for project {project} yet")
        except Unavailable as away:  # the token is written down and good all the same
            said.append(away.detail)
        longest = max(map(len, names or ()), default=USUAL_FILE_CHARACTERS)
        path = len(f"{self._url_prefix}{project}/?token={token}") + longest
        if len(token) > BEARER_CHARACTERS_MAX:
            said.append(
                "the token does not fit ESP-IDF's default transmit buffer: set buffer_size_tx to"
                f" {len(token) - BEARER_CHARACTERS_MAX + TRANSMIT_BUFFER_BYTES} or more"
            )
        if path > PATH_CHARACTERS_MAX:
            said.append(
                "as ?token= the URL does not fit ESP-IDF's default transmit buffer: set"
                f" buffer_size_tx to {path - PATH_CHARACTERS_MAX + TRANSMIT_BUFFER_BYTES} or more,"
                " or send the token as a Bearer header"
            )
        return "; ".join(said) or None


def issued_at_for(tx: Writing, device_id: str) -> int:
    """Now, or after the last second that the device's revocation covers."""
    revoked_at = tx.revocations.device_revoked_at(device_id)
    if revoked_at is None or revoked_at < tx.second:
        return tx.second
    issued_at = revoked_at + 1
    if issued_at > tx.second + CLOCK_SKEW_SECONDS_MAX:
        # Such a token would be refused as issued in the future, on every instance.
        until = datetime.fromtimestamp(revoked_at, UTC).isoformat()
        raise Conflict(
            f"device {device_id} is revoked up to {until}, which is still to come: a clock was"
            " wrong then, or is now. No token can hold before; the page on revoking tells how to"
            " lift it"
        )
    return issued_at


def _minutes(value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise Invalid(f"expires_minutes must be a whole number from 1 to {most}")
    return value


def _firmware(value: object) -> str:
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= FIRMWARE_CHARACTERS_MAX
        or not (value.isascii() and value.isprintable())
    ):
        raise Invalid(
            f"current_fw must be 1 to {FIRMWARE_CHARACTERS_MAX} printable ASCII characters"
        )
    return value
