"""Bytes land whole under their digest, or leave nothing behind."""

import errno
import hashlib
import os
import shutil
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_http_server.domain.errors import DiskFull, TooLarge, Unavailable
from ota_http_server.storage.blobs import PARTIAL_SECONDS_MAX, Blobs

CONTENT = b"image " * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(name="blobs")
def a_store(tmp_path):
    return Blobs(tmp_path / "blobs")


def kept(blobs, *blocks, bytes_max=10**6):
    with blobs.receiving(bytes_max) as partial:
        for block in blocks:
            partial.write(block)
        return blobs.keep(partial)


def files(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.is_file()]


def test_bytes_are_kept_under_their_digest(blobs, tmp_path):
    blob = kept(blobs, CONTENT[:10], CONTENT[10:])

    assert (blob.sha256, blob.size) == (DIGEST, len(CONTENT))
    assert blob.md5 == hashlib.md5(CONTENT).hexdigest()
    assert files(tmp_path) == [blobs.path(DIGEST)]
    assert blobs.path(DIGEST).read_bytes() == CONTENT
    assert blobs.holds(DIGEST, len(CONTENT))
    assert list(blobs.names()) == [DIGEST]


def test_nobody_else_may_read_them(blobs):
    kept(blobs, CONTENT)

    assert blobs.path(DIGEST).stat().st_mode & 0o077 == 0
    assert blobs.path(DIGEST).parent.stat().st_mode & 0o077 == 0


def test_a_group_may_read_what_a_proxy_sends(tmp_path):
    blobs = Blobs(tmp_path / "blobs", group=os.getgid())
    kept(blobs, CONTENT)

    assert blobs.path(DIGEST).stat().st_mode & 0o777 == 0o640
    assert blobs.path(DIGEST).parent.stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "blobs").stat().st_mode & 0o777 == 0o750


def test_the_same_bytes_again_are_the_same_blob(blobs, tmp_path):
    kept(blobs, CONTENT)
    kept(blobs, CONTENT)

    assert files(tmp_path) == [blobs.path(DIGEST)]


def test_what_would_not_leave_enough_room_is_refused_before_a_byte_is_written(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    blobs = Blobs(tmp_path / "blobs", free_bytes_min=free // 2)

    with pytest.raises(DiskFull, match="no room"), blobs.receiving(free, free):
        raise AssertionError("nothing may be received")
    with blobs.receiving(free, 1) as partial:
        assert partial.size == 0
    assert not files(tmp_path)


def test_what_is_not_kept_leaves_nothing(blobs, tmp_path):
    with blobs.receiving(10**6) as partial:
        partial.write(CONTENT)
        assert partial.read_at(6, 5) == b"image"

    assert files(tmp_path) == []


def test_an_interrupted_writer_leaves_nothing(blobs, tmp_path):
    with pytest.raises(ZeroDivisionError), blobs.receiving(10**6) as partial:
        partial.write(CONTENT)
        raise ZeroDivisionError

    assert files(tmp_path) == []


def test_the_limit_holds_to_the_byte(blobs, tmp_path):
    assert kept(blobs, CONTENT, bytes_max=len(CONTENT)).size == len(CONTENT)
    with pytest.raises(TooLarge):
        kept(blobs, CONTENT, b"x", bytes_max=len(CONTENT))

    assert files(tmp_path) == [blobs.path(DIGEST)]


@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EFBIG, DiskFull),
        (errno.EIO, Unavailable),
        (errno.EROFS, Unavailable),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync", "open", "mkdir"])
def test_a_disk_that_refuses_is_told_in_words_and_leaves_nothing(
    blobs, tmp_path, monkeypatch, number, refusal, call
):
    def refuse(*_args, **_more):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched, pytest.raises(refusal):
        patched.setattr(os, call, refuse)
        kept(blobs, CONTENT)

    assert files(tmp_path) == []


def test_a_blob_cut_short_is_not_held(blobs):
    kept(blobs, CONTENT)
    os.truncate(blobs.path(DIGEST), 10)

    assert not blobs.holds(DIGEST, len(CONTENT))
    assert not blobs.holds("0" * 64, 0)


def test_what_crashed_writers_left_is_swept_and_what_is_being_written_is_not(blobs, tmp_path):
    with blobs.receiving(10**6) as partial:
        old = tmp_path / "blobs" / "0123456789abcdef.partial"
        old.write_bytes(b"x")
        long_ago = time.time() - PARTIAL_SECONDS_MAX - 10
        os.utime(old, (long_ago, long_ago))
        blobs.sweep_partials()

        assert files(tmp_path) == [partial.path]


def test_a_removed_blob_is_gone_and_may_be_removed_again(blobs):
    kept(blobs, CONTENT)
    blobs.remove(DIGEST)
    blobs.remove(DIGEST)

    assert not blobs.path(DIGEST).exists()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=50), max_size=10))
def test_blocks_of_any_size_join_to_the_image(blobs, blocks):
    blob = kept(blobs, *blocks)

    assert blobs.path(blob.sha256).read_bytes() == b"".join(blocks)
    assert blob.sha256 == hashlib.sha256(b"".join(blocks)).hexdigest()
