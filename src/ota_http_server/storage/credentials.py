"""Rows about opaque credentials, of devices and of gateways: their digests only."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Row, delete, insert, select, update

from ota_http_server.storage.counters import Counters
from ota_http_server.storage.revocations import COUNTER
from ota_http_server.storage.schema import credentials


class Kind(StrEnum):
    DEVICE = "device"
    GATEWAY = "gateway"
    """Speaks for every device of its project, and says for which."""


@dataclass(frozen=True, slots=True)
class Credential:
    digest: str
    """SHA-256 in hexadecimal; the credential itself is random enough to need no salt."""
    kind: Kind
    device: str
    """"" for a gateway."""
    project: str
    created_at: int
    created_by: str
    revoked_at: int | None = None


class Credentials:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, digest: str) -> Credential | None:
        query = select(credentials).where(credentials.c.digest == digest)
        row = self._connection.execute(query).first()
        return None if row is None else _credential(row)

    def any(self) -> bool:
        """Whether one was ever given."""
        return self._connection.execute(select(credentials.c.digest).limit(1)).first() is not None

    def of(self, project: str, device: str) -> list[Credential]:
        """All that the device ("" for the project's gateways) was given, the latest first."""
        query = select(credentials).where(
            credentials.c.project == project, credentials.c.device == device
        )
        rows = self._connection.execute(query.order_by(credentials.c.created_at.desc()))
        return [_credential(row) for row in rows]

    def add(self, credential: Credential) -> None:
        self._connection.execute(
            insert(credentials).values(
                digest=credential.digest,
                kind=credential.kind.value,
                device=credential.device,
                project=credential.project,
                created_at=credential.created_at,
                created_by=credential.created_by,
                revoked_at=None,
            )
        )

    def revoke(self, digest: str, at: int) -> bool:
        """Whether it was good until now. Running servers forget their grants of it."""
        return self._revoke(credentials.c.digest == digest, at)

    def revoke_all_of(self, project: str, device: str, at: int) -> bool:
        mine = (credentials.c.project == project) & (credentials.c.device == device)
        return self._revoke(mine, at)

    def starting(self, prefix: str, limit: int) -> list[Credential]:
        """Those whose digest begins so."""
        query = select(credentials).where(credentials.c.digest.startswith(prefix, autoescape=True))
        return [_credential(row) for row in self._connection.execute(query.limit(limit))]

    def of_device(self, device: str) -> list[Credential]:
        """All that a device was given, for whichever project, the latest first."""
        query = select(credentials).where(credentials.c.device == device)
        rows = self._connection.execute(
            query.order_by(credentials.c.created_at.desc(), credentials.c.digest)
        )
        return [_credential(row) for row in rows]

    def forget(self, digests: Iterable[str]) -> None:
        """Drops rows; whatever they were for opens nothing any more."""
        self._connection.execute(delete(credentials).where(credentials.c.digest.in_(list(digests))))
        Counters(self._connection).move(COUNTER)

    def move_device(self, device: str, project: str) -> None:
        """What the device has opens its new project from now on, and the old one no more."""
        self._connection.execute(
            update(credentials).where(credentials.c.device == device).values(project=project)
        )
        Counters(self._connection).move(COUNTER)

    def _revoke(self, which: object, at: int) -> bool:
        changed = self._connection.execute(
            update(credentials)
            .where(which, credentials.c.revoked_at.is_(None))  # type: ignore[arg-type]
            .values(revoked_at=at)
        )
        Counters(self._connection).move(COUNTER)
        return changed.rowcount > 0


def _credential(row: Row[tuple[object, ...]]) -> Credential:
    return Credential(
        row.digest,
        Kind(row.kind),
        row.device,
        row.project,
        row.created_at,
        row.created_by,
        row.revoked_at,
    )
