"""Moving an attempt on, in whatever transaction, as its life cycle allows."""

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.storage.transaction import Writing


def move(tx: Writing, attempt: Attempt, state: State, detail: str = "") -> Attempt:
    """The attempt afterwards. What is late or repeated changes nothing."""
    after = attempt.after(state, tx.second, detail)
    if after is not attempt:
        tx.attempts.change(after)
    return after
