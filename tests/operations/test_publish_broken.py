"""Whatever breaks in the middle of publishing, there is all of an image or nothing of it."""

import errno
import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.domain.release import State
from ota_http_server.operations.release_wish import Upload
from ota_http_server.storage.blobs import PARTIAL_SECONDS_MAX
from tests.operations.fleets import lamp
from tests.operations.publish_killed import PIPELINE, blocks, opened

ROUNDS = 6
IMAGE = lamp("1.4.0", seed=3)


@pytest.fixture(name="parts")
def opened_stores(database_url, tmp_path):
    database, blobs, publish = opened(database_url, tmp_path)
    yield database, blobs, publish
    database.close()


def of_lamp(database):
    with database.reading() as rows:
        return rows.releases.of_project("lamp")


def an_upload():
    return Upload.of("lamp.bin", blocks(IMAGE), len(IMAGE))


def partials(folder):
    return list((folder / "blobs").glob("*.partial"))


def test_killed_publishers_leave_no_release_without_all_its_bytes(parts, database_url, tmp_path):
    database, blobs, publish = parts
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    command = [sys.executable, "-m", "tests.operations.publish_killed", database_url, str(tmp_path)]
    subprocess.run([*command, str(ROUNDS), str(seed)], check=True, timeout=300)

    releases = of_lamp(database)
    assert releases
    for release in releases:
        published = release.state is State.PUBLISHED
        assert len(release.images) in ((2,) if published else (0, 1, 2)), release.version
        for image in release.images:
            content = blobs.path(image.sha256).read_bytes()
            assert hashlib.sha256(content).hexdigest() == image.sha256
            assert len(content) == image.size
    for release in releases:  # and a pipeline that comes back finishes what it began
        if release.state is State.DRAFT and len(release.images) == 2:
            assert publish.publish(PIPELINE, "lamp", release.version).state is State.PUBLISHED
    for left in partials(tmp_path):
        long_ago = time.time() - PARTIAL_SECONDS_MAX - 10
        os.utime(left, (long_ago, long_ago))
    blobs.sweep_partials()
    assert not partials(tmp_path)


CALLS = {"write": os, "fsync": os, "open": os, "replace": Path}


@pytest.mark.parametrize(
    ("number", "refusal"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, Unavailable)],
)
@pytest.mark.parametrize("call", list(CALLS))
def test_a_disk_that_fails_at_any_call_leaves_nothing_and_may_be_tried_again(
    parts, tmp_path, monkeypatch, call, number, refusal
):
    database, blobs, publish = parts
    failures = 0

    for failing in range(100):
        with monkeypatch.context() as patched:
            patched.setattr(CALLS[call], call, failing_at(call, failing, number, tmp_path))
            try:
                publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload())
                break
            except refusal:
                failures += 1
        assert (of_lamp(database), partials(tmp_path)) == ([], [])

    assert failures
    (release,) = of_lamp(database)
    assert [image.sha256 for image in release.images] == list(blobs.names())


def failing_at(call, failing, number, folder):
    """The call, which fails with this number the so manieth time that it is about our blobs."""
    real, calls = getattr(CALLS[call], call), iter(range(10**6))

    def fail(*args, **more):
        if _is_ours(args, folder) and next(calls) == failing:
            raise OSError(number, os.strerror(number))
        return real(*args, **more)

    return fail


def _is_ours(args, folder):
    """SQLite and PostgreSQL have calls of their own, which this is not about."""
    first = args[0]
    return isinstance(first, int) or str(first).startswith(str(folder / "blobs"))


def test_what_was_uploaded_and_not_written_down_is_tidied_up_and_comes_again(parts, monkeypatch):
    database, blobs, publish = parts

    def away(_work):
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patched, pytest.raises(Unavailable):
        patched.setattr(database, "change", away)
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload())
    without_a_row = list(blobs.names())
    release = publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload())

    assert without_a_row == [release.images[0].sha256]
    assert blobs.holds(release.images[0].sha256, len(IMAGE))


def test_a_blob_that_was_lost_is_there_again_after_the_same_upload(parts):
    _, blobs, publish = parts
    publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload())
    release = publish.publish(PIPELINE, "lamp", "1.4.0")
    blobs.remove(release.images[0].sha256)

    assert publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload()) == release
    assert blobs.holds(release.images[0].sha256, len(IMAGE))
