"""Rows about opaque credentials, on both databases."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from ota_http_server.storage.credentials import Credential, Kind

ONE = Credential("1a" * 32, Kind.DEVICE, "board", "lamp", 5, "anna")
TWO = replace(ONE, digest="1b" * 32, created_at=7)
GATEWAY = replace(ONE, digest="2c" * 32, kind=Kind.GATEWAY, device="")
OTHERS = (
    replace(ONE, digest="3d" * 32, device="another"),
    replace(ONE, digest="4e" * 32, project="fan"),
)
ALL = (ONE, TWO, GATEWAY, *OTHERS)


@pytest.fixture(autouse=True)
def given(database):
    def added(tx):
        for credential in ALL:
            tx.credentials.add(credential)

    database.change(added)


def live(database):
    with database.reading() as rows:
        found = [rows.credentials.get(one.digest) for one in ALL]
    return {one.digest[:2] for one in found if one is not None and one.revoked_at is None}


def revocations(database):
    with database.reading() as rows:
        return rows.revocations.counter()


@pytest.mark.parametrize("credential", ALL, ids=lambda one: one.digest[:2])
def test_a_credential_is_found_by_its_digest_as_it_was_added(database, credential):
    with database.reading() as rows:
        assert rows.credentials.get(credential.digest) == credential
        assert rows.credentials.get("ff" * 32) is None


def test_no_digest_is_given_twice(database):
    with pytest.raises(IntegrityError):
        database.change(lambda tx: tx.credentials.add(replace(ONE, device="thief")))


def test_what_a_device_or_a_gateway_has_is_listed_the_latest_first(database):
    with database.reading() as rows:
        assert rows.credentials.of("lamp", "board") == [TWO, ONE]
        assert rows.credentials.of("lamp", "") == [GATEWAY]
        assert rows.credentials.of_device("board") == [TWO, ONE, OTHERS[1]]
        assert rows.credentials.of("bell", "board") == []


def test_a_credential_is_found_by_how_its_digest_begins(database):
    with database.reading() as rows:
        starting = rows.credentials.starting
        assert starting("1a", 9) == [ONE]
        assert {one.digest for one in starting("1", 9)} == {ONE.digest, TWO.digest}
        assert len(starting("", 2)) == 2
        assert starting("%", 9) == starting("1_", 9) == []


def test_one_is_revoked_alone_and_once(database):
    first = database.change(lambda tx: tx.credentials.revoke(ONE.digest, 9))
    again = database.change(lambda tx: tx.credentials.revoke(ONE.digest, 11))
    nobodys = database.change(lambda tx: tx.credentials.revoke("ff" * 32, 9))

    assert (first, again, nobodys) == (True, False, False)
    assert live(database) == {"1b", "2c", "3d", "4e"}
    with database.reading() as rows:
        assert rows.credentials.get(ONE.digest).revoked_at == 9


def test_all_of_a_device_are_revoked_and_no_others(database):
    assert database.change(lambda tx: tx.credentials.revoke_all_of("lamp", "board", 9))
    assert not database.change(lambda tx: tx.credentials.revoke_all_of("lamp", "board", 9))

    assert live(database) == {"2c", "3d", "4e"}


def test_what_is_forgotten_is_gone(database):
    database.change(lambda tx: tx.credentials.forget([ONE.digest, "ff" * 32]))
    database.change(lambda tx: tx.credentials.forget([]))

    assert live(database) == {"1b", "2c", "3d", "4e"}


def test_a_device_that_moves_takes_what_it_has_along(database):
    database.change(lambda tx: tx.credentials.move_device("board", "bell"))

    with database.reading() as rows:
        assert len(rows.credentials.of("bell", "board")) == 3
        assert rows.credentials.of("lamp", "board") == []
        assert rows.credentials.of("lamp", "another") == [OTHERS[0]]


@pytest.mark.parametrize(
    "work",
    [
        lambda tx: tx.credentials.revoke(ONE.digest, 9),
        lambda tx: tx.credentials.revoke_all_of("lamp", "board", 9),
        lambda tx: tx.credentials.forget([ONE.digest]),
        lambda tx: tx.credentials.move_device("board", "fan"),
    ],
    ids=["one", "all", "forgotten", "moved"],
)
def test_running_servers_hear_of_whatever_ends_what_was_granted(database, work):
    before = revocations(database)
    database.change(work)

    assert revocations(database) == before + 1


def test_whether_one_was_ever_given_is_known(database):
    def forget_all(tx):
        before = tx.credentials.any()
        tx.credentials.forget(one.digest for one in ALL)
        return before, tx.credentials.any()

    assert database.change(forget_all) == (True, False)
