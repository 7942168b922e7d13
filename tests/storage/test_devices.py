"""Rows about devices, on both databases."""

import threading
from dataclasses import replace

import pytest

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.storage.counters import of_device
from ota_http_server.storage.database import Database
from ota_http_server.storage.devices import Wanted
from tests.storage.released import a_device, an_attempt, released

WHOLE = Device(
    id="24:0a:c4:00:00:01",
    project="lamp",
    chip="esp32",
    revision=301,
    revision_min=300,
    board="desk-lamp",
    tags=("floor=2", "hall"),
    channel="beta",
    version="1.4.0",
    version_from=VersionFrom.IMAGE,
    image_sha256="a" * 64,
    running_since=5,
    secure_version=2**32 - 1,
    free_bytes=2**40,
    last_seen=6,
    address="2001:db8::1",
    notes="über dem Tisch",
    blocked=True,
    pinned="1.4.0",
    attributes={"serial": "7", "empty": ""},
    attributes_wanted=False,
    created_at=4,
    created_by="anna",
    edition=3,
)


def add(database, *devices):
    def added(tx):
        for device in devices:
            tx.devices.add(device)

    database.change(added)


def stored(database, device_id="board"):
    with database.reading() as rows:
        return rows.devices.get(device_id)


def ids(database, after="", limit=100, **wanted):
    with database.reading() as rows:
        page = rows.devices.page(Wanted(**wanted), after, limit)
        assert rows.devices.count(Wanted(**wanted)) >= len(page)
    return [device.id for device in page]


@pytest.mark.parametrize("device", [WHOLE, a_device()], ids=["whole", "bare"])
def test_a_device_is_read_as_it_was_written(database, device):
    add(database, device)

    assert stored(database, device.id) == device


def test_everything_but_the_id_may_change(database):
    add(database, a_device(WHOLE.id))
    database.change(lambda tx: tx.devices.change(WHOLE))

    assert stored(database, WHOLE.id) == WHOLE


def test_who_was_met_by_another_instance_already_stays_as_that_one_wrote_it(database):
    add(database, a_device(chip="esp32"))
    add(database, a_device(chip="esp32s3", project="fan"))

    assert stored(database) == a_device(chip="esp32")


def test_a_removed_device_is_gone(database):
    add(database, a_device(), a_device("another"))
    database.change(lambda tx: tx.devices.remove("board"))

    assert stored(database) is None
    assert ids(database) == ["another"]


def test_pages_follow_each_other_without_a_gap(database):
    names = {f"{letter}{number}" for letter in "aBc-Z" for number in range(3)}
    add(database, *map(a_device, names))

    pages, after = [], ""
    while page := ids(database, after=after, limit=4):
        pages.append(page)
        after = page[-1]

    assert [len(page) for page in pages] == [4, 4, 4, 3]
    assert {name for page in pages for name in page} == names


FLEET = (
    a_device("a", chip="esp32", version="1.0.0", tags=("hall", "floor=2"), last_seen=50),
    a_device("b", chip="esp32s3", version="1.0.0", channel="beta", tags=("Hall",), last_seen=99),
    a_device("c", project="fan", blocked=True, board="Desk_Lamp", notes="50% dimmed"),
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["a", "b", "c"]),
        ({"project": "lamp"}, ["a", "b"]),
        ({"channel": "beta"}, ["b"]),
        ({"version": "1.0.0"}, ["a", "b"]),
        ({"chip": "esp32"}, ["a"]),
        ({"blocked": True}, ["c"]),
        ({"blocked": False, "project": "fan"}, []),
        ({"tag": "hall"}, ["a"]),
        ({"tag": "floor=2"}, ["a"]),
        ({"tag": "floor"}, []),
        ({"tag": "%"}, []),
        ({"seen_before": 99}, ["a", "c"]),
        ({"seen_after": 50}, ["a", "b"]),
        ({"text": "desk_lamp"}, ["c"]),
        ({"text": "DESK"}, ["c"]),
        ({"text": "50%"}, ["c"]),
        ({"text": "%"}, ["c"]),
        ({"text": "_"}, ["c"]),
        ({"text": "/"}, []),
        ({"project": "lamp", "version": "1.0.0", "chip": "esp32s3"}, ["b"]),
    ],
)
def test_devices_are_found_by_what_is_known_of_them(database, wanted, found):
    add(database, *FLEET)

    assert ids(database, **wanted) == found
    with database.reading() as rows:
        assert rows.devices.count(Wanted(**wanted)) == len(found)


def test_the_latest_visit_counts_whoever_writes_it_first(database):
    add(database, a_device(), a_device("another"))
    visits = [("board", 200, "192.0.2.2"), ("another", 7, "192.0.2.3"), ("ghost", 7, "192.0.2.4")]

    database.change(lambda tx: tx.devices.see(visits))
    database.change(lambda tx: tx.devices.see([("board", 150, "192.0.2.1")]))
    database.change(lambda tx: tx.devices.see([]))

    assert (stored(database).last_seen, stored(database).address) == (200, "192.0.2.2")
    assert stored(database, "another").last_seen == 7
    assert stored(database, "ghost") is None


def test_a_visit_is_no_news_and_everything_else_is(database):
    def count():
        with database.reading() as rows:
            return rows.counters.get(of_device("board"))

    add(database, a_device())
    counts = [count()]
    for work in (
        lambda tx: tx.devices.see([("board", 9, "192.0.2.1")]),
        lambda tx: tx.devices.change(a_device(notes="x")),
        lambda tx: tx.devices.wipe("board"),
        lambda tx: tx.devices.remove("board"),
    ):
        database.change(work)
        counts.append(count())

    assert counts == [1, 1, 2, 3, 4]


def test_what_became_of_a_device_before_it_was_let_try_again_counts_no_more(database):
    add(database, a_device(), a_device("another"))

    def tried(device):
        number = database.change(lambda tx: tx.releases.get("lamp", "1.0.0").number)
        attempt = an_attempt(number, device, deliveries=2)
        return database.change(lambda tx: tx.attempts.open(attempt))

    database.change(lambda tx: released(tx, "1.0.0", "a"))
    tried("board")
    tried("another")
    database.change(lambda tx: tx.devices.wipe("board"))
    tried("board")
    database.change(lambda tx: tx.devices.wipe("another"))
    database.change(lambda tx: tx.devices.wipe("ghost"))

    with database.reading() as rows:
        assert rows.attempts.history("board").deliveries == {"a" * 64: 2}
        assert rows.attempts.history("another").deliveries == {}


def test_of_two_that_change_one_device_none_is_lost(database, database_url, clock):
    add(database, a_device(edition=0))
    others = [Database(database_url, clock=clock) for _ in range(4)]
    errors = []

    def raised(tx):
        tx.devices.lock("board")
        device = tx.devices.get("board")
        tx.devices.change(replace(device, edition=device.edition + 1))

    def run(one):
        try:
            for _ in range(10):
                one.change(raised)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in others:
        one.close()

    assert errors == []
    assert stored(database).edition == 40
