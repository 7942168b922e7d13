"""Whatever process is killed when: the chain holds, and each event has its line exactly once."""

import random
import subprocess
import sys
from collections import Counter

from ota_http_server.operations.verify_audit import verify_audit
from ota_http_server.storage.audit_line import audit_line
from tests.storage.killed import opened

ROUNDS = 6


def test_killed_processes_leave_a_sound_chain_and_each_line_once(database_url, tmp_path):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    command = [sys.executable, "-m", "tests.storage.killed", database_url, str(tmp_path)]
    subprocess.run([*command, str(ROUNDS), str(seed)], check=True, timeout=300)
    database, journal = opened(database_url, tmp_path)

    journal.repair(database)

    with database.reading() as tx:
        events = tx.events.page(0, 1_000_000)
        owed = tx.events.unwritten(journal.name)
    lines = (tmp_path / "ota_audit.log").read_text().splitlines()
    verdict = verify_audit(database, tmp_path / "audit.head", b"key")
    assert len(events) >= ROUNDS
    assert Counter(lines) == Counter(map(audit_line, events))
    assert owed == []
    assert (verdict.ok, verdict.findings) == (True, ())
    database.close()
