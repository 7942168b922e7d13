"""The firmware folder: plain files in one folder per project, read without following links.

Names are checked against the patterns before they get here; this file only makes sure that what
a name leads to is a regular file that lies in the folder itself. What a folder that can be read
does not hold is not there; a folder that cannot be read (unmounted, moved away, a stale handle)
says nothing of what it holds.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.identity import FILE_PATTERN, PROJECT_PATTERN
from ota_http_server.storage.files import Look

FILES_MAX = 10_000  # of one project; a listing must stay bounded
RESERVED = frozenset({"latest", "versions"})  # routes of the same place
UNFINISHED = (".part", ".tmp", ".filepart", ".partial", ".crdownload", "~")  # copies in progress
TIME_NS_MAX = 2**63 - 1  # BIGINT

# What the system says of a name that leads to nothing, if the firmware folder itself is there.
NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

# Windows has none of these; there the checks on each name and on what it is must do.
NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
BINARY = getattr(os, "O_BINARY", 0)


class Folder:
    """`<root>/<project>/<name>`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._prefix = str(self.root)

    def check(self) -> None:
        """Raises `Unavailable` while the firmware folder is away or cannot be read."""
        try:
            with os.scandir(self.root) as entries:
                next(entries, None)
        except OSError as error:
            raise _away(error) from error

    def projects(self) -> list[str]:
        """The folders of projects; `Unavailable` while the firmware folder is away."""
        try:
            with os.scandir(self.root) as entries:
                names = sorted(entry.name for entry in entries if _is_folder(entry))
        except OSError as error:
            raise _away(error) from error
        return [name for name in names if PROJECT_PATTERN.match(name)]

    def names(self, project: str) -> dict[str, Look] | None:
        """How each file of a project looks now; None if there is no such folder.

        Raises `Unavailable` if it is there, or may be, and cannot be read.
        """
        folder = f"{self._prefix}/{project}"
        found: dict[str, Look] = {}
        try:
            if not stat.S_ISDIR(os.lstat(folder).st_mode):
                return None
            with os.scandir(folder) as entries:
                for entry in entries:
                    if len(found) >= FILES_MAX:
                        break
                    if counts(entry.name) and (look := self.look(project, entry.name)):
                        found[entry.name] = look
        except OSError as error:
            self._nothing_there(error)
            return None
        return found

    def look(self, project: str, name: str) -> Look | None:
        """How the file looks; None if there is none or it is no plain file. On the hot path.

        Raises `Unavailable` if there may be one and nobody can say.
        """
        try:
            status = os.lstat(f"{self._prefix}/{project}/{name}")
        except OSError as error:
            self._nothing_there(error)
            return None
        return look_of(status) if stat.S_ISREG(status.st_mode) else None

    def _nothing_there(self, error: OSError) -> None:
        """Returns if this says that there is nothing; where it does not, raises `Unavailable`."""
        if error.errno not in NOTHING_THERE:
            raise _away(error) from error
        self.check()

    @contextmanager
    def open(self, project: str, name: str) -> Iterator[int]:
        """A descriptor for reading; OSError if the way there leads over a symbolic link."""
        folder = self.root / project
        if os.open in os.supports_dir_fd:
            parent = os.open(folder, os.O_RDONLY | NO_LINK | getattr(os, "O_DIRECTORY", 0))
            try:
                descriptor = os.open(name, os.O_RDONLY | NO_LINK, dir_fd=parent)
            finally:
                os.close(parent)
        else:
            if folder.is_symlink() or (folder / name).is_symlink():
                raise OSError(f"{folder / name} is a link")
            descriptor = os.open(folder / name, os.O_RDONLY | BINARY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def counts(name: str) -> bool:
    """Whether a file of this name is firmware at all, by its name alone."""
    return (
        FILE_PATTERN.match(name) is not None
        and name not in RESERVED
        and not name.lower().endswith(UNFINISHED)
    )


def look_of(status: os.stat_result) -> Look:
    return Look(status.st_ino, status.st_size, _kept(status.st_mtime_ns), _kept(status.st_ctime_ns))


def _kept(time_ns: int) -> int:
    """A file may claim any year; the database keeps those until 2262."""
    return time_ns if -TIME_NS_MAX <= time_ns <= TIME_NS_MAX else TIME_NS_MAX


def _away(error: OSError) -> Unavailable:
    return Unavailable(f"the firmware folder cannot be read now: {error.strerror or error}")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    return entry.is_dir(follow_symlinks=False)
