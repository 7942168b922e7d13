"""Rows about names, images and begun downloads, on both databases."""

import pytest

from ota_http_server.storage.downloads import Beginning
from ota_http_server.storage.files import Look
from ota_http_server.storage.images import Image

A, B = "a" * 64, "b" * 64
LOOK = Look(2**64 - 1, 10, 2**63 - 1, -(2**63))
OTHER_LOOK = Look(1, 10, 0, 0)


@pytest.fixture(name="rows")
def with_images(database):
    def add(tx):
        for sha256 in (A, B):
            tx.images.add(Image(sha256, 10, "m", "opaque", None, None, {"x": 1}), tx.second)

    database.change(add)
    return database


def put(database, sha256, look=LOOK, name="lamp.bin"):
    return database.change(lambda tx: tx.files.put("lamp", name, sha256, look, tx.second))


def read(database, query):
    with database.reading() as rows:
        return query(rows)


def test_a_name_remembers_its_image_and_look(rows, clock):
    put(rows, A)

    file = read(rows, lambda tx: tx.files.get("lamp", "lamp.bin"))
    assert (file.sha256, file.look, file.collected_at) == (A, LOOK, clock.second)


def test_the_same_bytes_with_another_look_are_no_new_file(rows, clock):
    first = put(rows, A)
    clock.pass_seconds(100)
    again = put(rows, A, OTHER_LOOK)

    assert (again.id, again.collected_at) == (first.id, first.collected_at)
    assert read(rows, lambda tx: tx.files.get("lamp", "lamp.bin")).look == OTHER_LOOK


def test_other_bytes_count_as_seen_anew(rows, clock):
    first, between = put(rows, A), put(rows, A, name="other.bin")
    clock.pass_seconds(100)
    later = put(rows, B)

    assert first.id < between.id < later.id
    assert later.collected_at == clock.second
    assert [f.name for f in read(rows, lambda tx: list(tx.files.all()))] == [
        "other.bin",
        "lamp.bin",
    ]


def test_an_image_is_added_once_and_read_whole(rows):
    image = read(rows, lambda tx: tx.images.get(A))
    rows.change(lambda tx: tx.images.add(image, tx.second))

    assert image == Image(A, 10, "m", "opaque", None, None, {"x": 1})
    assert read(rows, lambda tx: tx.images.get("c" * 64)) is None


def beginning(sha256, at_ms):
    return Beginning(b"c" * 32, "lamp", "lamp.bin", sha256, 5, at_ms)


def begun(database):
    return read(database, lambda tx: tx.downloads.begun(b"c" * 32, "lamp", "lamp.bin"))


def test_a_beginning_is_read_as_it_was_written(rows):
    rows.change(lambda tx: tx.downloads.begin([beginning(A, 1_760_024_052_123)]))

    assert begun(rows) == beginning(A, 1_760_024_052_123)
    assert read(rows, lambda tx: tx.downloads.digests()) == {A}


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_latest_beginning_counts_in_whatever_order_they_are_written(rows, order):
    by_time = {1: beginning(A, 1000), 2: beginning(B, 1001)}
    for which in order:
        rows.change(lambda tx, which=which: tx.downloads.begin([by_time[which]]))

    assert begun(rows) == by_time[2]


def test_old_beginnings_are_forgotten(rows):
    rows.change(lambda tx: tx.downloads.begin([beginning(A, 1000)]))
    rows.change(lambda tx: tx.downloads.forget(before_ms=1000))
    kept = begun(rows)
    rows.change(lambda tx: tx.downloads.forget(before_ms=1001))

    assert kept is not None
    assert begun(rows) is None


def test_what_a_name_held_before_is_nobodys_beginning_and_keeps_its_bytes_as_long(rows):
    rows.change(lambda tx: tx.downloads.end("lamp", "lamp.bin", A, 1000))
    ended = read(rows, lambda tx: tx.downloads.has_ended("lamp", "lamp.bin"))
    other_name = read(rows, lambda tx: tx.downloads.has_ended("lamp", "other.bin"))
    needed = read(rows, lambda tx: tx.downloads.digests())
    rows.change(lambda tx: tx.downloads.forget(before_ms=1001))

    assert (ended, other_name, needed, begun(rows)) == (True, False, {A}, None)
    assert not read(rows, lambda tx: tx.downloads.has_ended("lamp", "lamp.bin"))
