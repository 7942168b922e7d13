"""A fleet's life: boards, the processes of a server, and a seed from which all else follows.

One thing happens at a time, in the order of simulated seconds, so a life is the same every time.
After each thing the invariants are checked. Whoever fails prints the seed and the last entries of
the ledger.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

from ota_http_server.domain.attempt import Attempt
from ota_http_server.domain.offer import Offer
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.rollout import Rollout
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.operations.begin_rollout import Begun, RolloutWish
from ota_http_server.operations.check_in import Answer
from ota_http_server.operations.report import Told, Word
from ota_http_server.storage.engines import sqlite_url
from tests.lives.boards import Act, Board, Plan
from tests.lives.faults import NONE, Faults, some_step
from tests.lives.invariants import Invariants
from tests.lives.ledger import Entry, Ledger
from tests.lives.processes import Death, MortalDatabase, Process
from tests.lives.server import Server
from tests.lives.stock import CHIPS, PROJECT, add_release, device_of, visit
from tests.storage.databases import migrated_sqlite
from tests.storage.fixtures import START

PERSON = Operator("somebody", None)
AGAIN_SECONDS = 30.0
"""After an answer that did not come."""
LOOK_SECONDS = 2.0
"""So often a process looks at the clock."""
RESTARTED_SECONDS = 30.0
"""So soon after its report a board has restarted."""
TOLD_ENTRIES = 25


class Life:
    """One seed, one life."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        *,
        processes: int = 2,
        faults: Faults = NONE,
        poll_seconds: int = 300,
        tick_seconds: float = 25.0,
    ) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.faults = faults
        self.now = 0.0
        """In true seconds; also what `monotonic` tells."""
        self.stepped = 0.0
        """By so much the clock was set, in all."""
        self.folder = folder
        self.boards: dict[str, Board] = {}
        self.words: list[tuple[float, str, str]] = []
        """When a board said what, as far as it arrived: a word of a report, or its version."""
        self._poll_seconds = poll_seconds
        self._tick_seconds = tick_seconds
        self._doing = "it begins"
        self._queue: list[tuple[float, int, str, Callable[[], object]]] = []
        self._order = count()
        self._turns: dict[str, int] = {}
        """Which of its questions a board is about to ask."""
        path = folder / "ota.sqlite"
        path.write_bytes(migrated_sqlite())
        self._rows = MortalDatabase(sqlite_url(path), self.clock, Death())
        """Of whoever stands beside the server."""
        make = partial(
            Process,
            sqlite_url(path),
            folder,
            clock=self.clock,
            monotonic=lambda: self.now,
            salt=self.random.randbytes,
            poll_seconds=poll_seconds,
        )
        self.server = Server(make, processes, self.random, faults.dies_within)
        self.somewhere = self.server.somewhere
        self.ledger = Ledger(path)
        self.watch = Invariants(self.boards, self.rollout)
        self.watch.forgets = faults.kills > 0 or faults.dies_within is not None
        for which in range(processes):
            self.after(which * tick_seconds / processes, f"chores {which}", self._tick, which)

    def clock(self) -> datetime:
        """As people set it."""
        return START + timedelta(seconds=self.now + self.stepped)

    def step_the_clock(self, seconds: float) -> None:
        """Somebody sets it on or back; each process looks at it within two seconds."""
        self.stepped += seconds
        self.watch.caps.clock_stepped = True
        for which in range(len(self.server.processes)):
            moment = self.random.uniform(0.0, LOOK_SECONDS)
            self.after(moment, f"{which} looks at the clock", self._looks_at_the_clock, which)

    def _looks_at_the_clock(self, which: int) -> None:
        self.somewhere(lambda process: process.steady.look(), which)

    # Time goes on.

    def after(self, seconds: float, name: str, work: Callable[..., object], *facts: object) -> None:
        moment = self.now + seconds
        heapq.heappush(self._queue, (moment, next(self._order), name, partial(work, *facts)))

    def run(self, hours: float, until: Callable[[], bool] = lambda: False) -> "Life":
        """Lives on for so long, or until that holds."""
        end = self.now + 3_600 * hours
        while self._queue and self._queue[0][0] <= end and not until():
            self.now, _, name, work = heapq.heappop(self._queue)
            with self._told():
                self._doing = name
                work()
                self.check(name)
        return self

    def check(self, name: str) -> None:
        """Whether all rules held in what was written since."""
        for entry in self.ledger.read_on(self.now, name):
            self.watch.entered(entry)

    @contextmanager
    def by_persons(self) -> Iterator[None]:
        """What happens meanwhile, people did."""
        self.watch.a_person_acts = True
        try:
            yield
            self.check("people")
        finally:
            self.watch.a_person_acts = False

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever fails says which life it was."""
        try:
            yield
        except AssertionError as broken:
            raise AssertionError(f"{broken}\n{self.story}") from broken
        except Exception as error:
            error.add_note(self.story)
            raise

    @property
    def story(self) -> str:
        """For whoever must find out what happened."""
        last = "\n".join(map(str, self.ledger.entries[-TOLD_ENTRIES:]))
        return f"OTA_LIVES_SEED={self.seed} lives this life again; its last entries:\n{last}"

    def _tick(self, which: int) -> None:
        self.somewhere(Process.do_chores, which)
        self.after(self._tick_seconds, f"chores {which}", self._tick, which)

    def close(self) -> None:
        self.ledger.close()
        self._rows.close()
        self.server.close()

    # What there is.

    def publish(self, version: str, chips: Sequence[str] = CHIPS) -> None:
        """A release for these chips; without a rollout it reaches all."""
        self._rows.change(lambda tx: add_release(tx, version, chips))
        self.watch.chips[version] = frozenset(chips)

    def settle(self, boards: Sequence[Board]) -> None:
        """They are in the registry, and ask from now on, spread over their interval."""
        self.boards.update((board.id, board) for board in boards)
        self._rows.change(
            lambda tx: [tx.devices.add(device_of(board, tx.second)) for board in boards]
        )
        for board in boards:
            self.asks_in(board, self.random.uniform(0.0, self._poll_seconds))

    def begin(self, version: str, **wish: object) -> Begun | None:
        """A rollout of this release; None: its process died, but it was written before."""
        asked = RolloutWish(project=PROJECT, version=version, **wish)
        known, begun = len(self.watch.rollouts), None
        while len(self.watch.rollouts) == known:
            begun = self.somewhere(lambda process: process.begin_rollout(PERSON, asked))
            self.check(f"{version} begins")
        if not asked.plan.stages:
            self.watch.begun_by_default(self.watch.rollouts[-1])
        return begun

    def rollout(self, number: int = 1) -> Rollout:
        with self._rows.reading() as rows:
            found = rows.rollouts.get(number)
        assert found is not None
        return found

    def tally(self, number: int = 1) -> Tally:
        with self._rows.reading() as rows:
            return rows.rollouts.tally(number)

    def steered(self, number: int = 1) -> list[Entry]:
        """How the rollout moved."""
        return [e for e in self.ledger.entries if e.kind == "steered" and e.subject == number]

    def state(self, number: int = 1) -> str:
        """Of the rollout, without a look at the rows."""
        return self.watch.state(number)

    # Boards ask, tell and restart.

    def asks_in(self, board: Board, seconds: float) -> None:
        """And not when it would have asked otherwise."""
        turn = self._turns[board.id] = next(self._order)
        self.after(seconds, f"{board.id} asks", self._ask, board, turn)

    def _ask(self, board: Board, turn: int | None = None) -> None:
        if board.is_dead or turn not in (None, self._turns.get(board.id)):
            return
        answer = self._answer(board)
        if answer is not None:
            self.check(self._doing)
            self.watch.answered(board, answer, self.now)
        if board.is_busy:
            return  # it asked before it restarts, and goes on with what it does
        if answer is None:
            self.asks_in(board, AGAIN_SECONDS * self.random.uniform(0.5, 1.5))
        elif isinstance(answer.decision, Offer):
            assert answer.attempt is not None
            self._begins(board, answer.attempt)
        else:
            self.asks_in(board, answer.poll_seconds)

    def _answer(self, board: Board) -> Answer | None:
        """None where the question or the answer was lost."""
        if self.faults.network.loses(self.random):
            return None
        self.words.append((self.now, board.id, board.version))
        self.watch.heard(board.id, self.now)
        answer = self.somewhere(lambda process: process.check_in(visit(board), board.sighting()))
        board.is_new = board.is_new and answer is None
        return None if self.faults.network.loses(self.random) else answer

    def _begins(self, board: Board, attempt: Attempt) -> None:
        for plan in board.updates(attempt.version, self.random):
            name = f"{board.id} {plan.told or plan.act}"
            self.after(plan.after_seconds, name, self._act, board, plan, attempt)

    def _act(self, board: Board, plan: Plan, attempt: Attempt) -> None:
        match plan.act:
            case Act.FETCHED:
                self.somewhere(
                    lambda process: process.progress.sent(
                        board.id, attempt.sha256, attempt.size, whole=True
                    )
                )
            case Act.TELL:
                for seconds in self.faults.network.arrivals(self.random):
                    word = Word(plan.told, attempt.id)
                    self.after(seconds, f"{board.id} told {plan.told}", self._tell, board, word)
            case Act.ASK:
                self._ask(board)
            case Act.RESTART:
                board.restarts(attempt.version)
                self._ask(board)
            case Act.GIVE_UP:
                board.gives_up()
                self.asks_in(board, self._poll_seconds)

    def _tell(self, board: Board, word: Word) -> None:
        self.words.append((self.now, board.id, word.told))
        self.watch.heard(board.id, self.now)
        self.somewhere(lambda process: process.report(visit(board), word))
        if word.told is Told.INSTALLED and self.random.random() < self.faults.steps_at_restarts:
            moment = self.random.uniform(0.0, RESTARTED_SECONDS)
            self.after(moment, "the clock steps", self.step_the_clock, some_step(self.random))
