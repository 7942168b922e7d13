"""What must hold at every moment of every life, whatever goes wrong.

Nothing here asks the server's own rules: cohorts, versions and life cycles are worked out once
more, from the requirements. What a device came to is held against what the board did in truth.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from hashlib import sha256

from ota_http_server.domain.offer import Offer
from ota_http_server.domain.rollout import Rollout
from ota_http_server.operations.check_in import Answer
from tests.lives.boards import Board, Fate
from tests.lives.caps import OPEN, Caps
from tests.lives.ledger import Entry
from tests.lives.processes import SILENT_SECONDS
from tests.lives.stock import image_name

NEWS_SECONDS = 2.0
"""So long after a change another process may not know of it."""
AFTER_THE_END = {
    "verified": set(),
    "failed": set(),
    "rolled-back": set(),
    "canceled": {"verified"},
    "superseded": {"verified"},
    "silent": {"downloaded", "installed", "verified", "failed", "rolled-back"},
}
"""What an ended attempt may still become: a slow device tells of the end after all."""
ORDER = ["offered", "downloading", "downloaded", "installed"]
BY_PERSONS = {("halted", "running"), ("paused", "running"), ("running", "paused")}
GOING = {"running", "finished"}
WRONG = {"failed", "rolled-back", "silent", "canceled"}
UNWRITTEN_SECONDS = 60.0
"""So long another process may not know that a board was here; twice the time between chores."""


def place(salt: bytes, device: str) -> int:
    return int.from_bytes(sha256(salt + device.encode()).digest()[:8], "big") % 10_000


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


class Invariants:
    """Fed with every entry of the ledger and every answer; raises `AssertionError`."""

    def __init__(self, boards: Mapping[str, Board], rollout: Callable[[int], Rollout]) -> None:
        self._boards = boards
        self._read = rollout
        self._rollouts: dict[int, Rollout] = {}
        self._places: dict[int, dict[str, int]] = {}
        self._farthest: dict[int, int] = {}
        """By rollout: the greatest share that it ever had."""
        self._first: dict[int, str | None] = {}
        """By rollout: the device that comes before its first stage."""
        self._states: dict[int, tuple[str, float]] = {}
        """By rollout: its state, and since when."""
        self._latest: dict[str, Entry] = {}
        """By device: where its latest attempt stands."""
        self._wrong: dict[int | None, set[str]] = defaultdict(set)
        """By rollout: devices on which it ever went wrong."""
        self._heard_at: dict[str, float] = {}
        self.chips: dict[str, frozenset[str]] = {}
        """By version: for which the release has an image."""
        self.forgets = False
        """Processes die, and with them what they have not written of who was here."""
        self.caps = Caps(boards)
        self.answers = 0
        self.offered: dict[str, set[str]] = defaultdict(set)
        """By version: the boards that were ever told to take it."""
        self.stopped_at: float | None = None
        self.stops_by_file = False
        self.a_person_acts = False

    def state(self, rollout: int) -> str:
        return self._states[rollout][0]

    @property
    def rollouts(self) -> list[int]:
        """Their numbers, the oldest first."""
        return list(self._states)

    def entered(self, entry: Entry) -> None:
        kinds = {
            "opened": self._opened,
            "moved": self._moved,
            "begun": self._begun,
            "steered": self._steered,
        }
        kinds[entry.kind](entry)

    def _opened(self, entry: Entry) -> None:
        assert entry.device is not None and entry.release is not None
        board = self._boards[entry.device]
        assert number(entry.release) > number(board.version), f"not newer: {entry}"
        image = image_name(entry.release, board.chip)
        assert entry.image == image, f"{entry.image} does not fit {board.chip}: {entry}"
        self._latest[entry.device] = entry
        self.caps.opened(entry, self._rollouts.get(entry.rollout or 0))
        late = entry.at - self.stopped_at if self.stopped_at is not None else -1.0
        assert late < (NEWS_SECONDS if self.stops_by_file else 0.0), f"offers are stopped: {entry}"
        if entry.rollout is not None:
            self._opened_by_rollout(entry, board)

    def _opened_by_rollout(self, entry: Entry, board: Board) -> None:
        rollout = self._rollouts[entry.rollout or 0]
        assert entry.before in GOING, f"its rollout is {entry.before}: {entry}"
        share = rollout.stages[entry.stage or 0].share
        share = 10_000 if entry.before == "finished" else share
        self._first[rollout.id] = entry.first
        assert self._is_in(rollout, board.id, share), f"beyond the cohort of {share}: {entry}"

    def _moved(self, entry: Entry) -> None:
        before, after = entry.before or "", entry.after
        if before in OPEN:
            goes_on = after not in OPEN or ORDER.index(after) > ORDER.index(before)
            assert goes_on, f"it went back: {entry}"
        else:
            assert after in AFTER_THE_END[before], f"a finished attempt moved: {entry}"
        self.caps.moved(entry)
        if self._latest[entry.device or ""].subject == entry.subject:
            self._latest[entry.device or ""] = entry
        if after in WRONG:
            self._wrong[entry.rollout].add(entry.device or "")
            self._check_truth(entry)

    def _check_truth(self, entry: Entry) -> None:
        """No verdict about a board that did nothing to deserve it."""
        assert entry.device is not None and entry.release is not None
        fate = self._boards[entry.device].fate(entry.release)
        if entry.after == "rolled-back":
            assert fate is Fate.ROLLS_BACK, f"it never went back: {entry}"
        elif entry.after == "failed":
            # What is sent again and again to one that goes back each time has failed, too.
            assert fate in (Fate.FAILS, Fate.ROLLS_BACK), f"it never failed: {entry}"
        elif entry.after == "silent" and not self.forgets:
            rollout = self._rollouts.get(entry.rollout or 0)
            seconds = SILENT_SECONDS if rollout is None else rollout.policy.silent_seconds
            silence = entry.at - self._heard_at.get(entry.device, 0.0)
            assert silence >= seconds - UNWRITTEN_SECONDS, (
                f"{silence} seconds ago it spoke: {entry}"
            )

    def heard(self, device: str, at: float) -> None:
        """A word of the board reached the server."""
        self._heard_at[device] = at

    def _begun(self, entry: Entry) -> None:
        self._rollouts[entry.subject] = rollout = self._read(entry.subject)
        self._places[rollout.id] = {}
        self._states[rollout.id] = entry.after, entry.at
        self._farthest[rollout.id] = rollout.stages[0].share
        self._first[rollout.id] = entry.first

    def begun_by_default(self, number: int) -> None:
        """No stage of a default plan waits for more devices than there are for it."""
        rollout = self._rollouts[number]
        meant = [name for name, board in self._boards.items() if self._is_meant(rollout, board)]
        for which, stage in enumerate(rollout.stages):
            there = sum(self._is_in(rollout, name, stage.share) for name in meant)
            needed = stage.verified_min if meant else 0
            assert there >= needed, f"stage {which} has {there}, and waits for {needed}"

    def _is_meant(self, rollout: Rollout, board: Board) -> bool:
        """As far as the registry knows it: of a new one it knows nothing."""
        chip = board.chip is None or board.chip in self.chips[rollout.version]
        return board.is_new or (chip and number(board.version) < number(rollout.version))

    def _steered(self, entry: Entry) -> None:
        assert entry.stage is not None and entry.stage_before is not None
        rollout = self._rollouts[entry.subject]
        move = (entry.before or "", entry.after)
        assert entry.stage - entry.stage_before in (0, 1), f"not one stage further: {entry}"
        if entry.stage != entry.stage_before:
            assert move == ("running", "running"), f"only a running one advances: {entry}"
        if move in BY_PERSONS or (entry.after == "aborted"):
            assert self.a_person_acts, f"nobody said so: {entry}"
        if entry.after == "halted":
            wrong = self._wrong[rollout.id]
            least = rollout.policy.halting_devices_min
            assert len(wrong) >= least, f"halted by {sorted(wrong)} alone: {entry}"
        if entry.after == "finished":
            assert entry.stage == len(rollout.stages) - 1, f"finished too early: {entry}"
        self._states[rollout.id] = entry.after, entry.at
        self._rollouts[rollout.id] = rollout = self._read(rollout.id)
        share = rollout.stages[entry.stage].share
        self._first[rollout.id] = entry.first
        before, self._farthest[rollout.id] = self._farthest[rollout.id], share
        lost = [b for b in self._boards if self._was(rollout, b, before, share)]
        assert not lost, f"widening dropped {lost}: {entry}"

    def answered(self, board: Board, answer: Answer, at: float) -> None:
        """What a board was told."""
        self.answers += 1
        latest = self._latest.get(board.id)
        if latest is not None and latest.release == board.version:
            assert latest.after == "verified", f"it runs it, and said so: {latest}"
        offer = answer.decision
        if not isinstance(offer, Offer):
            return
        version, chip = offer.release.version, offer.image.chip
        assert board.chip is not None and chip == board.chip, f"{board.id}: {chip} on {board.chip}"
        assert number(version) > number(board.version), f"{board.id}: not above {board.version}"
        late = at - self.stopped_at if self.stopped_at is not None else 0.0
        assert late <= NEWS_SECONDS, f"{board.id}: offered {late} seconds after the stop"
        self.offered[version].add(board.id)
        if offer.rollout is not None:
            self._reached(offer.rollout.id, board, answer, at)

    def _reached(self, number: int, board: Board, answer: Answer, at: float) -> None:
        rollout, (state, since) = self._rollouts[number], self._states[number]
        assert self._is_in(rollout, board.id, self._farthest[number]), f"{board.id}: not reached"
        has_begun = answer.attempt is not None and answer.attempt.state.value != "offered"
        told = state in GOING or at - since <= NEWS_SECONDS or has_begun
        assert told, f"{board.id}: rollout {number} is {state} for {at - since} seconds"

    def _is_in(self, rollout: Rollout, device: str, share: int) -> bool:
        if device in rollout.canaries or device == self._first[rollout.id] or share >= 10_000:
            return True
        places = self._places[rollout.id]
        if device not in places:
            places[device] = place(rollout.salt, device)
        return places[device] < share

    def _was(self, rollout: Rollout, device: str, before: int, now: int) -> bool:
        return self._is_in(rollout, device, before) and not self._is_in(rollout, device, now)
