"""The firmware folder: plain files only, and no way out of it."""

import errno
import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unavailable
from ota_http_server.storage.folder import Folder, counts


@pytest.fixture(name="folder")
def a_folder(tmp_path):
    (tmp_path / "firmware" / "lamp").mkdir(parents=True)
    return Folder(tmp_path / "firmware")


def laid(folder, name="lamp.bin", content=b"x"):
    path = folder.root / "lamp" / name
    path.write_bytes(content)
    return path


def test_what_lies_there_is_listed_with_its_look(folder):
    status = laid(folder).stat()

    (look,) = folder.names("lamp").values()
    assert (look.inode, look.size) == (status.st_ino, 1)
    assert (look.mtime_ns, look.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    assert folder.look("lamp", "lamp.bin") == look
    assert folder.projects() == ["lamp"]


def test_links_pipes_and_folders_are_no_files(folder, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    place = folder.root / "lamp"
    (place / "link.bin").symlink_to(tmp_path / "secret")
    (place / "dangling.bin").symlink_to(tmp_path / "nowhere")
    (place / "deep").mkdir()
    os.mkfifo(place / "pipe.bin")

    assert folder.names("lamp") == {}
    for name in ("link.bin", "dangling.bin", "deep", "pipe.bin", "nothing.bin"):
        assert folder.look("lamp", name) is None


def test_a_link_is_not_opened_even_if_it_came_a_moment_ago(folder, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    (folder.root / "lamp" / "link.bin").symlink_to(tmp_path / "secret")
    (folder.root / "linked").symlink_to(folder.root / "lamp")
    laid(folder)

    for project, name in (("lamp", "link.bin"), ("linked", "lamp.bin")):
        with pytest.raises(OSError, match=r"."), folder.open(project, name):
            pass


def test_a_pipe_is_opened_without_waiting(folder):
    os.mkfifo(folder.root / "lamp" / "pipe.bin")

    with folder.open("lamp", "pipe.bin") as descriptor:
        assert os.read(descriptor, 1) == b""


def test_linked_projects_and_files_are_no_projects(folder, tmp_path):
    (folder.root / "linked").symlink_to(tmp_path)
    (folder.root / "file").write_bytes(b"")
    (folder.root / ".hidden").mkdir()

    assert folder.projects() == ["lamp"]
    for project in ("linked", "file", "nothing"):
        assert folder.names(project) is None


def asked_in_every_way(folder):
    yield folder.check
    yield folder.projects
    yield lambda: folder.names("lamp")
    yield lambda: folder.look("lamp", "lamp.bin")


def test_a_folder_that_is_away_says_nothing_of_what_it_holds(tmp_path):
    for ask in asked_in_every_way(Folder(tmp_path / "nowhere")):
        with pytest.raises(Unavailable, match="cannot be read"):
            ask()


def test_a_disk_that_fails_is_no_empty_folder(folder, monkeypatch):
    laid(folder)
    for call in ("scandir", "lstat"):
        monkeypatch.setattr(f"ota_http_server.storage.folder.os.{call}", failing)
    for ask in asked_in_every_way(folder):
        with pytest.raises(Unavailable, match="Input/output"):
            ask()


def failing(*_args):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize(
    "name",
    ["latest", "versions", "", ".", "..", ".x", "a/b", "a\\b", "a b", "a\0", "ä", "x" * 129, "a:b"],
)
def test_names_that_are_no_names(name):
    assert not counts(name)


@pytest.mark.parametrize("name", ["latest.bin", "Latest", "a", "a.bin", "x" * 128, "a~b", "CON"])
def test_names_that_count(name):
    assert counts(name) is (name != "a~b")


@given(st.text(max_size=30))
def test_a_name_that_counts_stays_in_its_folder(name):
    if counts(name):
        assert set(name) <= set(string.ascii_letters + string.digits + "._-")
        assert os.path.normpath(f"/folder/{name}") == f"/folder/{name}"
