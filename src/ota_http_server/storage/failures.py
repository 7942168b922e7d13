"""The driver's failures in the words of the domain; mistakes of ours pass unchanged."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from ota_http_server.domain.errors import DiskFull, Unavailable

OURS = (IntegrityError, ProgrammingError, DataError, NotSupportedError)
"""What PEP 249 calls so is wrong in what we asked, not in the database."""

# SQLSTATE, PostgreSQL's appendix A.
DISK_FULL = "53100"
TAKEN_BACK = ("40P01", "40001")  # deadlock, serialization failure: the same once more may succeed
OVERTAKEN = ("23503", "23505")
"""A row that was referred to is gone, or one that was to come is there: once more, a transaction
sees what the other one did. If it was a mistake of ours it fails again."""
DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def in_our_words() -> Iterator[None]:
    """Raises `Unavailable` or `DiskFull` for what the driver says about the database."""
    try:
        yield
    except NoConnectionFree as error:
        raise Unavailable("the database is busy") from error
    except DBAPIError as error:
        if _is_full(error):
            raise DiskFull("the disk of the database is full") from error
        if primary_code(error.orig) in DAMAGED_CODES:
            raise Unavailable("the database is damaged") from error
        if isinstance(error, OURS) and not error.connection_invalidated:
            raise
        raise Unavailable("the database does not answer") from error


def is_worth_a_second_try(failure: Exception) -> bool:
    """Whether the database took a change back because of another one."""
    cause = failure if isinstance(failure, DBAPIError) else failure.__cause__
    return isinstance(cause, DBAPIError) and _sqlstate(cause) in TAKEN_BACK + OVERTAKEN


def _is_full(error: DBAPIError) -> bool:
    return primary_code(error.orig) == sqlite3.SQLITE_FULL or _sqlstate(error) == DISK_FULL


def primary_code(error: BaseException | None) -> int | None:
    """SQLite's result code without what its extended codes add (sqlite.org/rescode.html); None for
    an error of another driver."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
