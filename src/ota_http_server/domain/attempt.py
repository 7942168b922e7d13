"""One device's try at one release, from the offer to the proof that it runs.

A report of success makes it *installed*; only a device that is seen running the new image makes
it *verified*. Seen with the old one again it was *rolled back*, and counts as failed.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

FIRST_ID = 1001
"""A slip in one client's parser drops the first digit of an id, and fails where nothing but zeros
is left (Zephyr's hawkBit client): ids begin here and skip those."""


class State(StrEnum):
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    INSTALLED = "installed"
    VERIFIED = "verified"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    SILENT = "silent"
    CANCELED = "canceled"
    SUPERSEDED = "superseded"


_ENDS = frozenset(
    {
        State.VERIFIED,
        State.FAILED,
        State.ROLLED_BACK,
        State.SILENT,
        State.CANCELED,
        State.SUPERSEDED,
    }
)

# A device may skip ahead (some only ever report the end) but never go back.
MOVES: dict[State, frozenset[State]] = {
    State.OFFERED: frozenset({State.DOWNLOADING, State.DOWNLOADED, State.INSTALLED}) | _ENDS,
    State.DOWNLOADING: frozenset({State.DOWNLOADED, State.INSTALLED}) | _ENDS,
    State.DOWNLOADED: frozenset({State.INSTALLED}) | _ENDS,
    State.INSTALLED: frozenset(
        {State.VERIFIED, State.FAILED, State.ROLLED_BACK, State.SILENT, State.SUPERSEDED}
    ),
    # It was slow, not dead; or what replaced it was never begun.
    State.SILENT: frozenset(
        {State.DOWNLOADED, State.INSTALLED, State.VERIFIED, State.FAILED, State.ROLLED_BACK}
    ),
    State.SUPERSEDED: frozenset({State.VERIFIED}),
    State.CANCELED: frozenset({State.VERIFIED}),  # the cancellation came too late
    State.VERIFIED: frozenset(),
    State.FAILED: frozenset(),
    State.ROLLED_BACK: frozenset(),
}

OPEN = frozenset({State.OFFERED, State.DOWNLOADING, State.DOWNLOADED, State.INSTALLED})
BEGUN = frozenset({State.DOWNLOADING, State.DOWNLOADED, State.INSTALLED})
BAD = frozenset({State.FAILED, State.ROLLED_BACK})
DETAIL_CHARACTERS_MAX = 256
LINES_MAX = 200  # of one attempt; SWUpdate sends about 60, the rest is a device in a loop
LINE_CHARACTERS_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Times are unix seconds."""

    id: int
    device: str
    project: str
    release: int
    """`Release.number`."""
    version: str
    image_name: str
    sha256: str
    size: int
    state: State
    from_version: str | None
    from_sha256: str | None
    offered_at: int
    changed_at: int
    """When it last moved on or anything was heard of it."""
    downloaded_at: int | None = None
    installed_at: int | None = None
    finished_at: int | None = None
    sent_bytes: int = 0
    """How much of the image the server saw go out, in all."""
    deliveries: int = 0
    """How often the whole image went out."""
    cancel_asked: bool = False
    with_rollout: bool = False
    """It was called off with its whole rollout: that says nothing about this device."""
    detail: str = ""
    rollout: int | None = None
    """The rollout that it was offered by."""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_canceling(self) -> bool:
        """It was asked to give up and still can; what is installed already was faster."""
        return self.cancel_asked and self.is_open and self.may_become(State.CANCELED)

    @property
    def went_wrong(self) -> bool:
        """It speaks against its release: a device that gave up by itself does, too."""
        gave_up = self.state is State.CANCELED and not self.cancel_asked
        return gave_up or self.state in BAD or self.state is State.SILENT

    def may_become(self, state: State) -> bool:
        return state in MOVES[self.state]

    def after(self, state: State, at: int, detail: str = "") -> "Attempt":
        """The attempt moved on; itself where it cannot move there (late and repeated words)."""
        if state is self.state or not self.may_become(state):
            return self
        return replace(
            self,
            state=state,
            changed_at=at,
            downloaded_at=at if state is State.DOWNLOADED else self.downloaded_at,
            installed_at=at if state is State.INSTALLED else self.installed_at,
            finished_at=None if state in OPEN else at,
            detail=detail[:DETAIL_CHARACTERS_MAX] or self.detail,
        )


def is_good_id(number: int) -> bool:
    """Whether every client reads this id rightly (see `FIRST_ID`)."""
    return number >= FIRST_ID and str(number)[1:].strip("0") != ""


def next_id(after: int) -> int:
    """The id of the next attempt."""
    number = max(after + 1, FIRST_ID)
    while not is_good_id(number):
        number += 1
    return number
