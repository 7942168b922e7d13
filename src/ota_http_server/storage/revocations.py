"""Rows about tokens that hold no more.

Every change raises one counter, so that all workers of all instances can ask "anything new?"
with one cheap query and read the rest only then.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from ota_http_server.domain.identity import device_key
from ota_http_server.storage.counters import Counters
from ota_http_server.storage.schema import revoked_devices, revoked_tokens
from ota_http_server.storage.upserts import insert_into

COUNTER = "revocations"
LIFE_SECONDS_MAX = 366 * 24 * 3600
"""Longer than any configured life of a token (525,600 minutes, and a foreign clock ahead)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All revocations at the time when the counter stood here."""

    counter: int
    tokens: frozenset[str]
    """"jti:<id>" or "sha256:<hex>"."""
    devices: Mapping[str, int]
    """Tokens of this device issued up to this second are dead."""


class Revocations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def revoke_token(self, key: str, at: int, until: int) -> None:
        """Revokes one token; the row may go after `until`, when the token has expired anyway."""
        statement = insert_into(self._connection, revoked_tokens, token=key, at=at, until=until)
        new = statement.excluded
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[revoked_tokens.c.token],
                set_={"until": new.until},
                where=new.until > revoked_tokens.c.until,
            )
        )
        Counters(self._connection).move(COUNTER)

    def revoke_device(self, device: str, at: int) -> None:
        """Revokes what the device was issued up to this second; it never moves backwards."""
        statement = insert_into(self._connection, revoked_devices, device=device, at=at)
        new = statement.excluded
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=[revoked_devices.c.device],
                set_={"at": new.at},
                where=new.at > revoked_devices.c.at,
            )
        )
        Counters(self._connection).move(COUNTER)

    def counter(self) -> int:
        """Grows with every revocation; 0 before the first."""
        return Counters(self._connection).get(COUNTER)

    def snapshot(self) -> Snapshot:
        # The counter first: a revocation that comes in between is then read twice, never missed.
        counter = self.counter()
        tokens = frozenset(self._connection.scalars(select(revoked_tokens.c.token)))
        rows = self._connection.execute(select(revoked_devices))
        devices: dict[str, int] = {}
        for row in rows:
            device = device_key(row.device)  # rows of 1.0 have a MAC as it was written
            devices[device] = max(row.at, devices.get(device, 0))
        return Snapshot(counter, tokens, devices)

    def device_revoked_at(self, device: str) -> int | None:
        return self._connection.scalar(
            select(revoked_devices.c.at).where(revoked_devices.c.device == device)
        )

    def forget_expired(self, now: int) -> None:
        """Drops what covers expired tokens only. Nothing changes for anybody: no new count."""
        self._connection.execute(delete(revoked_tokens).where(revoked_tokens.c.until < now))
        self._connection.execute(
            delete(revoked_devices).where(revoked_devices.c.at < now - LIFE_SECONDS_MAX)
        )
