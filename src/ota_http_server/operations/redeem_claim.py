"""Redeeming a claim code: whoever has it becomes a device of its project, with a credential.

A wrong code, one that has expired, is used up or was revoked, and one that may not make this
device: all are refused alike, and nothing is written. A guess costs no look at the database.
"""

from ota_http_server.domain.claim import Claim
from ota_http_server.domain.device import Device
from ota_http_server.domain.device_key import KeyState
from ota_http_server.domain.errors import TooMany, Unauthenticated
from ota_http_server.domain.identity import enrolled_id
from ota_http_server.domain.observation import told
from ota_http_server.domain.sighting import NOTHING_SAID, Sighting
from ota_http_server.operations.claim import claimed_device
from ota_http_server.operations.issue_credential import IssuedCredential, issued
from ota_http_server.operations.news import News
from ota_http_server.operations.per_minute import PerMinute
from ota_http_server.operations.register_device import found_or_registered, is_free
from ota_http_server.operations.registry import Registry
from ota_http_server.operations.slow_guessing import network_of
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.security.claim_codes import ClaimCodes
from ota_http_server.security.credentials import Opaque
from ota_http_server.storage.credentials import Credential
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading, Writing

GIVEN_MAX = 8  # credentials of one claim to one device: its first, and answers that were lost
WRONG_A_MINUTE_MAX = 60  # of one network, a factory's too; right codes are always taken
NETWORKS_MAX = 4_096


class RedeemClaim:
    """The operation; one for each process."""

    def __init__(
        self,
        database: Database,
        codes: ClaimCodes,
        opaque: Opaque,
        news: News,
        registry: Registry,
        verifier: TokenVerifier,
        *,
        devices_max: int,
    ) -> None:
        self._database = database
        self._codes = codes
        self._opaque = opaque
        self._news = news
        self._registry = registry
        self._verifier = verifier
        self._devices_max = devices_max
        self._wrong: PerMinute[str] = PerMinute(WRONG_A_MINUTE_MAX, NETWORKS_MAX)

    def __call__(
        self, code: object, device_id: object, sighting: Sighting = NOTHING_SAID, address: str = ""
    ) -> IssuedCredential:
        """The device's credential. `is_first`: it took a place of the claim for it.

        Raises `Unauthenticated`, or `TooMany` where a network is wrong all the time.
        """
        device = enrolled_id(device_id)
        try:
            return self._redeemed(code, device, sighting, address)
        except Unauthenticated as refusal:
            now = int(self._database.clock().timestamp())
            if wait := self._wrong.wait_seconds(network_of(address), now):
                raise TooMany("too many wrong claim codes from this network", wait) from refusal
            raise

    def _redeemed(
        self, code: object, device: str, sighting: Sighting, address: str
    ) -> IssuedCredential:
        digest = self._codes.digest(code) if isinstance(code, str) else None
        if digest is None:
            raise Unauthenticated("no claim code of ours")
        with self._database.reading() as rows:  # most that are refused need no lock
            claim = _standing(rows.claims.with_digest(digest), rows.second)
            _check(rows, claim, rows.devices.get(device), device)
        text = self._opaque.new_credential()

        def redeemed(tx: Writing) -> IssuedCredential:
            claim = _standing(tx.claims.with_digest(digest, lock=True), tx.second)
            new = Device(id=device, project=claim.project, address=address[:64] or None)
            new = told(new, sighting, None, tx.second)
            found, is_new = found_or_registered(
                tx, claimed_device(claim, new, tx.second), self._devices_max
            )
            before = _check(tx, claim, None if is_new else found, device)
            if not before:
                tx.claims.use(claim.id)
            for one in before:
                if one.revoked_at is None:
                    tx.credentials.revoke(one.digest, tx.second)
            credential = issued(tx, text, device, claim.project, claim.name, address or None)
            return IssuedCredential(credential, text, not before)

        result = self._database.change(redeemed)
        if not result.is_first:
            self._verifier.refresh()
        self._news.refresh()
        self._registry.forget(device)
        return result


def _standing(claim: Claim | None, now: int) -> Claim:
    if claim is None:
        raise Unauthenticated("no such claim")
    if not claim.holds(now):
        raise Unauthenticated(f"{claim.name} has expired or was revoked")
    return claim


def _check(rows: Reading, claim: Claim, device: Device | None, device_id: str) -> list[Credential]:
    """What the claim gave this device before; `Unauthenticated` if it gives it nothing (more)."""
    if device is not None and (device.project != claim.project or device.blocked):
        raise Unauthenticated(f"{device_id} is blocked, or not of {claim.name}'s project")
    has = rows.credentials.of_device(device_id)
    given = [one for one in has if one.created_by == claim.name]
    if device is not None and given:
        if not _lost_the_answer(rows, device, has, given):
            raise Unauthenticated(f"{claim.name} gave {device_id} a credential already")
        return given
    if not claim.has_room:
        raise Unauthenticated(f"{claim.name} is used up")
    if device is not None and not is_free(rows, device):
        raise Unauthenticated(f"{claim.name} cannot take {device_id} over")
    return []


def _lost_the_answer(
    rows: Reading, device: Device, has: list[Credential], given: list[Credential]
) -> bool:
    """Whether it can only be the device itself that asks again for what the claim gave it."""
    first_at = min(one.created_at for one in given)
    came_since = device.last_seen is not None and device.last_seen >= first_at
    # None: somebody took back what the claim gave. Others: it has more than that by now.
    good = [one for one in has if one.revoked_at is None]
    has_that_alone = bool(good) and all(one in given for one in good)
    keys = rows.device_keys.of_device(device.project, device.id, KeyState.ACCEPTED)
    return has_that_alone and not came_since and not keys and len(given) < GIVEN_MAX
