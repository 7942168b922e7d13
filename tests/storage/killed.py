"""A program for tests: processes that add events without end, each killed at a random moment.

`python -m tests.storage.killed URL FOLDER ROUNDS SEED`; two processes live at a time.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from ota_http_server.storage.audit_head import AuditHead
from ota_http_server.storage.database import Database
from ota_http_server.storage.journal import FileJournal

ALIVE_SECONDS_MAX = 0.12


def opened(url: str, folder: Path) -> tuple[Database, FileJournal]:
    journal = FileJournal(folder / "ota_audit.log", AuditHead(folder / "audit.head", b"key"))
    return Database(url, journal=journal), journal


def add_forever(url: str, folder: Path, started: int) -> None:
    database, journal = opened(url, folder)
    journal.repair(database)
    os.write(started, b".")
    while True:
        database.change(lambda tx: tx.events.add("generate_token", device="always the same"))
        database.change(lambda tx: [tx.events.add("revoke_token", count=n) for n in range(3)])


def child(url: str, folder: Path) -> int:
    """A process that has begun to add events."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            add_forever(url, folder, write)
        finally:
            os._exit(1)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    return pid


def main(url: str, folder: str, rounds: str, seed: str) -> None:
    moments = random.Random(int(seed))
    for _ in range(int(rounds)):
        children = [child(url, Path(folder)) for _ in range(2)]
        for pid in children:
            time.sleep(moments.uniform(0, ALIVE_SECONDS_MAX))
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if not os.WIFSIGNALED(status):
                sys.exit("a process ended before it was killed")


if __name__ == "__main__":
    main(*sys.argv[1:])
