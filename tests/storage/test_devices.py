"""Devices as rows: found by what is known of them, page by page, seen and wiped."""

from dataclasses import replace

import pytest

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.storage.counters import of_device
from ota_http_server.storage.devices import CLOCKS_DIFFER_SECONDS_MAX, Wanted

ONE = Device(
    id="24:0a:c4:00:00:01",
    project="lamp",
    chip="esp32",
    revision=301,
    revision_min=300,
    board="Kitchen",
    tags=("beta", "floor-1"),
    channel="beta",
    version="1.0.0",
    version_from=VersionFrom.IMAGE,
    image_sha256="a" * 64,
    running_since=5,
    secure_version=2**33,
    free_bytes=2**33,
    last_seen=100,
    address="192.0.2.1",
    notes="behind the 50% door",
    blocked=True,
    pinned="1.0.0",
    attributes={"k": "ä"},
    attributes_wanted=False,
    created_at=4,
    created_by="shell",
    edition=7,
)
TWO = Device(id="two", project="lamp", tags=("Beta",), last_seen=200)
THREE = Device(id="three", project="fan")


@pytest.fixture(autouse=True)
def three_devices(database):
    for device in (ONE, TWO, THREE):
        database.change(lambda tx, device=device: tx.devices.add(device))


def found(database, **wanted) -> set[str]:
    with database.reading() as rows:
        page = {device.id for device in rows.devices.page(Wanted(**wanted), "", 10)}
        assert rows.devices.count(Wanted(**wanted)) == len(page)
    return page


def get(database, device):
    with database.reading() as rows:
        return rows.devices.get(device.id)


def test_a_device_is_read_back_as_it_was_written(database):
    assert get(database, ONE) == ONE
    assert get(database, THREE) == THREE
    changed = replace(ONE, tags=(), attributes={}, version_from=None, blocked=False, edition=8)

    database.change(lambda tx: tx.devices.change(changed))

    assert get(database, ONE) == changed


def test_who_is_there_already_stays_as_it_is(database):
    database.change(lambda tx: tx.devices.add(replace(ONE, project="fan", edition=1)))

    assert get(database, ONE) == ONE


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, {ONE.id, "two", "three"}),
        ({"project": "fan"}, {"three"}),
        ({"channel": "beta"}, {ONE.id}),
        ({"version": "1.0.0"}, {ONE.id}),
        ({"chip": "esp32"}, {ONE.id}),
        ({"blocked": True}, {ONE.id}),
        ({"blocked": False}, {"two", "three"}),
        ({"tag": "beta"}, {ONE.id}),
        ({"tag": "Beta"}, {"two"}),
        ({"tag": "bet"}, set()),
        ({"tag": "floor_1"}, set()),
        ({"seen_before": 200}, {ONE.id, "three"}),
        ({"seen_after": 100}, {ONE.id, "two"}),
        ({"text": "KITCHEN"}, {ONE.id}),
        ({"text": "50%"}, {ONE.id}),
        ({"text": "5%"}, set()),
        ({"text": "0A:C4"}, {ONE.id}),
        ({"project": "lamp", "blocked": False, "seen_after": 200}, {"two"}),
    ],
)
def test_devices_are_found_by_what_is_known_of_them(database, wanted, ids):
    assert found(database, **wanted) == ids


def test_pages_follow_each_other_without_gap_or_repetition(database):
    with database.reading() as rows:
        first = rows.devices.page(Wanted(), "", 2)
        second = rows.devices.page(Wanted(), first[-1].id, 2)

    assert sorted(device.id for device in first + second) == sorted([ONE.id, "two", "three"])
    assert len(second) == 1


def test_the_latest_visit_counts_and_is_no_news(database):
    with database.reading() as rows:
        before = rows.counters.all()
    seen = [("two", 150, "late"), (ONE.id, 300, "new"), ("three", 1, "first"), ("nobody", 9, "x")]

    database.change(lambda tx: tx.devices.see(seen))

    with database.reading() as rows:
        assert rows.counters.all() == before
    assert get(database, TWO) == TWO
    assert get(database, ONE) == replace(ONE, last_seen=300, address="new")
    assert get(database, THREE) == replace(THREE, last_seen=1, address="first")


def test_a_visit_far_in_the_future_is_overwritten(database):
    future = 10 + CLOCKS_DIFFER_SECONDS_MAX
    for at in (future, 10):
        database.change(lambda tx, at=at: tx.devices.see([("three", at, "x")]))
    assert get(database, THREE).last_seen == future

    database.change(lambda tx: tx.devices.see([("three", 9, "x")]))

    assert get(database, THREE).last_seen == 9


def test_nobody_seen_is_no_statement(database):
    database.change(lambda tx: tx.devices.see([]))

    assert get(database, TWO) == TWO


@pytest.mark.parametrize("change", ["add", "change", "wipe", "remove"])
def test_a_change_is_news_once_however_much_changed(database, change):
    changes = {
        "add": lambda tx: tx.devices.add(replace(ONE, edition=8)),
        "change": lambda tx: [tx.devices.change(ONE), tx.devices.change(ONE)],
        "wipe": lambda tx: tx.devices.wipe(ONE.id),
        "remove": lambda tx: tx.devices.remove(ONE.id),
    }
    with database.reading() as rows:
        before = rows.counters.get(of_device(ONE.id))

    database.change(changes[change])

    with database.reading() as rows:
        assert rows.counters.get(of_device(ONE.id)) == before + 1


def test_a_removed_device_is_gone(database):
    database.change(lambda tx: tx.devices.remove("two"))

    assert get(database, TWO) is None
    assert found(database) == {ONE.id, "three"}
