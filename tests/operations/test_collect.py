"""What is dropped into the folder is served; what is half there, or is no plain file, is not."""

import errno
import hashlib
import os
import shutil

import pytest

from ota_http_server.domain.esp_sample import esp_application
from tests.instance import DEVICE, Clock, Instance

ESP = esp_application(version="1.4.0", payload_bytes=4096)
OTHER_ESP = esp_application(version="1.5.0", payload_bytes=4096, seed=1)
OPAQUE = b"not any format that is known" * 50


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


@pytest.fixture(name="ota")
def an_instance(tmp_path, clock):
    with Instance(tmp_path, clock, no_jwt=True) as ota:
        (ota.firmware / "lamp").mkdir(parents=True)
        yield ota


def status(ota, name, project="lamp"):
    return ota.get(f"/firmware/{project}/{name}").status_code


def body(ota, name="lamp.bin"):
    return ota.get(f"/firmware/lamp/{name}").data


def test_a_whole_esp_image_is_served_at_once(ota):
    ota.drop("lamp", "lamp.bin", ESP)

    assert body(ota) == ESP


def test_an_opaque_file_is_served_after_a_second_of_stillness(ota, clock):
    ota.drop("lamp", "lamp.bin", OPAQUE)
    young = status(ota, "lamp.bin")
    clock.pass_seconds(1.1)

    assert young == 404
    assert body(ota) == OPAQUE


def test_a_removed_file_is_gone_at_once(ota):
    path = ota.drop("lamp", "lamp.bin", ESP)
    assert status(ota, "lamp.bin") == 200
    path.unlink()

    assert status(ota, "lamp.bin") == 404


def test_a_replaced_file_is_served_new_under_a_new_etag(ota):
    ota.drop("lamp", "lamp.bin", ESP)
    before = ota.get("/firmware/lamp/lamp.bin")
    ota.drop("lamp", "lamp.bin", OTHER_ESP)

    after = ota.get("/firmware/lamp/lamp.bin", If_None_Match=before.headers["ETag"])

    assert (after.status_code, after.data) == (200, OTHER_ESP)
    assert after.headers["ETag"] != before.headers["ETag"]


def test_a_file_replaced_in_place_with_its_old_times_is_noticed(ota):
    path = ota.drop("lamp", "lamp.bin", ESP)
    before = path.stat()
    assert body(ota) == ESP
    path.write_bytes(OTHER_ESP)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert len(OTHER_ESP) == len(ESP)
    assert body(ota) == OTHER_ESP


def test_a_truncated_esp_image_is_never_served(ota, clock):
    ota.drop("lamp", "lamp.bin", ESP[:-100])
    young = status(ota, "lamp.bin")
    clock.pass_seconds(3600)

    assert (young, status(ota, "lamp.bin")) == (404, 404)


def test_an_esp_image_that_grows_is_served_when_it_is_whole(ota):
    path = ota.firmware / "lamp" / "lamp.bin"
    seen = []
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(ESP), 1024):
            file.write(ESP[start : start + 1024])
            seen.append(status(ota, "lamp.bin"))

    assert seen == [404] * (len(seen) - 1) + [200]
    assert body(ota) == ESP


def test_a_growing_opaque_file_waits_as_long_as_it_grows(ota):
    path = ota.firmware / "lamp" / "lamp.bin"
    with path.open("wb", buffering=0) as file:
        for _ in range(5):
            file.write(OPAQUE)
            assert status(ota, "lamp.bin") == 404


def test_a_preallocated_file_with_an_esp_header_is_not_served_before_it_is_filled(ota, clock):
    path = ota.firmware / "lamp" / "lamp.bin"
    path.write_bytes(ESP[:512] + bytes(len(ESP) - 512))
    halves = [status(ota, "lamp.bin")]
    clock.pass_seconds(60)
    halves.append(status(ota, "lamp.bin"))
    path.write_bytes(ESP)

    assert halves == [404, 404]
    assert body(ota) == ESP


def test_a_damaged_file_that_is_young_is_not_yet_called_damaged(ota, caplog):
    ota.drop("lamp", "lamp.bin", ESP[:-40] + bytes(40))

    assert status(ota, "lamp.bin") == 404
    assert "not served" not in caplog.text


def test_a_damaged_file_is_told_of_once(ota, clock, caplog):
    ota.drop("lamp", "lamp.bin", ESP[:-40] + bytes(40))
    clock.pass_seconds(5)
    for _ in range(5):
        assert status(ota, "lamp.bin") == 404

    assert caplog.text.count("not served") == 1


@pytest.mark.parametrize(
    "name",
    ["a.part", "a.tmp", "a.filepart", "a.bin~", ".a.bin", "a.PART", "a.crdownload", "-a.bin"],
)
def test_names_of_copies_in_progress_never_count(ota, clock, name):
    ota.drop("lamp", "whole.bin", ESP)
    (ota.firmware / "lamp" / name).write_bytes(ESP)
    clock.pass_seconds(60)

    assert status(ota, name) == 404
    assert ota.get("/firmware/lamp/latest").json["file"] == "whole.bin"


@pytest.mark.parametrize("mtime", [0, 1, -1_000_000, 10**10, 2**31, 2**33])
def test_a_copy_that_kept_a_strange_time_is_served_when_it_stood_still(ota, clock, mtime):
    path = ota.drop("lamp", "lamp.bin", OPAQUE)
    os.utime(path, (mtime, mtime))
    young = status(ota, "lamp.bin")
    clock.pass_seconds(2)
    later = [status(ota, "lamp.bin")]
    clock.pass_seconds(2)
    later.append(status(ota, "lamp.bin"))

    assert young == 404
    assert later[-1] == 200
    assert ota.get("/firmware/lamp/lamp.bin").headers["Last-Modified"].endswith("GMT")


@pytest.mark.parametrize("ahead", [-(10**6), 10**6])
def test_a_wrong_clock_of_the_server_keeps_no_file_from_being_served(tmp_path, ahead):
    clock = Clock()
    clock.pass_seconds(ahead)
    with Instance(tmp_path, clock, no_jwt=True) as ota:
        ota.drop("lamp", "lamp.bin", OPAQUE)
        status(ota, "lamp.bin")
        clock.pass_seconds(1.5)

        assert body(ota) == OPAQUE


def test_last_modified_is_the_time_of_the_file(ota, clock):
    path = ota.drop("lamp", "lamp.bin", OPAQUE)
    os.utime(path, (1_760_024_052, 1_760_024_052))
    clock.pass_seconds(5)

    answer = ota.get("/firmware/lamp/lamp.bin")

    assert answer.headers["Last-Modified"] == "Thu, 09 Oct 2025 15:34:12 GMT"


def test_a_symlink_is_no_file(ota, tmp_path, clock):
    (tmp_path / "secret.bin").write_bytes(ESP)
    (ota.firmware / "lamp" / "link.bin").symlink_to(tmp_path / "secret.bin")
    clock.pass_seconds(5)

    assert status(ota, "link.bin") == 404


def test_a_symlinked_project_is_no_project(ota, tmp_path, clock):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lamp.bin").write_bytes(ESP)
    (ota.firmware / "linked").symlink_to(tmp_path / "elsewhere")
    clock.pass_seconds(5)

    assert status(ota, "lamp.bin", "linked") == 404
    assert status(ota, "versions", "linked") == 404


def test_a_project_that_turns_into_a_link_is_gone(ota, tmp_path, clock):
    ota.drop("lamp", "lamp.bin", ESP)
    assert status(ota, "lamp.bin") == 200
    (ota.firmware / "lamp").rename(tmp_path / "moved")
    (ota.firmware / "lamp").symlink_to(tmp_path / "moved")
    clock.pass_seconds(1)

    assert status(ota, "lamp.bin") == 404


def test_a_fifo_is_no_file_and_nothing_waits_for_it(ota, clock):
    os.mkfifo(ota.firmware / "lamp" / "pipe.bin")
    clock.pass_seconds(5)

    assert status(ota, "pipe.bin") == 404
    assert ota.get("/firmware/lamp/versions").json["count"] == 0


def test_a_folder_is_no_file_and_nothing_deeper_is_served(ota, clock):
    (ota.firmware / "lamp" / "deep").mkdir()
    (ota.firmware / "lamp" / "deep" / "lamp.bin").write_bytes(ESP)
    clock.pass_seconds(5)

    assert status(ota, "deep") == 404
    assert status(ota, "deep/lamp.bin") == 404


def test_a_file_that_cannot_be_opened_is_not_there(ota, clock, monkeypatch):
    ota.drop("lamp", "lamp.bin", ESP)
    clock.pass_seconds(5)
    monkeypatch.setattr("ota_http_server.storage.folder.os.open", denied)

    assert status(ota, "lamp.bin") == 404


def test_a_folder_that_cannot_be_listed_is_not_said_to_be_gone(ota, clock, monkeypatch):
    ota.drop("lamp", "lamp.bin", ESP)
    clock.pass_seconds(5)
    monkeypatch.setattr("ota_http_server.storage.folder.os.scandir", denied)

    assert status(ota, "lamp.bin") == 503
    assert status(ota, "latest") == 503


def test_while_the_firmware_folder_is_away_nothing_is_said_to_be_gone(ota, clock):
    ota.drop("lamp", "lamp.bin", ESP)
    assert status(ota, "lamp.bin") == 200
    ota.firmware.rename(ota.folder / "away")
    clock.pass_seconds(1)
    answers = [status(ota, name) for name in ("lamp.bin", "versions", "latest", "nothing.bin")]
    ready = ota.get("/readyz")
    wish = {"device_id": DEVICE, "project": "lamp"}
    minted = ota.admin("/admin/generate_token", wish)
    (ota.folder / "away").rename(ota.firmware)
    clock.pass_seconds(1)

    assert answers == [503] * 4
    assert (ready.status_code, ready.json["database"]) == (503, "ok")
    assert "cannot be read" in ready.json["firmware"]
    assert minted.status_code == 200
    assert "cannot be read" in minted.json["warning"]
    assert body(ota) == ESP


def test_a_disk_that_fails_while_a_file_is_read_is_no_missing_file(ota, monkeypatch):
    ota.drop("lamp", "lamp.bin", ESP)
    with monkeypatch.context() as patched:
        patched.setattr("ota_http_server.operations.read_file.os.read", failing)
        failed = status(ota, "lamp.bin")

    assert failed == 503
    assert body(ota) == ESP


def failing(*_args):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def denied(path, *_args, **_more):
    raise PermissionError(13, "Permission denied", path)


def test_an_image_beyond_the_limit_is_not_served(tmp_path, clock):
    with Instance(tmp_path, clock, no_jwt=True, image_bytes_max=1000) as ota:
        ota.drop_old("lamp", "big.bin", bytes(1001))
        ota.drop_old("lamp", "fits.bin", bytes(1000))

        assert (status(ota, "big.bin"), status(ota, "fits.bin")) == (404, 200)


def test_an_image_that_does_not_fit_is_looked_at_again_after_some_seconds(
    ota, clock, monkeypatch, caplog
):
    ota.drop("lamp", "lamp.bin", ESP)
    monkeypatch.setattr(ota.ota.blobs, "_free_bytes_min", 2**62)
    refused = [status(ota, "lamp.bin") for _ in range(3)]
    monkeypatch.setattr(ota.ota.blobs, "_free_bytes_min", 0)
    soon = status(ota, "lamp.bin")
    clock.pass_seconds(5.1)

    assert (refused, soon) == ([507] * 3, 507)
    assert caplog.text.count("not served") == 1
    assert body(ota) == ESP


def test_an_empty_file_is_served_as_it_is(ota):
    ota.drop_old("lamp", "empty.bin", b"")

    answer = ota.get("/firmware/lamp/empty.bin")

    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")


def test_two_instances_read_a_new_file_once(tmp_path, clock):
    with Instance(tmp_path, clock, no_jwt=True) as one, Instance(tmp_path, clock) as other:
        one.drop("lamp", "lamp.bin", ESP)
        assert status(one, "lamp.bin") == 200
        inode = one.ota.blobs.path(sha256_of(ESP)).stat().st_ino
        assert other.get("/firmware/lamp/lamp.bin", other.mint("lamp")).data == ESP

        assert other.ota.blobs.path(sha256_of(ESP)).stat().st_ino == inode


def test_a_lost_blob_is_made_again(ota):
    ota.drop("lamp", "lamp.bin", ESP)
    assert body(ota) == ESP
    shutil.rmtree(ota.folder / "data" / "blobs")

    assert body(ota) == ESP


def test_a_file_swapped_while_it_is_read_is_not_served_mixed(ota, monkeypatch):
    path = ota.drop("lamp", "lamp.bin", ESP)
    read = os.read

    def swapping(fd, size):
        if path.read_bytes() == ESP:
            ota.drop("lamp", "lamp.bin", OTHER_ESP)
        return read(fd, size)

    monkeypatch.setattr("ota_http_server.operations.read_file.os.read", swapping)

    first = ota.get("/firmware/lamp/lamp.bin")
    assert first.status_code == 404 or first.data == OTHER_ESP
    assert body(ota) == OTHER_ESP


def test_a_project_may_come_later(tmp_path, clock):
    with Instance(tmp_path, clock, no_jwt=True) as ota:
        assert status(ota, "lamp.bin") == 404
        ota.drop("lamp", "lamp.bin", ESP)
        clock.pass_seconds(0.6)

        assert status(ota, "lamp.bin") == 200


def sha256_of(content):
    return hashlib.sha256(content).hexdigest()
