"""A few boards live their lives in any order of events: what the server believes stays true.

Two processes share rows and files, as behind a proxy. Boards download, install, restart, come back
with the old image, repeat themselves and say nothing; releases come; the clock moves.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ota_http_server.domain.attempt import State
from ota_http_server.domain.offer import Offer
from ota_http_server.domain.version import version_key
from ota_http_server.operations.report import Told
from ota_http_server.operations.visit import Visit
from ota_http_server.storage.database import Database
from ota_http_server.storage.engines import sqlite_url
from tests.operations.fleets import Fleet, lamp
from tests.storage.databases import migrated_sqlite
from tests.storage.fixtures import Clock

ENDS = (State.VERIFIED, State.FAILED, State.ROLLED_BACK)
CHIPS = ("esp32", "esp32s3")


@dataclass
class Board:
    """What is true of it, whatever the server believes."""

    name: str
    chip: str
    runs: str = "1.0.0"
    had: str = "1.0.0"
    offer: Offer | None = None

    @property
    def visit(self) -> Visit:
        return Visit(self.name, "lamp", "192.0.2.1")


class Fleets(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        place = Path(self.folder.name)
        (place / "ota.sqlite").write_bytes(migrated_sqlite())
        self.clock = Clock()
        self.databases = [
            Database(sqlite_url(place / "ota.sqlite"), clock=self.clock) for _ in range(2)
        ]
        self.processes = [Fleet(database, self.clock, place) for database in self.databases]
        self.boards = [Board(f"board-{n}", CHIPS[n % 2]) for n in range(3)]
        self.minor = 0
        self.ended = {}
        self.ever_ran = {(board.name, board.runs) for board in self.boards}

    def teardown(self) -> None:
        for database in self.databases:
            database.close()
        self.folder.cleanup()

    boards_ = st.integers(0, 2)
    process_ = st.integers(0, 1)

    @rule(chip=st.sampled_from(CHIPS))
    def a_release_comes(self, chip):
        self.minor += 1
        version = f"1.{self.minor}.0"
        name = f"lamp-{version}-{chip}.bin"
        self.processes[0].drop(name, lamp(version, chip=chip, seed=self.minor))

    @rule(number=boards_, process=process_, says=st.booleans())
    def it_checks_in(self, number, process, says):
        board = self.boards[number]
        said = {"version": board.runs, "chip": board.chip} if says else {"chip": board.chip}
        answer = self.processes[process].comes(board.visit, **said)

        if says:
            assert answer.device.version == board.runs
        board.offer = answer.decision if isinstance(answer.decision, Offer) else None
        if board.offer is not None:
            assert board.offer.image.chip == board.chip
            assert answer.attempt.device == board.name
            believed = answer.device.version
            assert version_key(board.offer.release.version) > version_key(believed)

    @rule(number=boards_, process=process_, told=st.sampled_from(list(Told)))
    def it_tells(self, number, process, told):
        board = self.boards[number]
        if self.attempts(board):
            self.processes[process].tells(told, board.visit)

    @rule(number=boards_, process=process_)
    def it_downloads(self, number, process):
        board = self.boards[number]
        if board.offer is not None:
            image = board.offer.image
            self.processes[process].progress.sent(board.name, image.sha256, image.size, whole=True)
            self.processes[process].progress.write()

    @rule(number=boards_, comes_back=st.booleans())
    def it_installs_and_restarts(self, number, comes_back):
        board = self.boards[number]
        if board.offer is not None:
            self.processes[0].tells(Told.INSTALLED, board.visit)
            board.had = board.runs
            if comes_back:
                board.runs = board.offer.release.version
                self.ever_ran.add((board.name, board.runs))
            board.offer = None

    @rule(seconds=st.sampled_from([1, 61, 4_000]))
    def time_passes(self, seconds):
        self.clock.pass_seconds(seconds)
        for process in self.processes:
            process.registry.write()
        self.processes[1].mark_silent()

    def attempts(self, board):
        return self.processes[0].attempts(board.name)

    @invariant()
    def at_most_the_latest_attempt_is_open(self):
        for board in self.boards:
            assert [a.is_open for a in self.attempts(board)[1:]].count(True) == 0

    @invariant()
    def what_ended_stays_as_it_ended(self):
        for board in self.boards:
            for attempt in self.attempts(board):
                if attempt.id in self.ended:
                    assert attempt.state is self.ended[attempt.id]
                elif attempt.state in ENDS:
                    self.ended[attempt.id] = attempt.state

    @invariant()
    def only_what_a_board_really_ran_is_verified(self):
        for board in self.boards:
            for attempt in self.attempts(board):
                if attempt.state is State.VERIFIED:
                    assert (board.name, attempt.version) in self.ever_ran


TestFleets = Fleets.TestCase
TestFleets.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
