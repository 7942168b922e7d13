"""A program for tests: processes that add events without end, each killed at a random moment.

`python -m tests.storage.killed URL FOLDER ROUNDS SEED`; two processes live at a time.
"""

import os
import sys
from pathlib import Path

from ota_http_server.storage.audit_head import AuditHead
from ota_http_server.storage.database import Database
from ota_http_server.storage.journal import FileJournal
from tests.killing import child, kill_in_pairs

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


def main(url: str, folder: str, rounds: str, seed: str) -> None:
    def begin(_number: int) -> int:
        return child(lambda started: add_forever(url, Path(folder), started))

    kill_in_pairs(begin, int(rounds), int(seed), ALIVE_SECONDS_MAX)


if __name__ == "__main__":
    main(*sys.argv[1:])
