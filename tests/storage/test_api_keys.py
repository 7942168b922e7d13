"""Rows about API keys, on both databases."""

import pytest
from sqlalchemy.exc import IntegrityError

from ota_http_server.domain.api_key import ApiKey
from ota_http_server.domain.errors import Refusal
from ota_http_server.domain.operator import Role
from ota_http_server.storage.counters import KEYS


def a_key(name, project=None, **more):
    digest = name.encode().hex().ljust(64, "0")
    return ApiKey(name, digest, Role.VIEWER, project, created_at=5, created_by="shell", **more)


def add(database, *keys):
    for key in keys:
        database.change(lambda tx, key=key: tx.api_keys.add(key))


def test_a_key_is_kept_as_it_is(database):
    key = a_key("ci", "lamp", expires_at=99)
    add(database, key)

    with database.reading() as rows:
        assert rows.api_keys.get("ci") == key
        assert rows.api_keys.get("other") is None
        assert rows.api_keys.count() == 1


def test_a_page_goes_on_behind_a_name_and_may_be_of_one_project(database):
    add(database, a_key("c", "lamp"), a_key("a"), a_key("b", "lamp"))

    with database.reading() as rows:
        assert [key.name for key in rows.api_keys.page(None, "", 2)] == ["a", "b"]
        assert [key.name for key in rows.api_keys.page(None, "b", 2)] == ["c"]
        assert [key.name for key in rows.api_keys.page("lamp", "", 9)] == ["b", "c"]


def test_a_revoked_key_stays_and_counts_no_more(database):
    add(database, a_key("a"), a_key("b"))

    first = database.change(lambda tx: tx.api_keys.revoke("a", 7))
    again = database.change(lambda tx: tx.api_keys.revoke("a", 8))

    assert (first, again) == (True, False)
    with database.reading() as rows:
        assert rows.api_keys.get("a").revoked_at == 7
        assert [key.name for key in rows.api_keys.unrevoked()] == ["b"]


def test_every_change_moves_the_counter(database):
    add(database, a_key("a"))
    database.change(lambda tx: tx.api_keys.revoke("a", 7))

    with database.reading() as rows:
        assert rows.counters.get(KEYS) == 2


def test_a_name_is_given_once(database):
    add(database, a_key("a"))

    with pytest.raises((IntegrityError, Refusal)):
        add(database, a_key("a"))
