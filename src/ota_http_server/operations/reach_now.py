"""How far releases may spread now: rollouts and the stop from memory, and how much room there is.

Where an attempt is opened, the same is looked at once more on the rows, under the lock: a cap is
exact however many devices ask at once, and a rollout that was halted a moment ago offers nothing.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from ota_http_server.domain.device import Device
from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.offer import Offer
from ota_http_server.domain.project import Project
from ota_http_server.domain.reach import Load, Reach, Slots, Stop, by_release, sites_of
from ota_http_server.domain.release import Release
from ota_http_server.domain.rollout import Rollout, State
from ota_http_server.operations.bounded import Bounded
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.news import News
from ota_http_server.storage.counters import ROLLOUTS
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Reading, Writing

PROJECTS_MAX = 1_000  # in memory
ROOM_SECONDS = 1.0  # so old may be what memory knows of the room; a free place is looked at again

Room = tuple[Mapping[int, Load], Sequence[Slots]]


class Known(NamedTuple):
    """What is known of a project; `edition` is the counter that it was read at."""

    edition: int
    rollouts: Mapping[int, tuple[Rollout, ...]]
    """All of them, by release."""
    paced: Sequence[Rollout]
    """Those in which others can make a device wait."""
    closed: Sequence[Release]
    """Withdrawn floors."""


class _Place(NamedTuple):
    """What a device is about to take up."""

    device: str
    project: str
    rollout: int | None
    sites: tuple[str, ...]


class ReachNow:
    """One for each process. `downloads_max`: of the whole server; None: any number."""

    def __init__(
        self,
        database: Database,
        news: News,
        brake: Brake,
        *,
        downloads_max: int | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._news = news
        self._brake = brake
        self._downloads_max = downloads_max
        self._monotonic = monotonic
        self._known: Bounded[str, Known] = Bounded(PROJECTS_MAX)
        self._room: Bounded[str, tuple[float, Room]] = Bounded(PROJECTS_MAX)
        self._taking: dict[int, _Place] = {}
        self._numbers = itertools.count()

    def of(self, project: Project, device_id: str = "") -> Reach:
        """From memory, a second old at most. On the hot path. What this device itself is about to
        take up is not in its way."""
        known = self._remembered(project.name)
        room = self._roomy(project, known.paced)
        if self._taking and (room[0] or room[1]):
            others = [one for one in tuple(self._taking.values()) if one.device != device_id]
            room = _less(room, others)
        return _reach(known, room, self._brake.of(project.name))

    @contextmanager
    def taking(self, device: Device, offer: Offer) -> Iterator[None]:
        """While this process writes the offer down, it counts as made: of a herd that comes for a
        few places, the rest is not sent after them into the same queue."""
        number, rollout = next(self._numbers), offer.rollout
        its: tuple[int | None, tuple[str, ...]] = (None, ())
        if rollout is not None:
            its = rollout.id, sites_of(rollout, device)
        self._taking[number] = _Place(device.id, device.project, *its)
        try:
            yield
        finally:
            del self._taking[number]

    def exactly(self, tx: Writing, project: Project) -> Reach:
        """From the rows; nobody else takes up room until the transaction ends.

        The device that it is for is locked before.
        """
        known = self._as_committed(tx, project.name)
        is_limited = self._is_limited(project)
        if is_limited or _may_move(known):
            tx.rollouts.take_turn()
            # Once more: somebody may have halted one while the turn was waited for.
            known = self._as_committed(tx, project.name)
        room: Room = ({}, ())
        if known.paced or is_limited:
            room = self._counted(tx, project, known.paced)
            self._room.put(project.name, (self._monotonic(), room))
        return _reach(known, room, self._brake.exactly(tx, project.name))

    def _as_committed(self, rows: Reading, project: str) -> Known:
        """From memory if that is not behind the rows."""
        known = self._known.get(project)
        if known is not None and known.edition == rows.counters.get(ROLLOUTS):
            return known
        return _read(rows, project)

    def as_written(self, rows: Reading, project: Project) -> Reach:
        """From the rows, to be read by people."""
        known = _read(rows, project.name)
        room = self._counted(rows, project, known.paced)
        return _reach(known, room, self._brake.of(project.name))

    def _remembered(self, project: str) -> Known:
        count = self._news.of(ROLLOUTS)
        known = self._known.get(project)
        if known is not None and known.edition == count:
            return known
        try:
            with self._database.reading() as rows:
                found = _read(rows, project)
        except Unavailable:
            if known is None:
                raise
            return known
        return self._known.put(project, found)

    def _roomy(self, project: Project, paced: Sequence[Rollout]) -> Room:
        if not paced and not self._is_limited(project):
            return {}, ()
        found = self._room.get(project.name)
        if found is not None and self._monotonic() - found[0] < ROOM_SECONDS:
            return found[1]
        try:
            with self._database.reading() as rows:
                room = self._counted(rows, project, paced)
        except Unavailable:
            return {}, ()  # nothing is opened without the rows
        self._room.put(project.name, (self._monotonic(), room))
        return room

    def _is_limited(self, project: Project) -> bool:
        return self._downloads_max is not None or project.downloads_max is not None

    def _counted(self, rows: Reading, project: Project, paced: Sequence[Rollout]) -> Room:
        loads = {rollout.id: rows.rollouts.load(rollout, rows.second) for rollout in paced}
        slots = []
        for most, whose in ((self._downloads_max, None), (project.downloads_max, project.name)):
            if most is not None:
                taken = rows.rollouts.downloads(whose, rows.second)
                slots.append(Slots(most=most, taken=taken, project=whose))
        return loads, slots


def _read(rows: Reading, project: str) -> Known:
    count = rows.counters.get(ROLLOUTS)
    found = rows.rollouts.of_project(project)
    paced = [one for one in found if one.policy.is_paced and one.state is not State.ABORTED]
    return Known(count, by_release(found), paced, rows.releases.withdrawn_floors(project))


def _less(room: Room, taking: Sequence[_Place]) -> Room:
    """The room that is left beside these."""
    loads, slots = dict(room[0]), room[1]
    for number in [one for one in loads if any(place.rollout == one for place in taking)]:
        sites = [place.sites for place in taking if place.rollout == number]
        loads[number] = loads[number].with_more(sites)
    left = [
        replace(one, taken=one.taken + sum(one.project in (None, it.project) for it in taking))
        for one in slots
    ]
    return loads, left


def _may_move(known: Known) -> bool:
    """Whether one of them may be halted, or move on, while somebody decides."""
    return any(one.may_become(State.HALTED) for of_one in known.rollouts.values() for one in of_one)


def _reach(known: Known, room: Room, stop: Stop | None) -> Reach:
    loads, slots = room
    return Reach(rollouts=known.rollouts, loads=loads, slots=slots, stop=stop, closed=known.closed)
