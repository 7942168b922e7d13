"""Checking in: the device asks, and says what it is and runs; it is offered a release, or told why
not.

The decision is made on what memory knows. Where nothing follows from it, nothing is written. Where
something does (an offer, a fact that changed, an attempt that proved itself), it is made once more
under the lock, on the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeGuard

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.decision import decide
from ota_http_server.domain.device import Device
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.observation import KnownImage, proven, seen, told
from ota_http_server.domain.offer import Decision, Hold, Offer, Reason, is_void
from ota_http_server.domain.project import Project, Registering
from ota_http_server.domain.release import FLASHED_WHOLE, Release
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.self_comparing import for_self_comparing
from ota_http_server.domain.sighting import NOTHING_SAID, Sighting
from ota_http_server.operations.catalog import Catalog, Shelf
from ota_http_server.operations.move_attempt import move
from ota_http_server.operations.reach_now import ReachNow
from ota_http_server.operations.register_device import found_or_registered
from ota_http_server.operations.registry import Known, Registry, known_image, read
from ota_http_server.operations.steady_clock import SteadyClock
from ota_http_server.operations.visit import Visit, poll_seconds_of
from ota_http_server.storage.counters import CATALOG
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing

UNINVITED = Hold(
    Reason.NOT_REGISTERED, "it is not in the registry, and this project takes nobody in by itself"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manner:
    """How this client asks: `CheckIn.__call__` has the words."""

    parts: Sequence[Kind]
    opens: bool
    opens_for: str | None
    compares: bool
    converses: bool

    def ends(self, attempt: Attempt | None, project: str) -> TypeGuard[Attempt]:
        """Whether it was called off: who asks again works on it no more, and can tell no more."""
        if self.converses or attempt is None:
            return False
        return attempt.is_canceling and attempt.project == project

    def gives_up(self, attempt: Attempt | None, decision: Decision) -> TypeGuard[Attempt]:
        """Whether what it downloads again and again counts as failed now."""
        if attempt is None or isinstance(decision, Offer) or not self.opens:
            return False
        return decision.reason is Reason.LOOPING and attempt.may_become(State.FAILED)

    def lets_go(self, attempt: Attempt | None, decision: Decision) -> TypeGuard[Attempt]:
        """Whether an offer that it did not take up is taken back; who only looks takes nothing."""
        return self.opens and self.opens_for is None and is_void(attempt, decision)

    def opens_with(self, decision: Decision) -> TypeGuard[Offer]:
        """Whether an attempt is to be opened that is not there yet."""
        if isinstance(decision, Hold) or decision.attempt is not None:
            return False
        return self.opens and self.opens_for in (None, decision.image.sha256)

    def project(self, project: Project, releases: Sequence[Release]) -> Project:
        return for_self_comparing(project, releases) if self.compares else project


@dataclass(frozen=True, slots=True)
class Answer:
    """What the device is told. `attempt` is the open one, if there is one."""

    device: Device | None
    """None if it is not in the registry, and may not come in by itself."""
    decision: Decision
    attempt: Attempt | None
    poll_seconds: int
    """How long it should wait before it asks again."""


class CheckIn:
    """The operation; one for each process."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        registry: Registry,
        reach: ReachNow,
        steady: SteadyClock,
        *,
        poll_seconds: int,
        devices_max: int,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._registry = registry
        self._reach = reach
        self._steady = steady
        self._poll_seconds = poll_seconds
        self._devices_max = devices_max

    def __call__(
        self,
        visit: Visit,
        sighting: Sighting = NOTHING_SAID,
        *,
        parts: Sequence[Kind] = FLASHED_WHOLE,
        opens: bool = True,
        opens_for: str | None = None,
        compares: bool = False,
        converses: bool = False,
    ) -> Answer:
        """`opens=False` only looks: an offer then opens no attempt; with `opens_for` none but that
        of the image with this SHA-256 does. `compares`: the client compares versions by itself.
        `converses`: it is asked for attributes, told what was called off, and answers.
        """
        manner = _Manner(
            parts=parts,
            opens=opens,
            opens_for=opens_for,
            compares=compares,
            converses=converses,
        )
        shelf = self._catalog.of(visit.project)
        known = self._registry.find(visit.device, converses=converses)
        if known is None:
            if not may_come_in(shelf):
                return self._answer(visit, None, UNINVITED, None)
            return self._written(visit, sighting, shelf, manner)
        if known.device.project != visit.project:
            sighting = NOTHING_SAID  # whoever speaks for another project knows nothing of it
        at = int(self._database.clock().timestamp())
        after = self._told(known.device, sighting, at)
        if after == known.device and self._proof(known.latest, sighting, at) is None:
            decision = decide(
                after,
                manner.project(shelf.project, shelf.releases),
                shelf.releases,
                known.open_attempt,
                known.history,
                at=at,
                parts=parts,
                reach=self._reach.of(shelf.project, visit.device),
                defers=converses,
            )
            attempt = known.open_attempt
            if not (
                manner.ends(attempt, visit.project)
                or manner.gives_up(attempt, decision)
                or manner.lets_go(attempt, decision)
                or manner.opens_with(decision)
            ):
                if known.device.project == visit.project:
                    self._registry.saw(visit.device, visit.address)
                return self._answer(visit, after, decision, attempt)
            if manner.opens_with(decision):
                with self._reach.taking(after, decision):
                    return self._written(visit, sighting, shelf, manner)
        return self._written(visit, sighting, shelf, manner)

    def _told(self, device: Device, sighting: Sighting, at: int) -> Device:
        if sighting is NOTHING_SAID:  # most polls say nothing but whose they are
            return device
        image = self._registry.named_by(sighting.digests, device.project)
        return told(device, sighting, image, at)

    def _written(self, visit: Visit, sighting: Sighting, shelf: Shelf, manner: _Manner) -> Answer:
        def written(tx: Writing) -> tuple[Device, Decision, Attempt | None]:
            known = self._registered(tx, visit)
            device, latest = self._observed(tx, known, sighting)
            if manner.ends(latest, visit.project):
                latest = move(tx, latest, State.CANCELED, "called off")
            running = latest if latest is not None and latest.is_open else None
            releases = _published(tx, shelf, visit.project)
            decision = decide(
                device,
                manner.project(shelf.project, releases),
                releases,
                running,
                tx.attempts.history(visit.device),
                at=tx.second,
                parts=manner.parts,
                reach=self._reach.exactly(tx, shelf.project),
                defers=manner.converses,
            )
            if isinstance(decision, Hold) and manner.gives_up(running, decision):
                move(tx, running, State.FAILED, decision.detail)
                running = None
            if isinstance(decision, Hold) and manner.lets_go(running, decision):
                move(tx, running, State.SUPERSEDED, f"offered no more: {decision.reason}")
                running = None
            if manner.opens_with(decision):
                if running is not None:
                    move(tx, running, State.SUPERSEDED)
                running = tx.attempts.open(_attempt(device, decision, tx.second))
                decision = replace(decision, attempt=running)
            device = replace(device, last_seen=tx.second, address=visit.address[:64])
            edition = known.device.edition + (device != _as_seen(known.device, device))
            tx.devices.change(replace(device, edition=edition))
            return device, decision, running

        device, decision, attempt = self._database.change(written)
        self._registry.forget(visit.device)
        return self._answer(visit, device, decision, attempt)

    def _proof(
        self, latest: Attempt | None, sighting: Sighting, at: int
    ) -> tuple[State, KnownImage] | None:
        """What follows for the latest attempt as far as memory knows."""
        return _proof(latest, sighting, self._registry.named_by, at, self._steady)

    def _observed(
        self, tx: Writing, known: Known, sighting: Sighting
    ) -> tuple[Device, Attempt | None]:
        """The device and its latest attempt after what it said; the attempt is written here."""
        named, latest = partial(known_image, tx), known.latest
        image = named(sighting.digests, known.device.project)
        device = told(known.device, sighting, image, tx.second)
        proof = _proof(latest, sighting, named, tx.second, self._steady)
        if latest is None or proof is None:
            return device, latest
        state, image = proof
        if state is State.VERIFIED:
            device = proven(device, image)
        return device, move(tx, latest, state)

    def _registered(self, tx: Writing, visit: Visit) -> Known:
        """The device, locked; it comes into the registry if it is not there."""
        new = Device(
            id=visit.device, project=visit.project, created_at=tx.second, created_by="check-in"
        )
        found_or_registered(tx, new, self._devices_max)
        known = read(tx, visit.device)
        assert known is not None
        return known

    def _answer(
        self, visit: Visit, device: Device | None, decision: Decision, attempt: Attempt | None
    ) -> Answer:
        return Answer(device, decision, attempt, poll_seconds_of(visit.device, self._poll_seconds))


def _published(tx: Writing, shelf: Shelf, project: str) -> Sequence[Release]:
    """As memory has them, unless it is behind: to read a thousand takes long under the lock."""
    if tx.counters.get(CATALOG) == shelf.count:
        return shelf.releases
    return tx.releases.of_project(project, (ReleaseState.PUBLISHED,))


def _proof(
    latest: Attempt | None,
    sighting: Sighting,
    named: Callable[[frozenset[str], str], KnownImage | None],
    at: int,
    steady: SteadyClock,
) -> tuple[State, KnownImage] | None:
    """What the latest attempt becomes by what was said, and its image; None: nothing follows.

    `named` finds an image by its digests, in memory or on the rows: both must prove the same.
    """
    if latest is None or not (sighting.version or sighting.digests):
        return None
    new, before = (
        named(frozenset(filter(None, (sha256,))), latest.project)
        for sha256 in (latest.sha256, latest.from_sha256)
    )
    if new is None:
        return None
    state = seen(latest, sighting, new, before, at, steady.since())
    return None if state is None else (state, new)


def _attempt(device: Device, offer: Offer, at: int) -> Attempt:
    return Attempt(
        id=0,
        device=device.id,
        project=device.project,
        release=offer.release.number,
        version=offer.release.version,
        image_name=offer.image.name,
        sha256=offer.image.sha256,
        size=offer.image.size,
        state=State.OFFERED,
        from_version=device.version,
        from_sha256=device.image_sha256,
        offered_at=at,
        changed_at=at,
        rollout=None if offer.rollout is None else offer.rollout.id,
    )


def _as_seen(before: Device, after: Device) -> Device:
    """The device before, but for when and where it was seen: that alone is no change."""
    return replace(before, last_seen=after.last_seen, address=after.address)


def may_come_in(shelf: Shelf) -> bool:
    return shelf.project.registering is Registering.CHECK_IN
