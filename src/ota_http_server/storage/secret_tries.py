"""Rows about wrong admin secrets: how often each network failed, and what was refused.

`secret_tries` holds what the limiter must agree on over all processes; `refusals` gathers refused
tries by address and minute until they become one event.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from ota_http_server.storage.schema import refusals, secret_tries
from ota_http_server.storage.turns import Turn, take_turn
from ota_http_server.storage.upserts import insert_into, put_row

EVERYWHERE = "*"
"""The row that counts failures over all networks."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a network. Seconds since 1970; 0 means never."""

    failures: int = 0
    failed_at: int = 0
    blocked_until: int = 0
    succeeded_at: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Refused:
    """Where and in which minute (since 1970) admin tries were refused."""

    address: str
    minute: int


class SecretTries:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_turn(self) -> None:
        """From here to the end of the transaction nobody else tries a secret."""
        take_turn(self._connection, Turn.TRYING_SECRETS)

    def get(self, network: str) -> Record:
        row = self._connection.execute(
            select(secret_tries).where(secret_tries.c.network == network)
        ).first()
        if row is None:
            return Record()
        return Record(row.failures, row.failed_at, row.blocked_until, row.succeeded_at)

    def put(self, network: str, record: Record) -> None:
        values = {
            "failures": record.failures,
            "failed_at": record.failed_at,
            "blocked_until": record.blocked_until,
            "succeeded_at": record.succeeded_at,
        }
        put_row(self._connection, secret_tries, values, network=network)

    def forget(self, failed_before: int, succeeded_before: int) -> None:
        """Drops networks about which there is nothing left to know."""
        self.take_turn()
        self._connection.execute(
            delete(secret_tries).where(
                secret_tries.c.failed_at < failed_before,
                secret_tries.c.blocked_until < failed_before,
                secret_tries.c.succeeded_at < succeeded_before,
            )
        )

    def refuse(self, counts: Mapping[Refused, int]) -> None:
        """Adds refused tries to what other processes counted."""
        # In order, so that two processes never wait for each other's rows crosswise.
        for refused, count in sorted(counts.items()):
            statement = insert_into(
                self._connection,
                refusals,
                address=refused.address,
                minute=refused.minute,
                count=count,
            )
            self._connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[refusals.c.address, refusals.c.minute],
                    set_={"count": refusals.c.count + statement.excluded.count},
                )
            )

    def anything_refused(self, before_minute: int) -> bool:
        query = select(refusals.c.minute).where(refusals.c.minute < before_minute).limit(1)
        return self._connection.execute(query).first() is not None

    def gathered(self, counts: Mapping[Refused, int], before_minute: int) -> dict[Refused, int]:
        """Adds these refused tries and takes the counts of earlier minutes out.

        Whoever gets them must tell, nobody else can. The turn comes before the first row, or two
        who gather would wait for each other: one for the turn, the other for a row.
        """
        take_turn(self._connection, Turn.GATHERING_REFUSALS)
        self.refuse(counts)
        rows = self._connection.execute(
            delete(refusals).where(refusals.c.minute < before_minute).returning(*refusals.c)
        )
        return {Refused(address, minute): count for address, minute, count in rows}
