"""Events are found by what they name, on both databases."""

import pytest

from ota_http_server.storage.events import Sought


@pytest.fixture(name="found")
def found_events(database):
    def add(tx):
        tx.events.add("one", device="a", project="lamp")
        tx.events.add("two", device='b","project":"lamp', project="oven")
        tx.events.add("one", device="A_%", project="lamp")
        tx.events.add("one", project="lämp")
        tx.events.add("ONE", device="A", project="LAMP")

    database.change(add)

    def found(**sought):
        with database.reading() as rows:
            events, following = rows.events.find(Sought(**sought), None, 9, newest_first=False)
        assert following is None
        return [event.id for event in events]

    return found


@pytest.mark.parametrize(
    ("sought", "ids"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"action": "one"}, [1, 3, 4]),
        ({"project": "lamp"}, [1, 3]),
        ({"project": "lämp"}, [4]),
        ({"device": "A_%"}, [3]),
        ({"device": "A_"}, []),
        ({"device": "A"}, [5]),
        ({"project": "LAMP"}, [5]),
        ({"device": "%"}, []),
        ({"device": 'b","project":"lamp'}, [2]),
        ({"action": "one", "project": "lamp", "device": "a"}, [1]),
        ({"action": "never"}, []),
    ],
)
def test_events_are_found_by_exactly_what_they_name(found, sought, ids):
    assert found(**sought) == ids


def test_without_events_nothing_is_found(database):
    with database.reading() as rows:
        for newest_first in (True, False):
            assert rows.events.find(Sought(), None, 5, newest_first=newest_first) == ([], None)
