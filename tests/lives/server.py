"""The processes of a server: whoever needs one is sent to any of them, and some of them die."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TypeVar

from tests.lives.processes import Killed, Process

T = TypeVar("T")


class Server:
    """As many processes as at the beginning: in the place of a dead one another begins."""

    def __init__(
        self,
        make: Callable[[], Process],
        processes: int,
        random: Random,
        dies_within: int | None,
    ) -> None:
        self._make = make
        self._random = random
        self._dies_within = dies_within
        self.processes = [self._begun() for _ in range(processes)]
        self.died: Counter[str] = Counter()
        """Where they were when they died: before which statement or commit, or after it."""

    def somewhere(self, work: Callable[[Process], T], which: int | None = None) -> T | None:
        """One of the processes does it; None: it died on the way, and nobody got an answer."""
        if which is None:
            which = self._random.randrange(len(self.processes))
        try:
            return work(self.processes[which])
        except Killed as killed:
            self.died[str(killed)] += 1
            self.processes[which].database.close()
            self.processes[which] = self._begun()
            return None

    def close(self) -> None:
        for process in self.processes:
            process.database.close()

    def _begun(self) -> Process:
        process = self._make()
        if self._dies_within is not None:
            process.death.comes_after(self._random.randint(1, self._dies_within))
        return process
