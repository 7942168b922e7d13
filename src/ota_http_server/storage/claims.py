"""Rows about claim codes: their digests only, and how many devices each has let in."""

import json

from sqlalchemy import Connection, Row, func, insert, select, update

from ota_http_server.domain.claim import Claim
from ota_http_server.storage.schema import claims


class Claims:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, number: int) -> Claim | None:
        row = self._connection.execute(select(claims).where(claims.c.id == number)).first()
        return None if row is None else _claim(row)

    def with_digest(self, digest: str, *, lock: bool = False) -> Claim | None:
        """`lock`: from here to the end of the transaction nobody else uses or revokes it."""
        query = select(claims).where(claims.c.digest == digest)
        row = self._connection.execute(query.with_for_update() if lock else query).first()
        return None if row is None else _claim(row)

    def page(self, project: str | None, after: int, limit: int) -> list[Claim]:
        """The next claims by number, whatever became of them; `project` None: of all."""
        query = select(claims).where(claims.c.id > after)
        if project is not None:
            query = query.where(claims.c.project == project)
        rows = self._connection.execute(query.order_by(claims.c.id).limit(limit))
        return [_claim(row) for row in rows]

    def count_good(self, project: str, now: int) -> int:
        """How many of the project could still let somebody in."""
        good = (claims.c.revoked_at.is_(None), claims.c.expires_at > now)
        query = select(func.count()).select_from(claims)
        return self._connection.scalar(query.where(claims.c.project == project, *good)) or 0

    def add(self, claim: Claim) -> Claim:
        """The claim with its number."""
        number = self._connection.scalar(
            insert(claims)
            .values(
                digest=claim.digest,
                project=claim.project,
                label=claim.label,
                uses=0,
                uses_max=claim.uses_max,
                expires_at=claim.expires_at,
                channel=claim.channel,
                tags=json.dumps(claim.tags),
                created_at=claim.created_at,
                created_by=claim.created_by,
                revoked_at=None,
            )
            .returning(claims.c.id)
        )
        added = self.get(number or 0)
        assert added is not None
        return added

    def use(self, number: int) -> None:
        """One more device came in by it. Whoever calls holds the lock, and saw that it has room."""
        self._connection.execute(
            update(claims).where(claims.c.id == number).values(uses=claims.c.uses + 1)
        )

    def revoke(self, number: int, at: int) -> bool:
        """Whether nobody revoked it before."""
        changed = self._connection.execute(
            update(claims)
            .where(claims.c.id == number, claims.c.revoked_at.is_(None))
            .values(revoked_at=at)
        )
        return changed.rowcount > 0


def _claim(row: Row[tuple[object, ...]]) -> Claim:
    return Claim(
        id=row.id,
        digest=row.digest,
        project=row.project,
        label=row.label,
        uses=row.uses,
        uses_max=row.uses_max,
        expires_at=row.expires_at,
        channel=row.channel,
        tags=tuple(json.loads(row.tags)),
        created_at=row.created_at,
        created_by=row.created_by,
        revoked_at=row.revoked_at,
    )
