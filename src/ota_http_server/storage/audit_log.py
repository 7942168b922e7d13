"""The audit log file: each event has its line exactly once, whatever process dies when.

A line carries no number (its form is fixed), so the file alone cannot say whether an event is in
it: two tokens minted in one second may have the same line. Therefore a small file of notes lies
in the data folder: before a line is written, a note says which event will stand where. Everything
happens under one file lock, so nobody sees a half-done step of a living process, however slow it
is; after a crash only the last note can be wrong, and whoever comes next takes it back if the
file does not reach as far as it says.

The log may be rotated at any time, by renaming or by truncating: it is opened anew each time, and
what once had a line there is not written again.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from ota_http_server.storage.audit_line import audit_line
from ota_http_server.storage.events import Event

NOTES_BYTES_READ = 64 * 1024  # about 1,000 notes: more than can follow while one process pauses
NOTES_BYTES_MAX = 4 * NOTES_BYTES_READ
NOTE = re.compile(rb"\n([0-9a-f]{32}) (\d{1,20}) (\d{1,20}) (\d{1,20})(?=\n)")
OPEN = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class _Open:
    """Both files, open and locked, and the events whose lines are written."""

    log: int
    regular: bool
    inode: int
    notes: int
    noted: Set[bytes]


class AuditLog:
    """`notes_path` lies in the data folder. Every call is made under the `AuditLock`."""

    def __init__(self, path: Path, notes_path: Path) -> None:
        self.path = path
        self._notes_path = notes_path

    def put(self, events: Sequence[Event], *, all_notes: bool = False) -> None:
        """Writes the lines that are missing, in this order, and sees them on the disk.

        `all_notes` is for events of long ago. Raises `OSError` if the disk refuses a line (half
        of one never stays).
        """
        with self._opened(None if all_notes else NOTES_BYTES_READ) as files:
            for event in events:
                if _key(event) not in files.noted:
                    _append(files, event)
            if files.regular:
                os.fsync(files.log)

    def forget_old_notes(self) -> None:
        """Keeps the newest notes only; call it when all older events are marked as written."""
        notes = self._notes_path.read_bytes() if self._notes_path.exists() else b""
        if len(notes) > NOTES_BYTES_MAX:
            partial = self._notes_path.with_suffix(".partial")
            fd = os.open(partial, OPEN | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(notes[-NOTES_BYTES_READ:])
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._notes_path)

    @contextlib.contextmanager
    def _opened(self, notes_bytes: int | None) -> Iterator[_Open]:
        with contextlib.ExitStack() as stack:
            notes = os.open(self._notes_path, OPEN | os.O_CREAT, 0o600)
            stack.callback(os.close, notes)
            is_new = not self.path.exists()
            log = os.open(self.path, OPEN | os.O_CREAT, 0o600)
            stack.callback(os.close, log)
            about = os.fstat(log)
            regular = stat.S_ISREG(about.st_mode)
            noted = _noted(notes, notes_bytes)
            if noted and regular and not is_new and not self._was_written(noted[-1], about):
                os.ftruncate(notes, noted.pop().at)
            yield _Open(log, regular, about.st_ino, notes, {note.key for note in noted})

    def _was_written(self, note: "_Note", log: os.stat_result) -> bool:
        """Whether the line of the last note followed, here or in what was rotated away since."""
        if note.inode == log.st_ino:
            return _holds(log, note)
        for rotated in self.path.parent.glob(f"{self.path.name}*"):
            about = rotated.stat()
            if about.st_ino == note.inode:
                return _holds(about, note)
        return True  # rotated away and packed: it stood there long enough


@dataclass(frozen=True, slots=True)
class _Note:
    """This event's line goes into the file with this inode, from `start` to `end`."""

    key: bytes
    inode: int
    start: int
    end: int
    at: int
    """Where the note itself begins."""


def _append(files: _Open, event: Event) -> None:
    notes_size = os.fstat(files.notes).st_size
    size = os.fstat(files.log).st_size if files.regular else 0
    line = _line(event)
    start = size
    if size and _read(files.log, size - 1, 1) != b"\n":
        # Somebody's unfinished line, after a power cut perhaps: ours begins on its own.
        line, start = b"\n" + line, size + 1
    # A note begins and ends with a line feed, so that a torn one spoils no other.
    note = b"\n%s %d %d %d\n" % (_key(event), files.inode, start, size + len(line))
    try:
        _write(files.notes, note)
        _write(files.log, line)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(files.notes, notes_size)
            if files.regular:
                os.ftruncate(files.log, size)
        raise


def _write(fd: int, content: bytes) -> None:
    """One write, so that lines of others never come between; a part of it is a failure."""
    if (count := os.write(fd, content)) != len(content):
        raise OSError(f"only {count} of {len(content)} bytes could be written")


def _holds(about: os.stat_result, note: _Note) -> bool:
    # Shorter than the start: emptied by a rotation since, with the line copied elsewhere.
    return about.st_size < note.start or about.st_size >= note.end


def _noted(notes: int, bytes_max: int | None) -> list[_Note]:
    size = os.fstat(notes).st_size
    start = 0 if bytes_max is None else max(0, size - bytes_max)
    text = _read(notes, start, size - start)
    return [
        _Note(found[1], int(found[2]), int(found[3]), int(found[4]), start + found.start())
        for found in NOTE.finditer(text)
    ]


def _read(fd: int, offset: int, count: int) -> bytes:
    os.lseek(fd, offset, os.SEEK_SET)
    found = b""
    while len(found) < count and (more := os.read(fd, count - len(found))):
        found += more
    return found


def _line(event: Event) -> bytes:
    return audit_line(event).encode("ascii") + b"\n"


def _key(event: Event) -> bytes:
    """Names the event by its hash: a restored database gives its numbers out again."""
    return event.hash[:32].encode("ascii")
