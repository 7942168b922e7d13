"""Rows about what happened: append-only and chained, so that a later change shows.

Each event carries the SHA-256 of the one before it. Numbers run 1, 2, 3 … without a gap, because
appending is serialised and a transaction that fails takes its numbers back with it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from ota_http_server.storage.schema import events
from ota_http_server.storage.turns import Turn, take_turn

Facts = Mapping[str, str | int]

NOTHING_BEFORE = "0" * 64
"""What the first event of all names as the one before it."""

FACT_CHARACTERS_MAX = 256  # the longest fact of ours is a project of 64; a longer one is an attack
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}\Z")
LOOKED_AT_MAX = 20_000  # some ten milliseconds of one query
IDS_MAX = 500  # per statement: SQLite takes 32,766 variables, PostgreSQL 65,535


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    at: int
    """Seconds since 1970, UTC."""
    action: str
    facts: Facts
    previous: str
    hash: str

    def true_hash(self) -> str:
        """The hash that its content has; differs from `hash` once somebody changed the row."""
        content = [self.id, self.at, self.action, dict(self.facts), self.previous]
        return hashlib.sha256(canonical(content).encode()).hexdigest()


def canonical(value: object) -> str:
    """The one JSON text of a value: sorted keys, no blanks, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which events a listing is about; None: any."""

    action: str | None = None
    device: str | None = None
    project: str | None = None


class Events:
    """The events as one transaction sees them; `before_first` runs before it adds its first."""

    def __init__(
        self,
        connection: Connection,
        second: int,
        journal_name: str,
        before_first: Callable[["Events"], None] | None = None,
    ) -> None:
        self._connection = connection
        self._second = second
        self._journal_name = journal_name
        self._before_first = before_first
        self.added: list[Event] = []

    def add(self, action: str, **facts: str | int | None) -> Event:
        """Appends an event of this moment; facts that are None are left out."""
        if not WORD.match(action) or not all(map(WORD.match, facts)):
            raise ValueError(f"not the name of an event or a fact: {action} {sorted(facts)}")
        last = self.added[-1] if self.added else self._last_of_all()
        kept = {name: _clean(value) for name, value in facts.items() if value is not None}
        id_, previous = (1, NOTHING_BEFORE) if last is None else (last.id + 1, last.hash)
        draft = Event(id_, self._second, action, kept, previous, "")
        event = Event(id_, self._second, action, kept, previous, draft.true_hash())
        self._connection.execute(
            insert(events).values(
                id=event.id,
                at=event.at,
                action=event.action,
                facts=canonical(kept),
                previous=event.previous,
                hash=event.hash,
                journal=self._journal_name,
                written=False,
            )
        )
        self.added.append(event)
        return event

    def _last_of_all(self) -> Event | None:
        take_turn(self._connection, Turn.APPENDING_EVENTS)
        if self._before_first is not None:
            self._before_first(self)
        return self.last()

    def last(self) -> Event | None:
        row = self._connection.execute(select(events).order_by(events.c.id.desc()).limit(1)).first()
        return None if row is None else _event(row)

    def get(self, number: int) -> Event | None:
        row = self._connection.execute(select(events).where(events.c.id == number)).first()
        return None if row is None else _event(row)

    def page(self, after_id: int, limit: int) -> list[Event]:
        """The next events in their order."""
        rows = self._connection.execute(
            select(events).where(events.c.id > after_id).order_by(events.c.id).limit(limit)
        )
        return [_event(row) for row in rows]

    def find(
        self, sought: Sought, behind: int | None, limit: int, *, newest_first: bool
    ) -> tuple[list[Event], int | None]:
        """The next events behind a number, and where to go on if there may be more.

        Not more than `LOOKED_AT_MAX` are looked at, so a page may be short, or empty, before the
        end: in the facts of a long log, nothing is found quickly.
        """
        last = self._connection.scalar(select(func.max(events.c.id))) or 0
        if newest_first:
            start = last if behind is None else min(behind - 1, last)
            end = max(0, start - LOOKED_AT_MAX)
            window, order = (events.c.id <= start, events.c.id > end), events.c.id.desc()
        else:
            start = 0 if behind is None else behind
            end = min(last, start + LOOKED_AT_MAX)
            window, order = (events.c.id > start, events.c.id <= end), events.c.id.asc()
        query = select(events).where(*window, *_conditions(sought)).order_by(order)
        found = [_event(row) for row in self._connection.execute(query.limit(limit + 1))]
        if len(found) > limit:
            return found[:limit], found[limit - 1].id
        if newest_first:
            return found, end + 1 if end > 0 else None
        return found, end if end < last else None

    def unwritten(self, journal_name: str, limit: int = 1_000) -> list[Event]:
        """Events whose line may still be missing in that log file, the oldest first."""
        rows = self._connection.execute(
            select(events)
            .where(events.c.journal == journal_name, events.c.written.is_(False))
            .order_by(events.c.id)
            .limit(limit)
        )
        return [_event(row) for row in rows]

    def mark_written(self, ids: Iterable[int]) -> None:
        """Says that the lines of these events are in their log file."""
        known = sorted(ids)
        for start in range(0, len(known), IDS_MAX):
            self._connection.execute(
                update(events)
                .where(events.c.id.in_(known[start : start + IDS_MAX]))
                .values(written=True)
            )


def _conditions(sought: Sought) -> list[ColumnElement[bool]]:
    """Facts are canonical JSON: a name and its value stand there in exactly one way."""
    conditions = [] if sought.action is None else [events.c.action == sought.action]
    for name, value in (("device", sought.device), ("project", sought.project)):
        if value is not None:
            told = f"{canonical(name)}:{canonical(value)}"
            # Not LIKE: SQLite's takes LAMP for lamp.
            conditions.append(func.replace(events.c.facts, told, "") != events.c.facts)
    return conditions


def _clean(value: str | int) -> str | int:
    """A fact that every reader of JSON understands: no lone surrogates, not too long."""
    if isinstance(value, str):
        return value[:FACT_CHARACTERS_MAX].encode("utf-8", "replace").decode()
    return int(value)


def _event(row: Row[tuple[object, ...]]) -> Event:
    return Event(row.id, row.at, row.action, _facts(row.facts), row.previous, row.hash)


def _facts(text: str) -> Facts:
    """The facts as written. A row that somebody spoilt stays readable; its hash tells on it."""
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    return facts if isinstance(facts, dict) else {"unreadable": text[:FACT_CHARACTERS_MAX]}
