"""Processes that work without end, each killed at a random moment; for programs of tests."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable


def child(work: Callable[[int], None]) -> int:
    """A process that has begun: `work` never returns, and writes to the descriptor that it gets."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(write)
        finally:
            os._exit(1)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    return pid


def kill_in_pairs(
    begin: Callable[[int], int], rounds: int, seed: int, alive_seconds_max: float
) -> None:
    """Two processes live at a time. `begin` starts the one of this number and tells its id."""
    moments = random.Random(seed)
    for number in range(rounds):
        children = [begin(2 * number + which) for which in range(2)]
        for pid in children:
            time.sleep(moments.uniform(0, alive_seconds_max))
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if not os.WIFSIGNALED(status):
                sys.exit("a process ended before it was killed")
