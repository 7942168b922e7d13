"""How many lines a second a log may get: what strangers or boards cause must fill no disk."""

import time
from collections.abc import Callable


class LinePace:
    """Lets some lines of each second through and counts the others. One for each kind of line."""

    def __init__(
        self, lines_a_second_max: int, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._lines_a_second_max = lines_a_second_max
        self._monotonic = monotonic
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def allows(self) -> bool:
        """Whether this line may be written."""
        second = int(self._monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines <= self._lines_a_second_max:
            return True
        self._left_out += 1
        return False

    def left_out(self) -> int:
        """How many lines were not written since this was asked for the last time."""
        count, self._left_out = self._left_out, 0
        return count
