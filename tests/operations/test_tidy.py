"""What nothing refers to any more goes; what somebody may still need stays."""

import errno
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Operator
from ota_http_server.operations.lease import LEASE_SECONDS, Leasing
from ota_http_server.operations.release_wish import ReleaseWish, Upload
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.tidy import Tidy, sweep
from ota_http_server.storage.revocations import Revocations
from tests.instance import Clock, Instance

X, Y = (esp_application(payload_bytes=1024, seed=seed) for seed in range(2))
ANN = Operator("ann", None)
DAYS = 24 * 3600
PATH = "/firmware/lamp/lamp.bin"


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


@pytest.fixture(name="ota")
def an_instance(tmp_path, clock):
    with Instance(tmp_path, clock) as ota:
        ota.drop("lamp", "lamp.bin", X)
        ota.tidy = tidying(ota)
        yield ota


@pytest.fixture(name="other")
def another_process(ota, clock):
    with Instance(ota.folder, clock) as other:
        other.tidy = tidying(other)
        yield other


def tidying(ota):
    database = ota.ota.stores.database
    leasing = Leasing(database, "tidying", monotonic=ota.clock.monotonic)
    return Tidy(ota.ota.collection, database, leasing)


def swept(ota):
    sweep(ota.ota.collection, ota.ota.stores.database, ota.ota.release_folder)


def tidied(ota):
    """As tidying finds it two hours after the last change of a blob."""
    for digest in list(ota.ota.blobs.names()):
        long_ago = time.time() - 7200
        os.utime(ota.ota.blobs.path(digest), (long_ago, long_ago))
    return ota.tidy()


def known(ota):
    with ota.ota.stores.database.reading() as rows:
        return [(file.project, file.name) for file in rows.files.all()]


def test_a_sweep_reads_what_nobody_asked_for(ota):
    swept(ota)

    assert known(ota) == [("lamp", "lamp.bin")]


def test_a_sweep_forgets_what_is_gone(ota, clock):
    swept(ota)
    (ota.firmware / "lamp" / "lamp.bin").unlink()
    clock.pass_seconds(1)
    swept(ota)

    assert known(ota) == []


def test_a_folder_that_was_away_is_as_it_was(ota, clock):
    ota.drop("lamp", "nightly.bin", Y)
    swept(ota)
    with ota.ota.stores.database.reading() as rows:
        before = list(rows.files.all())
    away = ota.folder / "away"
    ota.firmware.rename(away)
    clock.pass_seconds(1)
    with pytest.raises(Unavailable):
        swept(ota)
    ota.firmware.mkdir()  # the place of a mount, without the mount
    clock.pass_seconds(1)
    swept(ota)
    assert tidied(ota) == 0
    ota.firmware.rmdir()
    away.rename(ota.firmware)
    clock.pass_seconds(1)
    swept(ota)

    with ota.ota.stores.database.reading() as rows:
        assert list(rows.files.all()) == before


def test_a_project_that_cannot_be_read_stays_known_and_holds_up_no_other(ota, clock, monkeypatch):
    ota.drop("plug", "plug.bin", Y)
    swept(ota)
    (ota.firmware / "plug" / "plug.bin").unlink()
    clock.pass_seconds(1)
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("lamp"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(path)

    monkeypatch.setattr("ota_http_server.storage.folder.os.scandir", failing)
    with pytest.raises(Unavailable, match="project lamp"):
        swept(ota)

    assert known(ota) == [("lamp", "lamp.bin")]


def test_an_image_that_a_file_holds_is_kept(ota):
    token = ota.mint("lamp")
    assert ota.get(PATH, token).data == X

    assert tidied(ota) == 0
    assert ota.get(PATH, token).data == X


def test_a_replaced_image_is_kept_as_long_as_somebody_may_go_on_with_it(ota, clock):
    token = ota.mint("lamp", expires_minutes=600)
    ota.get(PATH, token, Range="bytes=0-9")
    ota.settle()
    ota.drop("lamp", "lamp.bin", Y)
    ota.get("/firmware/lamp/versions", token)
    clock.pass_seconds(1800)
    while_begun = tidied(ota)
    assert ota.get(PATH, token, Range="bytes=10-").data == X[10:]
    clock.pass_seconds(1900)

    assert while_begun == 0
    assert tidied(ota) == 1
    assert ota.get(PATH, token).data == Y


def test_a_replaced_image_is_kept_while_a_beginning_of_it_is_on_its_way(ota, clock):
    token = ota.mint("lamp", expires_minutes=600)
    ota.get(PATH, token, Range="bytes=0-9")
    ota.drop("lamp", "lamp.bin", Y)
    ota.get("/firmware/lamp/versions", token)
    removed = tidied(ota)
    clock.pass_seconds(1800)
    ota.settle()

    assert removed == 0
    assert ota.get(PATH, token, Range="bytes=10-").data == X[10:]


def test_a_young_blob_without_a_row_is_kept(ota):
    swept(ota)
    (ota.firmware / "lamp" / "lamp.bin").unlink()
    ota.clock.pass_seconds(1)
    swept(ota)

    young = ota.tidy()
    for_who_began_it = tidied(ota)
    ota.clock.pass_seconds(3700)

    assert (young, for_who_began_it) == (0, 0)
    assert tidied(ota) == 1


def test_a_file_that_comes_back_after_its_blob_was_tidied_is_served_again(ota, clock):
    token = ota.mint("lamp")
    swept(ota)
    path = ota.firmware / "lamp" / "lamp.bin"
    path.rename(ota.folder / "away")
    clock.pass_seconds(1)
    swept(ota)
    tidied(ota)
    (ota.folder / "away").rename(path)
    clock.pass_seconds(1)

    assert ota.get(PATH, token).data == X


def versions(ota, project="plug"):
    with ota.ota.stores.database.reading() as rows:
        return {release.version for release in rows.releases.of_project(project)}


def test_the_images_of_releases_and_drafts_are_kept(ota, clock):
    publish = ota.ota.publish
    publish.add_image(ANN, "plug", "1.0.0", Upload.of("plug.bin", [X]))
    publish.publish(ANN, "plug", "1.0.0")
    publish.withdraw(ANN, "plug", "1.0.0", "it sparks")
    clock.pass_seconds(100 * DAYS)
    publish.add_image(ANN, "plug", "1.1.0", Upload.of("plug.bin", [Y]), force="test")
    clock.pass_seconds(29 * DAYS)

    assert tidied(ota) == 0
    assert versions(ota) == {"1.0.0", "1.1.0"}


def test_a_draft_that_nobody_came_back_to_goes_with_its_images(ota, clock):
    publish = ota.ota.publish
    publish.draft(ANN, ReleaseWish.of("plug", "1.1.0"))
    clock.pass_seconds(29 * DAYS)
    publish.add_image(ANN, "plug", "1.1.0", Upload.of("plug.bin", [Y]), force="test")
    clock.pass_seconds(2 * DAYS)
    young = tidied(ota), versions(ota)
    clock.pass_seconds(29 * DAYS)

    assert young == (0, {"1.1.0"})
    assert tidied(ota) == 1
    assert versions(ota) == set()
    assert (
        "Action=remove_draft project=plug actor=tidy release=1.1.0"
        in (ota.folder / "ota_audit.log").read_text()
    )


def test_a_draft_of_the_folder_stays_as_long_as_its_file(ota, clock):
    ota.ota.projects.settle(ANN, "plug", {"folder": "draft"})
    ota.drop("plug", "plug-1.0.0.bin", X)
    swept(ota)
    clock.pass_seconds(100 * DAYS)
    tidied(ota)

    assert versions(ota) == {"1.0.0"}


def test_a_forgotten_draft_goes_with_its_aborted_rollouts_and_stays_with_others(ota, clock):
    publish = ota.ota.publish
    for version in ("1.1.0", "1.2.0"):
        publish.draft(ANN, ReleaseWish.of("plug", version))
        rollout = ota.ota.begin_rollout(ANN, RolloutWish.of("plug", {"version": version})).rollout
        if version == "1.1.0":
            ota.ota.roll_out.abort(ANN, rollout.id, "not that one")
    clock.pass_seconds(31 * DAYS)
    tidied(ota)

    assert versions(ota) == {"1.2.0"}


def a_draft_that_is_due_in(ota, clock, seconds):
    ota.ota.publish.draft(ANN, ReleaseWish.of("plug", "1.1.0"))
    clock.pass_seconds(30 * DAYS - seconds)


def leave_a_blob(ota):
    """Of an upload that was cut off between its bytes and its row."""
    with ota.ota.blobs.receiving(2**20) as partial:
        partial.write(os.urandom(100))
        return ota.ota.blobs.keep(partial).sha256


def test_one_process_looks_the_rows_through_and_every_one_the_bytes(ota, other, clock):
    a_draft_that_is_due_in(ota, clock, seconds=LEASE_SECONDS / 2)
    tidied(ota)
    clock.pass_seconds(LEASE_SECONDS - 5)
    left_over = leave_a_blob(ota)
    removed = tidied(other)
    after_the_other = versions(ota)
    tidied(ota)

    assert (removed, left_over in ota.ota.blobs.names()) == (1, False)
    assert (after_the_other, versions(ota)) == ({"1.1.0"}, set())


def test_whoever_comes_later_does_the_rows_of_one_that_is_gone(ota, other, clock):
    a_draft_that_is_due_in(ota, clock, seconds=LEASE_SECONDS / 2)
    tidied(ota)
    clock.pass_seconds(LEASE_SECONDS + 2)
    tidied(other)

    assert versions(ota) == set()


def test_of_processes_that_tidy_at_the_same_moment_one_does_the_rows(ota, other, monkeypatch):
    forgets, done, at_once = Revocations.forget_expired, [], threading.Barrier(2)

    def noted(self, at):
        done.append(at)
        forgets(self, at)

    def tidy(process):
        at_once.wait(5)
        return process.tidy()

    monkeypatch.setattr(Revocations, "forget_expired", noted)
    with ThreadPoolExecutor(2) as both:
        removed = list(both.map(tidy, (ota, other)))

    assert (len(done), removed) == (1, [0, 0])
