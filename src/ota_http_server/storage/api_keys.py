"""Rows about API keys: their names, digests and what each may do. A name is never given twice."""

from sqlalchemy import Connection, Row, func, insert, select, update

from ota_http_server.domain.api_key import ApiKey
from ota_http_server.domain.operator import Role
from ota_http_server.storage.counters import KEYS, Counters
from ota_http_server.storage.schema import api_keys
from ota_http_server.storage.turns import Turn, take_turn


class ApiKeys:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_turn(self) -> None:
        """From here to the end of the transaction nobody else gives a key."""
        take_turn(self._connection, Turn.GIVING_KEYS)

    def get(self, name: str) -> ApiKey | None:
        row = self._connection.execute(select(api_keys).where(api_keys.c.name == name)).first()
        return None if row is None else _key(row)

    def page(self, project: str | None, after: str, limit: int) -> list[ApiKey]:
        """The next keys by name, revoked ones too; `project` None: whatever they are for."""
        query = select(api_keys).where(api_keys.c.name > after)
        if project is not None:
            query = query.where(api_keys.c.project == project)
        rows = self._connection.execute(query.order_by(api_keys.c.name).limit(limit))
        return [_key(row) for row in rows]

    def unrevoked(self) -> list[ApiKey]:
        """Those that nobody took back, expired ones too."""
        query = select(api_keys).where(api_keys.c.revoked_at.is_(None))
        return [_key(row) for row in self._connection.execute(query)]

    def count(self) -> int:
        return self._connection.scalar(select(func.count()).select_from(api_keys)) or 0

    def add(self, key: ApiKey) -> None:
        self._connection.execute(
            insert(api_keys).values(
                name=key.name,
                digest=key.digest,
                role=key.role.word,
                project=key.project,
                created_at=key.created_at,
                created_by=key.created_by,
                expires_at=key.expires_at,
                revoked_at=None,
            )
        )
        Counters(self._connection).move(KEYS)

    def revoke(self, name: str, at: int) -> bool:
        """Whether it was good until now."""
        changed = self._connection.execute(
            update(api_keys)
            .where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
            .values(revoked_at=at)
        )
        Counters(self._connection).move(KEYS)
        return changed.rowcount > 0


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(
        name=row.name,
        digest=row.digest,
        role=Role[row.role.upper()],
        project=row.project,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
