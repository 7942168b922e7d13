"""Threads for what would block: the greenlet waits, the others go on."""

from collections.abc import Callable
from typing import Any, TypeVar

from gevent import monkey
from gevent.threadpool import ThreadPool

from ota_http_server.server.options import Run

T = TypeVar("T")


def on_threads(count: int) -> Run:
    """Work on any of `count` threads."""
    pool = ThreadPool(count)

    def run(work: Callable[[], T], /) -> T:
        value, failure = pool.apply(_outcome, (work,))
        if failure is not None:
            raise failure
        return value  # type: ignore[no-any-return]

    return run


def one_by_one() -> Run:
    """Work on one thread, never two at once, wherever it is asked for.

    From a thread of another pool gevent runs it right there, so a lock (a real one, gevent's would
    belong to a single thread) keeps the promise.
    """
    on_one = on_threads(1)
    lock = monkey.get_original("_thread", "RLock")()

    def run(work: Callable[[], T], /) -> T:
        def alone() -> T:
            with lock:
                return work()

        return on_one(alone)

    return run


def _outcome(work: Callable[[], T]) -> tuple[Any, BaseException | None]:
    """Failures travel as values: gevent would print them, though they are caught later."""
    try:
        return work(), None
    except BaseException as failure:  # pylint: disable=broad-exception-caught
        return None, failure
