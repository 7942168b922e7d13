"""Which file system a folder lies on, as Linux tells it (proc(5), /proc/pid/mountinfo).

SQLite needs locks and shared memory that hold for everybody who has the file open
(sqlite.org/wal.html, sqlite.org/lockingv3.html §6.0). Network file systems promise that and break
it; what shares a host's folder with a virtual machine has no memory in common with the host.
"""

import os
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

REMOTE = "afs beegfs ceph cifs coda davfs glusterfs gpfs lustre ncpfs nfs nfs4 orangefs smb3 smbfs"
OF_VIRTUAL_MACHINES = "9p fakeowner prl_fs vboxsf virtiofs vmhgfs"
NETWORK_KINDS = frozenset(f"{REMOTE} {OF_VIRTUAL_MACHINES}".split())
# sshfs, s3fs, rclone, glusterfs, the shared folders of desktops: all are served by a program.
USER_SPACE_PREFIX = "fuse."


def network_kind(path: Path) -> str | None:
    """The kind of network file system that `path` lies on, or would; None for others.

    None too where it cannot be known: elsewhere than on Linux, and on file systems such as btrfs,
    whose numbers the kernel hides.
    """
    kind = _kind(path)
    if kind is not None and (kind in NETWORK_KINDS or kind.startswith(USER_SPACE_PREFIX)):
        return kind
    return None


def _kind(path: Path) -> str | None:
    """`36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue`"""
    try:
        device = _nearest(path).stat().st_dev
        lines = MOUNTINFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split()[2:3] == [wanted]:
            return after.partition(" ")[0]
    return None


def _nearest(path: Path) -> Path:
    """The path itself, or the folder in which it will be made."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.exists()), path)
