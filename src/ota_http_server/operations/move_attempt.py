"""Moving an attempt on, in whatever transaction, as its life cycle allows."""

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.operations.judge_rollout import judge
from ota_http_server.storage.transaction import Writing


def move(tx: Writing, attempt: Attempt, state: State, detail: str = "") -> Attempt:
    """The attempt afterwards. What is late or repeated changes nothing.

    What went wrong is counted here, in the transaction that learns of it: a rollout that it halts
    offers nothing from the next commit on.
    """
    after = attempt.after(state, tx.second, detail)
    if after is not attempt:
        tx.attempts.change(after, moved=True)
        if after.rollout is not None and after.went_wrong:
            judge(tx, after.rollout)
    return after
