"""Counters tell that something changed: after the commit, never before, and never for nothing."""

import threading

import pytest

from ota_http_server.storage.counters import CATALOG, KEYS, of_device
from ota_http_server.storage.database import Database


def counters(database):
    with database.reading() as rows:
        return rows.counters.all()


def test_what_never_moved_stands_at_nought(database):
    with database.reading() as rows:
        assert rows.counters.get(CATALOG) == 0
        assert rows.counters.all() == {}


def test_one_transaction_moves_a_counter_once_however_much_it_changes(database):
    def changed(tx):
        for _ in range(5):
            tx.counters.move(CATALOG)
        tx.counters.move(KEYS)

    database.change(changed)
    database.change(changed)

    assert counters(database) == {CATALOG: 2, KEYS: 2}


def test_what_was_taken_back_moved_nothing(database):
    def fails(tx):
        tx.counters.move(CATALOG)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.change(fails)
    database.change(lambda tx: tx.counters.move(KEYS))

    assert counters(database) == {KEYS: 1}


def test_a_counter_that_is_raised_never_falls(database):
    for value in (7, 3):
        database.change(lambda tx, v=value: tx.counters.raise_to("x", v))

    assert counters(database) == {"x": 7}


def test_of_parallel_moves_none_is_lost(database, database_url, clock):
    others = [Database(database_url, clock=clock) for _ in range(4)]
    errors = []

    def run(one):
        try:
            for _ in range(10):
                one.change(lambda tx: (tx.counters.move(KEYS), tx.counters.move(CATALOG)))
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
    assert counters(database) == {CATALOG: 40, KEYS: 40}


def test_devices_share_few_counters_and_each_keeps_its_own():
    names = {of_device(f"board-{number}") for number in range(5_000)}

    assert len(names) == 256
    assert of_device("board-1") == "devices-fe"  # the same in every process, for ever
