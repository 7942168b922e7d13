"""Minting for a device whose key was accepted: a short token, or a credential that lasts.

The device signs a fresh challenge of ours each time. It may ask a few times a minute; each token
is written down, and a board in a loop must not fill the audit log.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from ota_http_server.domain.device_key import DeviceKey, KeyState
from ota_http_server.domain.errors import TooMany, Unauthenticated
from ota_http_server.operations.ask_with_key import SignedWords
from ota_http_server.operations.issue_credential import IssuedCredential, issued
from ota_http_server.operations.mint_token import DEFAULT_FIRMWARE, issued_at_for
from ota_http_server.operations.per_minute import PerMinute
from ota_http_server.operations.verify_token import TokenVerifier
from ota_http_server.security.challenges import Challenges
from ota_http_server.security.credentials import Opaque
from ota_http_server.security.device_signatures import public_key
from ota_http_server.security.tokens import Tokens
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

LIFETIME_MINUTES_MAX = 60  # the key is there to get the next one
MINTED_A_MINUTE_MAX = 6  # of one device: one that restarts in a loop
DEVICES_MAX = 60_000


@dataclass(frozen=True, slots=True)
class MintedWithKey:
    """A short token."""

    token: str = field(repr=False)
    expires_at: datetime


class MintWithKey:
    """The operation; one for each process."""

    def __init__(
        self,
        database: Database,
        challenges: Challenges,
        tokens: Tokens,
        opaque: Opaque,
        verifier: TokenVerifier,
        *,
        lifetime_minutes: int,
    ) -> None:
        self._database = database
        self._challenges = challenges
        self._tokens = tokens
        self._opaque = opaque
        self._verifier = verifier
        self._lifetime_seconds = min(lifetime_minutes, LIFETIME_MINUTES_MAX) * 60
        self._minted: PerMinute[str] = PerMinute(MINTED_A_MINUTE_MAX, DEVICES_MAX)

    def token(self, words: SignedWords, address: str) -> MintedWithKey:
        """Raises `Unauthenticated` unless an accepted key of this device signed."""
        key = self._proven(words)

        def minted(tx: Writing) -> tuple[str, int]:
            _still_accepted(tx, key)
            issued_at = issued_at_for(tx, key.device)
            token, _ = self._tokens.mint(
                key.device, key.project, self._lifetime_seconds, DEFAULT_FIRMWARE, issued_at
            )
            expires_at = issued_at + self._lifetime_seconds
            tx.events.add(
                "generate_token",
                IP=address or None,
                device=key.device,
                project=key.project,
                exp=expires_at,
                actor=key.name,
            )
            return token, expires_at

        token, expires_at = self._database.change(minted)
        return MintedWithKey(token, datetime.fromtimestamp(expires_at, UTC))

    def credential(self, words: SignedWords, address: str) -> IssuedCredential:
        """The same for a credential that lasts; the one that it got before ends."""
        key = self._proven(words)
        text = self._opaque.new_credential()

        def given(tx: Writing) -> IssuedCredential:
            _still_accepted(tx, key)
            mine = [
                one
                for one in tx.credentials.of_device(key.device)
                if one.created_by == key.name and one.revoked_at is None
            ]
            for former in mine:
                tx.credentials.revoke(former.digest, tx.second)
            credential = issued(tx, text, key.device, key.project, key.name, address or None)
            return IssuedCredential(credential, text, not mine)

        result = self._database.change(given)
        self._verifier.refresh()
        return result

    def _proven(self, words: SignedWords) -> DeviceKey:
        """The accepted key that signed; the device has not asked too often."""
        now = int(self._database.clock().timestamp())
        self._challenges.check(words.challenge, now)
        device = words.device_key
        with self._database.reading() as rows:
            keys = rows.device_keys.of_device(words.project, device, KeyState.ACCEPTED)
        if not keys:
            raise Unauthenticated("no key of this device was accepted")
        key = keys[0]
        words.check(public_key(key.public_key))
        if wait := self._minted.wait_seconds(device, now):
            raise TooMany("this device asks for tokens too often", wait)
        return key


def _still_accepted(tx: Writing, key: DeviceKey) -> None:
    """Under the lock: nobody rejected the key or blocked the device meanwhile."""
    tx.devices.lock(key.device)
    device, now = tx.devices.get(key.device), tx.device_keys.get(key.fingerprint)
    if now is None or now.state is not KeyState.ACCEPTED:
        raise Unauthenticated("the key was taken back")
    if device is None or device.blocked or device.project != key.project:
        raise Unauthenticated("the device is blocked, or not in the registry")
