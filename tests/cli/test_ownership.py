"""Root beside the server of another user: a command of root must not take the data from it."""

import os
import sys

import pytest

from tests.cli.test_token import DEVICE
from tests.running import Server

pwd = pytest.importorskip("pwd")
pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root works on what others own"
)
MINT = ("token", "mint", "--device", DEVICE, "--project", "lamp")


def give(folder, owner):
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)


def state(folder):
    """What a command could change; looking at a folder moves its time of access alone."""
    every = {path: path.stat() for path in folder.rglob("*")}
    return {path: (one.st_uid, one.st_mode, one.st_mtime_ns) for path, one in every.items()}


@pytest.fixture(name="nobody")
def the_user_nobody():
    return pwd.getpwnam("nobody")


@pytest.mark.parametrize(
    "words", [MINT, ("token", "inspect", "x"), ("audit", "verify"), ("doctor",)]
)
def test_root_is_told_to_run_the_command_as_the_owner_of_the_data(call, nobody, words):
    call(*MINT)
    give(call.folder, nobody)
    before = state(call.folder)

    said = call(*words)

    assert said.status == 2
    assert said.err == (
        "ota_http_server: data belongs to nobody, whose server could not read what root writes"
        " there: run this as nobody, with sudo -u nobody in front\n"
    )
    assert state(call.folder) == before


def test_an_owner_without_a_name_is_named_by_number(call):
    call(*MINT)
    os.chown(call.folder / "data" / "secrets" / "audit", 54_321, 54_321)

    assert "with sudo -u '#54321' in front" in call(*MINT).err


def test_a_data_folder_that_was_made_for_the_server_to_come_is_its_owners_too(call, nobody):
    (call.folder / "data").mkdir()
    give(call.folder, nobody)

    assert call(*MINT).status == 2


def test_what_root_itself_serves_from_in_a_folder_of_others_is_roots(call, nobody):
    call(*MINT)
    os.chown(call.folder, nobody.pw_uid, nobody.pw_gid)
    os.chown(call.folder / "data", nobody.pw_uid, nobody.pw_gid)

    assert call(*MINT).status == 0


def test_the_settings_are_for_everybody_to_see(call, nobody):
    call(*MINT)
    give(call.folder, nobody)

    assert call("settings").status == 0


def test_a_server_that_root_starts_on_the_data_of_others_warns(tmp_path, nobody):
    with Server(tmp_path):
        pass
    give(tmp_path, nobody)

    with Server(tmp_path) as server:
        pass

    assert server.log.count("data belongs to nobody, and this server runs as root") == 1
