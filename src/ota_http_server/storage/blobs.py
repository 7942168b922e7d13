"""Bytes, named by their SHA-256: all of them land, or none has a name.

A partial lies in the same folder tree as its final place, so that the rename is atomic. The
order is bytes, fsync, rename, fsync of the folder, and only then a row: a crash leaves an
unreferenced blob, which `tidy` removes, and never a row without bytes.
"""

import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ota_http_server.domain.errors import DiskFull, TooLarge, Unavailable

PATHS_REMEMBERED = 1_024  # images that are sent at a time, about 300 bytes each
PARTIAL_SUFFIX = ".partial"
LOCK_SUFFIX = ".lock"
PARTIAL_SECONDS_MAX = 24 * 3600  # older ones belong to nobody alive
BLOCK_BYTES = 256 * 1024  # big enough that the calls cost nothing, small beside a worker's memory

# Images leave so much free: the database and the audit log may lie on the same disk, and the
# revocation of a token must never fail because an image came.
FREE_BYTES_MIN = 16 * 2**20

# The disk, this user's quota of it, and the largest file that this process may write.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Blob:
    """What was stored: its digests and size in bytes."""

    sha256: str
    md5: str
    sha1: str
    size: int


class Partial:
    """Bytes on their way in. They have no name until `keep`."""

    def __init__(self, path: Path, fd: int, bytes_max: int) -> None:
        self.path = path
        self.size = 0
        self._fd = fd
        self._bytes_max = bytes_max
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha1 = hashlib.sha1(usedforsecurity=False)  # hawkBit's clients compare it

    def write(self, block: bytes) -> None:
        """Adds a block, or raises `TooLarge` before writing beyond the limit."""
        if self.size + len(block) > self._bytes_max:
            raise TooLarge(f"an image may have at most {self._bytes_max:,} bytes here")
        self.size += len(block)
        self._sha256.update(block)
        self._md5.update(block)
        self._sha1.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(self._fd, view) :]

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes already written, for whoever must know what they are before they are kept."""
        os.lseek(self._fd, offset, os.SEEK_SET)
        block = os.read(self._fd, length)
        os.lseek(self._fd, 0, os.SEEK_END)
        return block

    def finish(self) -> None:
        """Makes the bytes last and closes the file: Windows renames no open one."""
        os.fsync(self._fd)
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def blob(self) -> Blob:
        return Blob(
            sha256=self._sha256.hexdigest(),
            md5=self._md5.hexdigest(),
            sha1=self._sha1.hexdigest(),
            size=self.size,
        )


class Blobs:
    """The folder `blobs/ab/<sha256>`.

    `group` may read what lies here: a proxy that transfers for us (X-Sendfile) is in it.
    """

    def __init__(
        self, root: Path, group: int | None = None, *, free_bytes_min: int = FREE_BYTES_MIN
    ) -> None:
        self._root = root
        self._prefix = str(root)
        self._group = group
        self._free_bytes_min = free_bytes_min
        # On the hot path: making one takes longer than all else that a range needs from here.
        self._path = lru_cache(PATHS_REMEMBERED)(lambda sha256: Path(self._place(sha256)))

    def path(self, sha256: str) -> Path:
        return self._path(sha256)

    def _place(self, sha256: str) -> str:
        return f"{self._prefix}/{sha256[:2]}/{sha256}"

    def holds(self, sha256: str, size: int) -> bool:
        """Whether the bytes are there in full length (the content is checked when they land)."""
        try:
            return os.stat(self._place(sha256)).st_size == size  # noqa: PTH116 - on the hot path
        except OSError:
            return False

    @contextmanager
    def receiving(self, bytes_max: int, bytes_expected: int = 0) -> Iterator[Partial]:
        """A partial to write into; gone at the end of the block unless `keep` gave it a name.

        Raises `DiskFull` before a byte is written if what is expected leaves too little room.
        """
        path = self._root / f"{secrets.token_hex(8)}{PARTIAL_SUFFIX}"
        with _room():
            self._make_folder(self._root)
            self._leave_room(bytes_expected)
            fd = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
            )
            partial = Partial(path, fd, bytes_max)
            try:
                yield partial
            finally:
                partial.close()
                with suppress(FileNotFoundError):
                    path.unlink()

    def keep(self, partial: Partial) -> Blob:
        """Gives the bytes their name, durably. The same bytes again are the same blob."""
        blob = partial.blob
        target = self.path(blob.sha256)
        with _room():
            self._make_folder(target.parent)
            self._share(partial.path, 0o640)
            partial.finish()
            partial.path.replace(target)
            fsync_folder(target.parent)
        return blob

    def lock_path(self, name: str) -> Path:
        """Where the lock of whoever reads the file of this name lies."""
        with _room():
            self._make_folder(self._root)
        return self._root / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}{LOCK_SUFFIX}"

    def remove(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """Every blob's SHA-256, for `tidy`."""
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            for path in sorted(folder.iterdir()):
                yield path.name

    def sweep_partials(self) -> None:
        """Removes what interrupted writers left behind."""
        for path in (*self._root.glob(f"*{PARTIAL_SUFFIX}"), *self._root.glob(f"*{LOCK_SUFFIX}")):
            with suppress(OSError):  # gone by now, or held on Windows
                if time.time() - path.stat().st_mtime > PARTIAL_SECONDS_MAX:
                    path.unlink()

    def _leave_room(self, bytes_expected: int) -> None:
        if shutil.disk_usage(self._root).free - bytes_expected < self._free_bytes_min:
            raise DiskFull(
                f"there is no room for this image: {bytes_expected:,} bytes and"
                f" {self._free_bytes_min:,} that stay free"
            )

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._share(folder, 0o750)
        fsync_folder(folder.parent)

    def _share(self, path: Path, mode: int) -> None:
        if self._group is not None:
            os.chown(path, -1, self._group)
            path.chmod(mode)


def fsync_folder(folder: Path) -> None:
    """Makes a rename in it last. Windows has no such call and needs none (NTFS journals it)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull("there is no room on the disk for this image") from error
        raise Unavailable(f"the image cannot be kept: {error.strerror or error}") from error
