"""gevent's patches, on their own: they must come before `ssl` and Flask are imported."""

import sys


def patch() -> None:
    """Make the standard library's sockets, locks and sleeps give way to other greenlets.

    `os.fork` and signals stay as they are: the starting process forks and waits for its workers
    itself, and gevent's versions would watch the same children a second time. Nothing happens on
    Windows, where another server runs the application.
    """
    if sys.platform == "win32":
        return
    from gevent import monkey  # pylint: disable=import-outside-toplevel

    if not monkey.is_module_patched("socket"):
        monkey.patch_all(os=False, signal=False)
