"""The head only ever moves forward, and a spoilt one is never trusted nor replaced."""

import contextlib
import json
import os
import sys
import threading

import pytest

from ota_http_server.storage.audit_head import AuditHead, Head, SpoiltHead, read_head
from ota_http_server.storage.audit_lock import AuditLock, Held

KEY = b"a key that an intruder lacks"


@pytest.fixture
def head(tmp_path):
    return AuditHead(tmp_path / "audit.head", KEY)


def test_before_the_first_event_there_is_none(head):
    assert head.read() is None


def test_it_moves_forward_and_never_back(head):
    head.advance(Head(3, "c"))
    head.advance(Head(2, "b"))
    middle = head.read()
    head.advance(Head(5, "e"))

    assert (Head(3, "c"), Head(5, "e")) == (middle, head.read())


def test_it_is_its_owners_alone(head):
    head.advance(Head(1, "a"))

    assert head.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives away")
def test_a_head_that_root_moves_on_stays_its_owners(head):
    head.advance(Head(1, "a"))
    os.chown(head.path, 12_345, 12_346)

    head.advance(Head(2, "b"))

    status = head.path.stat()
    assert (status.st_uid, status.st_gid) == (12_345, 12_346)
    assert head.read() == Head(2, "b")


def test_processes_that_advance_it_at_once_leave_the_furthest(tmp_path):
    path, lock = tmp_path / "audit.head", tmp_path / "audit.lock"

    def advance(start: int) -> None:
        for count in range(start, 60, 3):
            with contextlib.suppress(Held), AuditLock(lock).held():
                AuditHead(path, KEY).advance(Head(count, str(count)))
                reached.add(count)

    reached: set[int] = set()
    threads = [threading.Thread(target=advance, args=(start,)) for start in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert read_head(path, KEY) == Head(max(reached), str(max(reached)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b'{"count":1,"hash":"a"}',
        b'{"count":1,"hash":"a","hmac":7}',
        b'{"count":1,"hash":"a","hmac":"\\ud800"}',
        b'{"count":1,"hash":"a","hmac":"' + b"0" * 64 + b'"}',
        b"[" * 1024,
    ],
)
def test_a_spoilt_head_is_said_to_be_one_and_stays(head, content):
    head.path.write_bytes(content)

    with pytest.raises(SpoiltHead):
        head.read()
    with pytest.raises(SpoiltHead):
        head.advance(Head(9, "i"))
    assert head.path.read_bytes() == content


def test_a_changed_count_breaks_the_seal(head):
    head.advance(Head(3, "c"))
    content = json.loads(head.path.read_text())

    head.path.write_text(json.dumps({**content, "count": 2}))

    with pytest.raises(SpoiltHead, match="seal"):
        head.read()


def test_another_key_breaks_the_seal(head):
    head.advance(Head(3, "c"))

    with pytest.raises(SpoiltHead, match="seal"):
        read_head(head.path, b"another key")
