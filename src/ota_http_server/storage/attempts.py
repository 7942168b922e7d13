"""Rows about attempts: each try of a device at a release, and what it said on the way."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ota_http_server.domain.attempt import (
    BAD,
    LINE_CHARACTERS_MAX,
    LINES_MAX,
    OPEN,
    Attempt,
    State,
    next_id,
)
from ota_http_server.domain.offer import History
from ota_http_server.storage.counters import Counters, of_device
from ota_http_server.storage.devices import CLOCKS_DIFFER_SECONDS_MAX
from ota_http_server.storage.schema import attempt_lines, attempts, devices
from ota_http_server.storage.turns import Turn, take_turn

LAST_REMOVED = "last-removed-attempt"
"""No number is given twice: boards remember the last one, and take the same for done."""
NUMBER_MAX = 2**63 - 1  # of both databases


@dataclass(frozen=True, slots=True)
class Line:
    at: int
    text: str


class Attempts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, number: int) -> Attempt | None:
        if not 0 < number <= NUMBER_MAX:
            return None
        row = self._connection.execute(select(attempts).where(attempts.c.id == number)).first()
        return None if row is None else _attempt(row)

    def latest_of(self, device: str) -> Attempt | None:
        """The one that was opened last; it alone may be open."""
        query = select(attempts).where(attempts.c.device == device)
        row = self._connection.execute(query.order_by(attempts.c.id.desc()).limit(1)).first()
        return None if row is None else _attempt(row)

    def of_device(self, device: str, limit: int, before: int | None = None) -> list[Attempt]:
        """The latest first."""
        query = select(attempts).where(attempts.c.device == device)
        if before is not None:
            query = query.where(attempts.c.id < before)
        rows = self._connection.execute(query.order_by(attempts.c.id.desc()).limit(limit))
        return [_attempt(row) for row in rows]

    def of_release(self, release: int) -> dict[State, int]:
        """How many attempts at it are in each state."""
        rows = self._connection.execute(
            select(attempts.c.state, func.count())
            .where(attempts.c.release == release)
            .group_by(attempts.c.state)
        )
        return {State(state): count for state, count in rows}

    def history(self, device: str) -> History:
        """What became of the device's tries since somebody last wiped its slate.

        An image that was delivered counts as long as no later attempt was verified.
        """
        wiped = select(devices.c.wiped_after).where(devices.c.id == device).scalar_subquery()
        rows = self._connection.execute(
            select(attempts)
            .where(attempts.c.device == device, attempts.c.id > func.coalesce(wiped, 0))
            .order_by(attempts.c.id.desc())
            .limit(50)  # so many tries without one success hold the device long before
        )
        failures: dict[int, int] = {}
        failed_at: dict[int, int] = {}
        canceled: set[int] = set()
        deliveries: dict[str, int] = {}
        for row in rows:
            if row.state == State.VERIFIED.value:
                break
            gave_up = row.state == State.CANCELED.value and not row.cancel_asked
            if gave_up or State(row.state) in BAD:
                failures[row.release] = failures.get(row.release, 0) + 1
                failed_at.setdefault(row.release, row.finished_at or row.changed_at)
            elif row.state == State.CANCELED.value and not row.with_rollout:
                canceled.add(row.release)
            if row.deliveries:
                deliveries[row.sha256] = deliveries.get(row.sha256, 0) + row.deliveries
        return History(failures, failed_at, frozenset(canceled), deliveries)

    def open(self, attempt: Attempt) -> Attempt:
        """The attempt with its id. Whoever calls saw to it that no other of the device is open."""
        take_turn(self._connection, Turn.OPENING_ATTEMPTS)
        last = self._connection.scalar(select(func.max(attempts.c.id))) or 0
        number = next_id(max(last, Counters(self._connection).get(LAST_REMOVED)))
        self._connection.execute(
            insert(attempts).values(
                id=number,
                device=attempt.device,
                project=attempt.project,
                release=attempt.release,
                version=attempt.version,
                image_name=attempt.image_name,
                sha256=attempt.sha256,
                size=attempt.size,
                from_version=attempt.from_version,
                from_sha256=attempt.from_sha256,
                offered_at=attempt.offered_at,
                rollout=attempt.rollout,
                excused=False,
                **_changeable(attempt),
            )
        )
        Counters(self._connection).move(of_device(attempt.device))
        opened = self.get(number)
        assert opened is not None
        return opened

    def change(self, attempt: Attempt, *, moved: bool = False) -> None:
        """`moved`: into another state. If it was excused before, what it comes to now counts."""
        values = _changeable(attempt) | ({"excused": False} if moved else {})
        self._connection.execute(update(attempts).where(attempts.c.id == attempt.id).values(values))
        Counters(self._connection).move(of_device(attempt.device))

    def silent_since(
        self, before: int, now: int, limit: int, rollout: int | None = None
    ) -> list[Attempt]:
        """Open attempts whose device was not heard of since; the longest silent first.

        A moment far ahead of now was written before the clock was set back: it is long ago.
        `rollout`: of this one alone; None: of all that are of none.
        """
        ahead = now + CLOCKS_DIFFER_SECONDS_MAX
        query = (
            select(attempts)
            .outerjoin(devices, devices.c.id == attempts.c.device)
            .where(
                attempts.c.is_open.is_(True),
                (attempts.c.changed_at < before) | (attempts.c.changed_at > ahead),
                (func.coalesce(devices.c.last_seen, 0) < before) | (devices.c.last_seen > ahead),
            )
        )
        mine = attempts.c.rollout
        query = query.where(mine.is_(None) if rollout is None else mine == rollout)
        rows = self._connection.execute(query.order_by(attempts.c.changed_at).limit(limit))
        return [_attempt(row) for row in rows]

    def add_lines(self, attempt: int, lines: Iterable[str], at: int) -> None:
        """What it said, as far as there is room for more of it."""
        query = select(func.count()).where(attempt_lines.c.attempt == attempt)
        number = self._connection.scalar(query) or 0
        for line in lines:
            if number >= LINES_MAX:
                return
            number += 1
            self._connection.execute(
                insert(attempt_lines).values(
                    attempt=attempt, number=number, at=at, line=_kept(line[:LINE_CHARACTERS_MAX])
                )
            )

    def lines(self, attempt: int) -> list[Line]:
        query = select(attempt_lines).where(attempt_lines.c.attempt == attempt)
        rows = self._connection.execute(query.order_by(attempt_lines.c.number))
        return [Line(row.at, row.line) for row in rows]

    def forget_device(self, device: str) -> None:
        """Removes all attempts of a device that is removed itself."""
        mine = select(attempts.c.id).where(attempts.c.device == device)
        take_turn(self._connection, Turn.OPENING_ATTEMPTS)
        last = self._connection.scalar(select(func.max(mine.subquery().c.id)))
        Counters(self._connection).raise_to(LAST_REMOVED, last or 0)
        self._connection.execute(delete(attempt_lines).where(attempt_lines.c.attempt.in_(mine)))
        self._connection.execute(delete(attempts).where(attempts.c.device == device))


def _changeable(attempt: Attempt) -> dict[str, object]:
    return {
        "state": attempt.state.value,
        "is_open": attempt.state in OPEN,
        "changed_at": attempt.changed_at,
        "downloaded_at": attempt.downloaded_at,
        "installed_at": attempt.installed_at,
        "finished_at": attempt.finished_at,
        "sent_bytes": attempt.sent_bytes,
        "deliveries": attempt.deliveries,
        "cancel_asked": attempt.cancel_asked,
        "with_rollout": attempt.with_rollout,
        "detail": _kept(attempt.detail),
    }


def _kept(text: str) -> str:
    """What both databases can keep: no half of a surrogate pair, no U+0000."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _attempt(row: Row[tuple[object, ...]]) -> Attempt:
    return Attempt(
        id=row.id,
        device=row.device,
        project=row.project,
        release=row.release,
        version=row.version,
        image_name=row.image_name,
        sha256=row.sha256,
        size=row.size,
        state=State(row.state),
        from_version=row.from_version,
        from_sha256=row.from_sha256,
        offered_at=row.offered_at,
        changed_at=row.changed_at,
        downloaded_at=row.downloaded_at,
        installed_at=row.installed_at,
        finished_at=row.finished_at,
        sent_bytes=row.sent_bytes,
        deliveries=row.deliveries,
        cancel_asked=row.cancel_asked,
        with_rollout=row.with_rollout,
        detail=row.detail,
        rollout=row.rollout,
    )
