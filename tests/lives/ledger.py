"""The ledger of a life: what became of the rows, written by the database itself.

Triggers write it inside the transaction that changes a row, whichever process that is: what was
rolled back is not in it, and what was true in that moment (the stage of the rollout, how many
devices updated) stands beside each entry.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

_TABLE = """
CREATE TABLE life (
    n INTEGER PRIMARY KEY, kind TEXT, subject INTEGER, device TEXT, release TEXT, rollout INTEGER,
    before TEXT, after TEXT, stage_before INTEGER, stage INTEGER, first TEXT, open INTEGER,
    image TEXT
)
"""
_OPENED = """
CREATE TRIGGER life_opened AFTER INSERT ON attempts BEGIN
    INSERT INTO life SELECT NULL, 'opened', new.id, new.device, new.version, new.rollout,
        r.state, new.state, r.stage, r.stage, r.first_device,
        (SELECT count(*) FROM attempts WHERE is_open IS 1 AND +rollout = new.rollout),
        new.image_name
    FROM (SELECT 1) LEFT JOIN rollouts r ON r.id = new.rollout;
END
"""
_MOVED = """
CREATE TRIGGER life_moved AFTER UPDATE OF state ON attempts WHEN old.state <> new.state BEGIN
    INSERT INTO life VALUES (NULL, 'moved', new.id, new.device, new.version, new.rollout,
        old.state, new.state, NULL, NULL, NULL, NULL, new.image_name);
END
"""
_BEGUN = """
CREATE TRIGGER life_begun AFTER INSERT ON rollouts BEGIN
    INSERT INTO life VALUES (NULL, 'begun', new.id, NULL, NULL, new.id,
        NULL, new.state, 0, new.stage, new.first_device, NULL, NULL);
END
"""
_STEERED = """
CREATE TRIGGER life_steered AFTER UPDATE ON rollouts
WHEN old.state <> new.state OR old.stage <> new.stage OR old.first_device IS NOT new.first_device
BEGIN
    INSERT INTO life VALUES (NULL, 'steered', new.id, NULL, NULL, new.id,
        old.state, new.state, old.stage, new.stage, new.first_device, NULL, NULL);
END
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of a row. `kind`: an attempt opened or moved, a rollout was begun or steered."""

    n: int
    kind: str
    subject: int
    """The attempt's or the rollout's number."""
    device: str | None
    release: str | None
    rollout: int | None
    before: str | None
    """The state that it had; of an opened attempt, its rollout's."""
    after: str
    stage_before: int | None
    stage: int | None
    first: str | None
    """The device with which its rollout begins beside its first stage."""
    open: int | None
    """So many attempts of the rollout are open now."""
    image: str | None
    """The name of the attempt's image."""
    at: float = 0.0
    """In true seconds since the life began."""
    by: str = ""
    """What was going on."""

    def __str__(self) -> str:
        what = self.device or f"stage {self.stage_before}→{self.stage}"
        moved = f"{self.kind} {self.subject} {what} {self.before}→{self.after}"
        return f"{self.at:10.1f} {moved} ({self.by})"


class Ledger:
    """Read as it grows, from a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._rows = sqlite3.connect(path, isolation_level=None)
        for statement in (_TABLE, _OPENED, _MOVED, _BEGUN, _STEERED):
            self._rows.execute(statement)
        self.entries: list[Entry] = []

    def read_on(self, at: float, by: str) -> list[Entry]:
        """What was written since."""
        found = self._rows.execute("SELECT * FROM life WHERE n > ? ORDER BY n", (self._last,))
        new = [Entry(*row, at=at, by=by) for row in found]
        self.entries += new
        return new

    @property
    def _last(self) -> int:
        return self.entries[-1].n if self.entries else 0

    def close(self) -> None:
        self._rows.close()
