"""What the kernel says of file systems, and which of them are no place for SQLite."""

import os
import sys
from pathlib import Path

import pytest

from ota_http_server.storage import mounts
from ota_http_server.storage.mounts import network_kind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def tell(monkeypatch, folder: Path, kind: str) -> None:
    """Lets the kernel say that the device of this folder holds a file system of this kind."""
    device = folder.stat().st_dev
    table = folder / "mountinfo"
    table.write_text(
        "1 0 4095:1048575 / / rw - nfs elsewhere:/ rw\n"
        f"36 1 {os.major(device)}:{os.minor(device)} /a /b\\040c rw,noatime master:1 shared:7"
        f" - {kind} server:/export rw\n"
    )
    monkeypatch.setattr(mounts, "MOUNTINFO", table)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "virtiofs"])
def test_a_network_file_system_is_named_for_what_lies_there_and_for_what_will(
    tmp_path, monkeypatch, kind
):
    tell(monkeypatch, tmp_path, kind)

    named = {network_kind(tmp_path), network_kind(tmp_path / "data" / "ota.sqlite")}

    assert named == {kind}


@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs", "overlay", "fuseblk", "zfs"])
def test_a_disk_of_this_host_is_none(tmp_path, monkeypatch, kind):
    tell(monkeypatch, tmp_path, kind)

    assert network_kind(tmp_path) is None


def test_a_file_system_that_the_kernel_does_not_list_is_not_guessed_at(tmp_path, monkeypatch):
    table = tmp_path / "mountinfo"
    table.write_text("\n36\n36 1 4095:1048575 / / rw - nfs elsewhere:/ rw\n36 1 x\n")
    monkeypatch.setattr(mounts, "MOUNTINFO", table)

    assert network_kind(tmp_path) is None


def test_a_kernel_that_tells_nothing_is_not_guessed_at(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "missing")

    assert network_kind(tmp_path) is None


def test_the_kernel_of_this_host_is_understood():
    assert mounts._kind(Path("/proc/self")) == "proc"  # pylint: disable=protected-access
