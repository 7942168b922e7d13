"""Rows about rollouts: their plans, how far they have come, and what became of their devices."""

import json
from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import (
    Case,
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    func,
    insert,
    select,
    update,
)

from ota_http_server.domain.attempt import State
from ota_http_server.domain.clocks import CLOCKS_DIFFER_SECONDS
from ota_http_server.domain.reach import Load
from ota_http_server.domain.rollout import UNFINISHED, Rollout
from ota_http_server.domain.rollout import State as RolloutState
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.storage.counters import ROLLOUTS, Counters
from ota_http_server.storage.rollout_plans import as_text, from_text
from ota_http_server.storage.schema import attempts, devices, releases, rollouts
from ota_http_server.storage.turns import Turn, take_turn

NUMBER_MAX = 2**63 - 1
SLOT_SECONDS = 600  # who was offered an image and does not fetch it keeps nobody waiting for longer

_RANKS = {
    "verified": 10,
    "rolled_back": 9,
    "failed": 8,
    "silent": 7,
    "excused": 6,
    "installed": 5,
    "downloaded": 4,
    "downloading": 3,
    "offered": 2,
}
"""What a device that tried several times came to: the highest."""
_BAD = (
    State.ROLLED_BACK.value,
    State.FAILED.value,
    State.SILENT.value,
    State.CANCELED.value,
)


class Rollouts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take_turn(self) -> None:
        """From here to the end of the transaction nobody else opens an attempt or moves a rollout.

        Whoever locks devices, too, locks them first.
        """
        take_turn(self._connection, Turn.OPENING_ATTEMPTS)

    def get(self, number: int) -> Rollout | None:
        if not 0 < number <= NUMBER_MAX:
            return None
        found = self._found(_query().where(rollouts.c.id == number))
        return found[0] if found else None

    def of_project(self, project: str) -> list[Rollout]:
        """The oldest first."""
        return self._found(_query().where(rollouts.c.project == project).order_by(rollouts.c.id))

    def of_release(self, release: int) -> list[Rollout]:
        return self._found(_query().where(rollouts.c.release == release).order_by(rollouts.c.id))

    def page(
        self,
        project: str | None,
        states: Sequence[RolloutState],
        before: int | None,
        limit: int,
    ) -> list[Rollout]:
        """The latest first."""
        query = _query()
        if project is not None:
            query = query.where(rollouts.c.project == project)
        if states:
            query = query.where(rollouts.c.state.in_([state.value for state in states]))
        if before is not None:
            query = query.where(rollouts.c.id < before)
        return self._found(query.order_by(rollouts.c.id.desc()).limit(limit))

    def unfinished(self) -> list[Rollout]:
        states = [state.value for state in UNFINISHED]
        return self._found(_query().where(rollouts.c.state.in_(states)).order_by(rollouts.c.id))

    def with_open_attempts(self) -> list[Rollout]:
        """Those that somebody updates by, finished and aborted ones too."""
        theirs = select(attempts.c.rollout).where(attempts.c.is_open.is_(True))
        query = _query().where(rollouts.c.id.in_(theirs)).order_by(rollouts.c.id)
        return self._found(query)

    def add(self, rollout: Rollout) -> Rollout:
        """The rollout with its number."""
        number = self._connection.scalar(
            insert(rollouts)
            .values(
                project=rollout.project,
                release=rollout.release,
                salt=rollout.salt,
                plan=as_text(rollout),
                takes_back=rollout.takes_back,
                created_at=rollout.created_at,
                created_by=rollout.created_by,
                **_changeable(rollout),
            )
            .returning(rollouts.c.id)
        )
        Counters(self._connection).move(ROLLOUTS)
        added = self.get(number or 0)
        assert added is not None
        return added

    def change(self, rollout: Rollout) -> None:
        self._connection.execute(
            update(rollouts).where(rollouts.c.id == rollout.id).values(_changeable(rollout))
        )
        Counters(self._connection).move(ROLLOUTS)

    def add_stage_seconds(self, rollout: Rollout, seconds: int) -> None:
        """It ran on in this stage, if it is still there; no decision follows from that."""
        self._connection.execute(
            update(rollouts)
            .where(rollouts.c.id == rollout.id, rollouts.c.stage == rollout.stage)
            .values(stage_seconds=rollouts.c.stage_seconds + seconds)
        )

    def tally(self, number: int) -> Tally:
        """What its devices came to. Who was only asked and then left in peace does not count."""
        of_each = _by_device(number).subquery()
        rows = self._connection.execute(
            select(of_each.c.rank, func.count()).group_by(of_each.c.rank)
        )
        counts: dict[int, int] = {row[0]: row[1] for row in rows}
        return Tally(**{one.name: counts.get(_RANKS[one.name], 0) for one in fields(Tally)})

    def outcomes(self, number: int) -> dict[str, str]:
        """What each of its devices came to, in the words of a tally."""
        words = {rank: word for word, rank in _RANKS.items()}
        rows = self._connection.execute(_by_device(number))
        return {row.device: words[row.rank] for row in rows if row.rank in words}

    def came_to(self, number: int, what: str, after: str, limit: int) -> list[str]:
        """Devices of it that came to this word of a tally, by id."""
        query = (
            _by_device(number)
            .where(attempts.c.device > after)
            .having(func.max(_rank()) == _RANKS[what])
            .order_by(attempts.c.device)
            .limit(limit)
        )
        return list(self._connection.scalars(query))

    def excuse(self, number: int) -> None:
        """What went wrong so far counts no more: a person said that it goes on."""
        self._connection.execute(
            update(attempts)
            .where(attempts.c.rollout == number, attempts.c.state.in_(_BAD))
            .values(excused=True)
        )

    def open_devices(self, number: int) -> list[str]:
        """Devices that have an open attempt by it, by id."""
        query = select(attempts.c.device).where(
            attempts.c.rollout == number, attempts.c.is_open.is_(True)
        )
        return sorted(self._connection.scalars(query))

    def load(self, rollout: Rollout, at: int) -> Load:
        """What its devices do now, as far as its policy asks."""
        policy = rollout.policy
        mine = attempts.c.rollout == rollout.id
        opened = self._connection.scalar(select(func.count()).where(*_at_work(rollout)))
        offered = 0
        if policy.offers_max is not None:
            within = attempts.c.offered_at.between(
                at - policy.period_seconds + 1, at + CLOCKS_DIFFER_SECONDS
            )
            asked = select(func.count(attempts.c.device.distinct())).where(mine, within)
            offered = self._connection.scalar(asked) or 0
        by_site = self._sites(rollout) if policy.site_tag is not None else {}
        return Load(opened or 0, offered, by_site)

    def _sites(self, rollout: Rollout) -> dict[str, int]:
        beginning = rollout.policy.site_tag or ""
        query = (
            select(devices.c.tags)
            .join(attempts, attempts.c.device == devices.c.id)
            .where(*_at_work(rollout))
        )
        counts: dict[str, int] = {}
        for text in self._connection.scalars(query):
            for tag in json.loads(text):
                if tag.startswith(beginning):
                    counts[tag] = counts.get(tag, 0) + 1
        return counts

    def downloads(self, project: str | None, at: int) -> int:
        """Devices that were offered an image within the last minutes and do not have all of it."""
        query = select(func.count()).where(
            attempts.c.is_open.is_(True),
            attempts.c.state.in_([State.OFFERED.value, State.DOWNLOADING.value]),
            attempts.c.changed_at.between(at - SLOT_SECONDS, at + CLOCKS_DIFFER_SECONDS),
        )
        if project is not None:
            query = query.where(attempts.c.project == project)
        return self._connection.scalar(query) or 0

    def _found(self, query: Select[tuple[object, ...]]) -> list[Rollout]:
        return [_rollout(row) for row in self._connection.execute(query)]


def _at_work(rollout: Rollout) -> tuple[ColumnElement[bool], ...]:
    """Attempts of devices that update now. Who did all that was asked makes nobody wait."""
    done = []
    if rollout.only_fetches:
        done.append(State.DOWNLOADED.value)
    if rollout.policy.counts_installed:
        done.append(State.INSTALLED.value)
    mine = attempts.c.rollout == rollout.id
    return mine, attempts.c.is_open.is_(True), attempts.c.state.not_in(done)


def _query() -> Select[tuple[object, ...]]:
    return select(rollouts, releases.c.version).join(releases, releases.c.id == rollouts.c.release)


def _by_device(number: int) -> Select[tuple[str, int]]:
    """The rank of what each device of the rollout came to."""
    best = func.max(_rank()).label("rank")
    mine = attempts.c.rollout == number
    return select(attempts.c.device, best).where(mine).group_by(attempts.c.device)


def _rank() -> Case[int]:
    state = attempts.c.state
    excused = (attempts.c.excused.is_(True)) & state.in_(_BAD)
    gave_up = (state == State.CANCELED.value) & attempts.c.cancel_asked.is_(False)
    words = [(state == name.replace("_", "-"), rank) for name, rank in _RANKS.items()]
    return case((excused, _RANKS["excused"]), (gave_up, _RANKS["failed"]), *words, else_=0)


def _changeable(rollout: Rollout) -> dict[str, object]:
    return {
        "state": rollout.state.value,
        "stage": rollout.stage,
        "stage_seconds": rollout.stage_seconds,
        "first_device": rollout.first_device,
        "reached_all": rollout.reached_all,
        "is_canaried": rollout.is_canaried,
        "reason": rollout.reason,
        "changed_at": rollout.changed_at,
        "edition": rollout.edition,
    }


def _rollout(row: Row[tuple[object, ...]]) -> Rollout:
    return Rollout(
        id=row.id,
        project=row.project,
        release=row.release,
        version=row.version,
        salt=bytes(row.salt),
        **from_text(row.plan),
        state=RolloutState(row.state),
        stage=row.stage,
        stage_seconds=row.stage_seconds,
        first_device=row.first_device,
        reached_all=row.reached_all,
        is_canaried=row.is_canaried,
        takes_back=row.takes_back,
        reason=row.reason,
        created_at=row.created_at,
        created_by=row.created_by,
        changed_at=row.changed_at,
        edition=row.edition,
    )
