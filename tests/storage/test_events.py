"""Events are numbered without a gap and chained, however many add them at once."""

import hashlib
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.storage.database import Database
from ota_http_server.storage.events import NOTHING_BEFORE, Event, _clean, canonical


def chain_of(database: Database) -> list[Event]:
    with database.reading() as tx:
        return tx.events.page(0, 10_000)


def assert_chained(events: list[Event]) -> None:
    previous = NOTHING_BEFORE
    for number, event in enumerate(events, 1):
        assert (number, previous) == (event.id, event.previous)
        assert event.hash == event.true_hash()
        previous = event.hash


def test_an_event_says_what_happened_at_the_transactions_moment(database, clock):
    added = database.change(lambda tx: tx.events.add("generate_token", IP="::1", exp=7, jti=None))

    assert (1, clock.second, "generate_token") == (added.id, added.at, added.action)
    assert added.facts == {"IP": "::1", "exp": 7}
    assert [added] == chain_of(database)


def test_the_hash_covers_the_whole_content_in_one_canonical_form(database, clock):
    event = database.change(lambda tx: tx.events.add("revoke_token", jti="é"))

    content = json.dumps(
        [1, clock.second, "revoke_token", {"jti": "é"}, "0" * 64], separators=(",", ":")
    )
    assert hashlib.sha256(content.encode()).hexdigest() == event.hash


def test_several_events_of_one_transaction_follow_each_other(database):
    def three(tx):
        return [tx.events.add("server_start", count=n) for n in range(3)]

    added = database.change(three)

    assert added == chain_of(database)
    assert_chained(added)


def test_a_change_that_fails_takes_its_event_and_its_number_back(database):
    def fails(tx):
        tx.events.add("generate_token")
        raise LookupError

    with pytest.raises(LookupError):
        database.change(fails)
    database.change(lambda tx: tx.events.add("server_stop"))

    assert [(e.id, e.action) for e in chain_of(database)] == [(1, "server_stop")]


def test_events_of_several_instances_make_one_chain(database_url):
    instances = [Database(database_url) for _ in range(3)]

    def add_many(instance: Database) -> None:
        for _ in range(15):
            instance.change(lambda tx: tx.events.add("generate_token"))

    threads = [threading.Thread(target=add_many, args=(i,)) for i in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = chain_of(instances[0])
    assert len(events) == 45
    assert_chained(events)
    for instance in instances:
        instance.close()


def test_pages_go_on_where_the_last_one_ended(database):
    database.change(lambda tx: [tx.events.add("server_start") for _ in range(5)])

    with database.reading() as tx:
        first = tx.events.page(0, 3)
        second = tx.events.page(first[-1].id, 3)

    assert [event.id for event in first + second] == [1, 2, 3, 4, 5]


def test_marked_events_are_owed_no_line_any_more(database):
    database.change(lambda tx: [tx.events.add("server_start") for _ in range(1_200)])

    database.change(lambda tx: tx.events.mark_written(range(1, 1_199)))

    with database.reading() as tx:
        assert [event.id for event in tx.events.unwritten("")] == [1_199, 1_200]
        assert tx.events.unwritten("another host's") == []


@pytest.mark.parametrize("word", ["", "no good", "x" * 33, "line\nfeed", "é"])
def test_only_plain_words_name_events_and_facts(database, word):
    with pytest.raises(ValueError, match="not the name"):
        database.change(lambda tx: tx.events.add(word))
    with pytest.raises(ValueError, match="not the name"):
        database.change(lambda tx: tx.events.add("server_start", **{word: 1}))


@given(st.text() | st.text(st.characters(categories=["Cs", "Cc"])) | st.integers())
def test_any_fact_survives_the_way_through_json(value):
    kept = _clean(value)

    assert kept == json.loads(canonical(kept))
    assert isinstance(kept, int) or len(kept) <= 256


def test_facts_with_nul_and_lone_surrogates_can_be_stored(database):
    added = database.change(lambda tx: tx.events.add("admin_refused", IP="a\0b\ud800c" + "d" * 400))

    assert [added] == chain_of(database)
    assert_chained([added])
