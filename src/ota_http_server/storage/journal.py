"""From committed events to lines in the audit log, and to the head that is kept apart.

The row of an event is written with the change that it tells of; its line follows after the
commit. Between the two a process may die or the log's disk may be full, so a row also says
whether its line is known to be written. Saying so costs no transaction of its own: the next one
that adds an event carries it, and `repair` does it at start, at stop and now and then.

Where the lock cannot be had, or the log's disk is full, what is owed stays in memory and follows
with the next event, or when `catch_up` is called.

`repair` may meet events that a living process has committed a moment ago and not written yet. It
writes them; that process then finds its lines written, because both look under one lock.
"""

import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path

from ota_http_server.logs import logger
from ota_http_server.storage.audit_head import AuditHead, Head, SpoiltHead
from ota_http_server.storage.audit_lock import AuditLock, Held
from ota_http_server.storage.audit_log import AuditLog
from ota_http_server.storage.database import Database
from ota_http_server.storage.events import Event, Events

LOG = logger("audit")

OWED_MAX = 1_000  # lines that a full disk refused and that memory keeps; `repair` finds the rest
PAGE = 1_000


class FileJournal:
    """The audit log of this host. One object serves one process."""

    def __init__(self, log_path: Path, head: AuditHead) -> None:
        place = (socket.gethostname(), str(log_path.absolute()), str(head.path.absolute()))
        self.name = hashlib.sha256("\0".join(place).encode("utf-8", "surrogateescape")).hexdigest()
        self._head = head
        self._log = AuditLog(log_path, head.path.with_name(f"audit.{self.name[:8]}.notes"))
        self._lock = AuditLock(head.path.with_name("audit.lock"))
        self._owed: list[Event] = []
        self._owed_told = 0
        self._late = False
        self._last: Event | None = None
        self._unmarked: list[int] = []
        self._intact = True

    def before_first(self, events: Events) -> None:
        """Marks lines written since, and sees that the rows still reach as far as the head."""
        events.mark_written(self._unmarked)
        self._check(events)

    def committed(self, events: Sequence[Event]) -> None:
        """Writes the lines. A log that refuses them does not undo what was committed."""
        self._owed += events
        self._unmarked = []
        self._last = events[-1]
        self._write_owed()

    def catch_up(self, database: Database) -> None:
        """Writes what had to wait, if anything; for quiet times, every few seconds."""
        if self._owed or self._last is not None:
            database.between_changes(self._write_owed)

    def _write_owed(self) -> None:
        try:
            with self._lock.held():
                self._put_owed()
                if self._last is not None and self._intact:
                    self._advance(self._last)
        except Held:
            pass  # told of once; the lines are owed
        except OSError as error:
            LOG.error("the audit log cannot be locked: %s", error)
        else:
            self._last = None
        self._late = bool(self._owed)
        del self._owed[:-OWED_MAX]

    def _put_owed(self) -> None:
        try:
            # What waited may have been written by somebody else's `repair`, long ago.
            self._log.put(self._owed, all_notes=self._late)
        except OSError as error:
            if len(self._owed) != self._owed_told:
                self._owed_told = len(self._owed)
                LOG.error("%s takes no lines (%d wait): %s", self._log.path, self._owed_told, error)
        else:
            self._unmarked += [event.id for event in self._owed]
            self._owed, self._owed_told = [], 0

    def repair(self, database: Database) -> None:
        """Writes the lines that are missing and marks those that are there."""
        try:
            while True:
                with database.reading() as tx:
                    waiting = tx.events.unwritten(self.name, PAGE)
                if not waiting:
                    break
                with self._lock.held():
                    self._log.put(waiting, all_notes=True)
                _mark(database, [event.id for event in waiting])
            with self._lock.held():
                self._log.forget_old_notes()
        except Held:
            pass  # told of once; the next time is soon enough
        except OSError as error:
            LOG.error("%s takes no lines: %s", self._log.path, error)

    def _check(self, events: Events) -> None:
        """Whether the event that the head names is still there.

        If not, rows were changed or removed (or an older backup was restored): the head is
        evidence then and must not move on over the gap.
        """
        try:
            head = self._head.read()
        except SpoiltHead as error:
            self._distrust(str(error))
            return
        if head is None:
            self._intact = True
            if events.last() is not None:
                LOG.warning("%s is missing, though there are events: begun anew", self._head.path)
            return
        named = events.get(head.count)
        if named is None or named.hash != head.hash:
            self._distrust(f"event {head.count}, which {self._head.path} names, is not there")
        else:
            self._intact = True

    def _distrust(self, why: str) -> None:
        if self._intact:
            LOG.error("the audit chain does not hold: %s; see `ota_http_server audit verify`", why)
        self._intact = False

    def _advance(self, last: Event) -> None:
        try:
            self._head.advance(Head(last.id, last.hash))
        except (OSError, SpoiltHead) as error:
            LOG.error("the head of the audit chain stays behind: %s", error)


def _mark(database: Database, ids: Sequence[int]) -> None:
    database.change(lambda tx: tx.events.mark_written(ids))
