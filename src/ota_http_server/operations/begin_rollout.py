"""Beginning a rollout: its stages, its first devices, and whether it may go so far at once."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from ota_http_server.domain.candidates import PINNED
from ota_http_server.domain.decision import FOR_OTHERS
from ota_http_server.domain.errors import Conflict, Invalid
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.release import Release
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.domain.rollout import (
    SALT_BYTES,
    UNCANARIED_SHARE_MAX,
    Rollout,
    percent,
)
from ota_http_server.domain.rollout_plan import Stage, default_shares, default_stages
from ota_http_server.operations.look_at_fleet import (
    Counts,
    Fleet,
    counts_of,
    first_device,
    fleet_of,
)
from ota_http_server.operations.news import News
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.write_release import found_release
from ota_http_server.operations.write_rollout import note_move, reason_of
from ota_http_server.storage.database import Database
from ota_http_server.storage.transaction import Writing


@dataclass(frozen=True, slots=True)
class Begun:
    """A rollout, and how many devices each of its stages has now."""

    rollout: Rollout
    counts: Counts

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.counts.sizes


class BeginRollout:
    """The operation; after it returns, this process knows; the others within two seconds."""

    def __init__(
        self,
        database: Database,
        news: News,
        salt: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._news = news
        self._salt = salt

    def __call__(self, operator: Operator, wish: RolloutWish, *, dry: bool = False) -> Begun:
        """The rollout, running; of a draft it begins when that is published.

        Raises `Conflict` while another one of the release is not finished, and for a first stage
        beyond 10 % without an override. `dry`: nothing is written, and its number is 0.
        """
        operator.must(Role.OPERATOR, wish.project)
        reason = reason_of(wish.reason, needed=wish.override or wish.takes_back)
        with self._database.reading() as rows:
            release = found_release(rows, wish.project, wish.version)
        fleet = fleet_of(self._database, release, takes_back=wish.takes_back)
        draft = replace(_drafted(wish, fleet, self._salt(SALT_BYTES), operator), reason=reason)

        def begun(tx: Writing) -> Rollout:
            tx.releases.take_turn()
            release = found_release(tx, wish.project, wish.version)
            tx.rollouts.take_turn()
            _check_release(release)
            before = tx.rollouts.of_release(release.number)
            _check_others(release, before)
            is_canaried = any(one.is_canaried for one in before)
            _check_first_stage(draft, is_canaried=is_canaried, override=wish.override)
            rollout = replace(
                draft,
                release=release.number,
                version=release.version,
                is_canaried=is_canaried,
                takes_back=_all_until_now(tx, release) if wish.takes_back else None,
                created_at=tx.second,
                changed_at=tx.second,
            )
            if dry:
                return rollout
            rollout = tx.rollouts.add(rollout)
            note_move(tx, operator, "create_rollout", rollout, reason, override=wish.override)
            return rollout

        rollout = self._database.change(begun)
        self._news.refresh()
        return Begun(rollout, counts_of(rollout, fleet))


def _drafted(wish: RolloutWish, fleet: Fleet, salt: bytes, operator: Operator) -> Rollout:
    """The rollout as far as the wish and the fleet say it."""
    shares = default_shares(has_canaries=bool(wish.canaries))
    rollout = Rollout(
        id=0,
        project=wish.project,
        release=0,
        version=wish.version,
        salt=salt,
        stages=wish.plan.stages or tuple(Stage(share) for share in shares),
        target=wish.target,
        canaries=wish.canaries,
        policy=wish.plan.policy,
        takes_back=0 if wish.takes_back else None,
        created_by=operator.name,
    )
    _check_canaries(rollout, fleet)
    if rollout.stages[0].share == 0 and not rollout.canaries:
        raise Invalid("a first stage of 0 percent needs canaries that are named")
    rollout = replace(rollout, first_device=first_device(rollout, fleet))
    if not wish.plan.stages:
        rollout = replace(rollout, stages=default_stages(shares, counts_of(rollout, fleet).sizes))
    return rollout


def _check_canaries(rollout: Rollout, fleet: Fleet) -> None:
    """Who runs it already may be named again; who never can be offered it is a mistake."""
    members = {one.device.id: one for one in fleet if rollout.is_for(one.device, one.channel)}
    for canary in sorted(rollout.canaries):
        member = members.get(canary)
        if member is None:
            why = f"it is no device of {rollout.project} that could be offered {rollout.version}"
        elif member.is_expected:
            continue
        elif member.why_not in FOR_OTHERS or member.why_not == PINNED:
            why = f"{rollout.version} is not for it ({member.why_not})"
        else:
            continue
        raise Invalid(f"{canary} cannot be a canary: {why}")


def _all_until_now(tx: Writing, release: Release) -> int:
    """A draft may become the release that mends what is gone back from: it comes after this."""
    return max(release.number, tx.releases.last_number())


def _check_release(release: Release) -> None:
    if release.state is ReleaseState.WITHDRAWN:
        raise Conflict(f"{release.version} is withdrawn: restore it first")


def _check_others(release: Release, before: list[Rollout]) -> None:
    running = next((one for one in before if one.is_unfinished), None)
    if running is not None:
        raise Conflict(
            f"rollout {running.id} of {release.version} is {running.state}: finish or abort it"
        )


def _check_first_stage(rollout: Rollout, *, is_canaried: bool, override: bool) -> None:
    # Of a handful of devices one is more than 10 %: what counts is what was asked for.
    if rollout.stages[0].share > UNCANARIED_SHARE_MAX and not (is_canaried or override):
        raise Conflict(
            f"a first stage of {percent(rollout.stages[0].share)} is more than the 10 %"
            " that a release may reach uncanaried; an override with a reason allows it"
        )
