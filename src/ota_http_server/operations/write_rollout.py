"""What every change of a rollout does: find it in the edition that is meant, write the next one,
note it for the audit.
"""

from dataclasses import replace

from ota_http_server.domain.edition import ANY_EDITION, Expected
from ota_http_server.domain.errors import Conflict, Invalid, NotFound
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.rollout import Rollout, State
from ota_http_server.storage.transaction import Reading, Writing

REASON_CHARACTERS_MAX = 200  # it stands in the audit log, a line of its own
NO_SUCH_ROLLOUT = "there is no such rollout"


def rollout_for(
    rows: Reading,
    operator: Operator,
    number: int,
    expected: Expected = ANY_EDITION,
    role: Role = Role.OPERATOR,
) -> Rollout:
    """The rollout, if this operator may do that with it; what is another project's is not there."""
    rollout = rows.rollouts.get(number)
    if rollout is None or not operator.may_see(rollout.project):
        raise NotFound(NO_SUCH_ROLLOUT)
    operator.must(role, rollout.project)
    expected.check(rollout.edition)
    return rollout


def moved(tx: Writing, rollout: Rollout, state: State, reason: str) -> Rollout:
    """The rollout in its new state, written; `Conflict` where it cannot come from its own."""
    if not rollout.may_become(state):
        raise Conflict(f"rollout {rollout.id} is {rollout.state} and cannot become {state}")
    return written(tx, replace(rollout, state=state, reason=reason))


def written(tx: Writing, rollout: Rollout) -> Rollout:
    after = replace(rollout, changed_at=tx.second, edition=rollout.edition + 1)
    tx.rollouts.change(after)
    return after


def note_rollout(
    tx: Writing,
    operator: Operator | None,
    action: str,
    rollout: Rollout,
    **facts: str | int | None,
) -> None:
    """The event; without an operator, the server did it by itself."""
    tx.events.add(
        action,
        IP=None if operator is None else operator.address,
        project=rollout.project,
        release=rollout.version,
        rollout=rollout.id,
        **facts,
        actor="server" if operator is None else operator.name,
    )


def note_move(
    tx: Writing,
    operator: Operator,
    action: str,
    rollout: Rollout,
    reason: str,
    *,
    override: bool = False,
    **facts: str | None,
) -> None:
    """The event of what a person did, and why."""
    note_rollout(
        tx,
        operator,
        action,
        rollout,
        stage=rollout.stage + 1,
        override="yes" if override else None,
        **facts,
        reason=reason or None,
    )


def reason_of(value: object, *, needed: bool) -> str:
    """A reason as it is kept, or `Invalid`."""
    text = value.strip() if isinstance(value, str) else ""
    if needed and not text:
        raise Invalid("say why: a reason is needed, and stands in the audit log")
    if len(text) > REASON_CHARACTERS_MAX:
        raise Invalid(f"a reason has at most {REASON_CHARACTERS_MAX} characters")
    return text
