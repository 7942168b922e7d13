"""Opaque credentials as rows: found by digest, revoked alone or together, moved, forgotten."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from ota_http_server.storage.credentials import Credential, Kind
from ota_http_server.storage.revocations import COUNTER

FIRST = Credential("a" * 64, Kind.DEVICE, "board", "lamp", 100, "shell")
SECOND = replace(FIRST, digest="b" * 64, created_at=200)
ELSEWHERE = replace(FIRST, digest="ab" * 32, project="fan", created_at=150)
GATEWAY = replace(FIRST, digest="c" * 64, kind=Kind.GATEWAY, device="")
ALL = (FIRST, SECOND, ELSEWHERE, GATEWAY)


@pytest.fixture(name="given")
def four_credentials(database):
    for one in ALL:
        database.change(lambda tx, one=one: tx.credentials.add(one))


def revoked(database) -> list[str]:
    with database.reading() as rows:
        found = [rows.credentials.get(one.digest) for one in ALL]
    return [one.digest[:2] for one in found if one and one.revoked_at is not None]


def count(database) -> int:
    with database.reading() as rows:
        return rows.revocations.counter()


@pytest.mark.usefixtures("given")
def test_a_credential_is_found_by_its_digest_as_it_was_given(database):
    with database.reading() as rows:
        assert [rows.credentials.get(one.digest) for one in ALL] == list(ALL)
        assert rows.credentials.get("d" * 64) is None


def test_it_is_known_whether_one_was_ever_given(database):
    with database.reading() as rows:
        assert not rows.credentials.any()

    database.change(lambda tx: tx.credentials.add(FIRST))

    with database.reading() as rows:
        assert rows.credentials.any()


@pytest.mark.usefixtures("given")
def test_a_digest_is_given_once(database):
    with pytest.raises(IntegrityError):
        database.change(lambda tx: tx.credentials.add(replace(FIRST, device="another")))


@pytest.mark.usefixtures("given")
def test_what_a_device_was_given_comes_the_latest_first(database):
    with database.reading() as rows:
        assert rows.credentials.of("lamp", "board") == [SECOND, FIRST]
        assert rows.credentials.of("lamp", "") == [GATEWAY]
        assert rows.credentials.of_device("board") == [SECOND, ELSEWHERE, FIRST]
        assert rows.credentials.of("lamp", "nobody") == rows.credentials.of_device("nobody") == []


@pytest.mark.usefixtures("given")
def test_a_few_digits_of_a_digest_find_it_and_nothing_else_does(database):
    with database.reading() as rows:
        found = rows.credentials.starting("a", 9)
        assert {one.digest for one in found} == {FIRST.digest, ELSEWHERE.digest}
        assert len(rows.credentials.starting("a", 1)) == 1
        assert rows.credentials.starting("%", 9) == rows.credentials.starting("_", 9) == []


@pytest.mark.usefixtures("given")
def test_one_is_revoked_alone_once_and_running_servers_hear_of_it(database):
    before = count(database)

    assert database.change(lambda tx: tx.credentials.revoke(FIRST.digest, 300))

    assert revoked(database) == ["aa"]
    assert count(database) == before + 1
    assert not database.change(lambda tx: tx.credentials.revoke(FIRST.digest, 400))
    assert not database.change(lambda tx: tx.credentials.revoke("d" * 64, 400))
    with database.reading() as rows:
        assert rows.credentials.get(FIRST.digest).revoked_at == 300


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    ("project", "device", "digests"),
    [("lamp", "board", ["aa", "bb"]), ("lamp", "", ["cc"]), ("fan", "board", ["ab"])],
)
def test_all_of_one_device_or_of_the_gateways_are_revoked(database, project, device, digests):
    assert database.change(lambda tx: tx.credentials.revoke_all_of(project, device, 300))

    assert revoked(database) == digests
    assert not database.change(lambda tx: tx.credentials.revoke_all_of(project, device, 300))


@pytest.mark.usefixtures("given")
def test_a_moved_device_takes_all_of_its_credentials_along(database):
    before = count(database)

    database.change(lambda tx: tx.credentials.move_device("board", "pump"))

    with database.reading() as rows:
        assert len(rows.credentials.of("pump", "board")) == 3
        assert rows.credentials.of("lamp", "") == [GATEWAY]
    assert count(database) == before + 1


@pytest.mark.usefixtures("given")
def test_forgotten_ones_are_gone_and_running_servers_hear_of_it(database):
    before = count(database)

    database.change(lambda tx: tx.credentials.forget([FIRST.digest, GATEWAY.digest, "d" * 64]))

    with database.reading() as rows:
        left = [rows.credentials.get(one.digest) for one in ALL]
        assert rows.counters.get(COUNTER) == before + 1
    assert left == [None, SECOND, ELSEWHERE, None]
