"""Taking turns: what only one transaction may do at a time.

On SQLite every writing transaction begins IMMEDIATE, so it already has the only turn there is.
PostgreSQL lets writers run side by side; those that read first and then write what follows from
it take an advisory lock, which the end of the transaction gives back.
"""

from enum import IntEnum

from sqlalchemy import Connection, text


class Turn(IntEnum):
    """The numbers are arbitrary, and fixed: every version of the server must agree on them."""

    MIGRATING = 0x07A_0001
    APPENDING_EVENTS = 0x07A_0002
    TRYING_SECRETS = 0x07A_0003
    GATHERING_REFUSALS = 0x07A_0004
    CHANGING_RELEASES = 0x07A_0005
    OPENING_ATTEMPTS = 0x07A_0006
    """And moving the rollouts that they belong to."""
    TAKING_LEASES = 0x07A_0007
    NOTING_STOP_FILES = 0x07A_0008
    GIVING_KEYS = 0x07A_0010
    MOVING_DEVICE_KEYS = 0x07A_0011


def take_turn(connection: Connection, turn: Turn) -> None:
    """Waits for the turn and keeps it until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": int(turn)})
