"""Rows about claims and about keys of devices, on both databases."""

from dataclasses import replace

import pytest

from ota_http_server.domain.claim import Claim
from ota_http_server.domain.device_key import DeviceKey, KeyState

CLAIM = Claim(
    id=0,
    digest="a" * 64,
    project="lamp",
    label="line 3",
    uses_max=2,
    expires_at=100,
    channel="beta",
    tags=("x", "y"),
    created_at=5,
    created_by="shell",
)
KEY = DeviceKey(
    fingerprint="f" * 64,
    project="lamp",
    device="board",
    public_key="PEM",
    state=KeyState.PENDING,
    address="192.0.2.1",
    created_at=5,
)


def test_a_claim_is_found_by_its_digest_as_it_was_added(database):
    added = database.change(lambda tx: tx.claims.add(CLAIM))

    with database.reading() as rows:
        assert rows.claims.with_digest("a" * 64) == added == replace(CLAIM, id=added.id)
        assert rows.claims.with_digest("b" * 64) is None
        assert rows.claims.get(added.id + 1) is None
    assert database.change(lambda tx: tx.claims.with_digest("a" * 64, lock=True)) == added


def test_uses_are_counted_and_a_revocation_keeps_its_moment(database):
    number = database.change(lambda tx: tx.claims.add(CLAIM)).id
    database.change(lambda tx: tx.claims.use(number))

    assert database.change(lambda tx: tx.claims.revoke(number, 7))
    assert not database.change(lambda tx: tx.claims.revoke(number, 9))

    with database.reading() as rows:
        claim = rows.claims.get(number)
    assert (claim.uses, claim.revoked_at) == (1, 7)


def test_only_claims_that_could_let_somebody_in_are_counted(database):
    for digest, project, expires_at in (("1", "lamp", 10), ("2", "lamp", 99), ("3", "fan", 99)):
        claim = replace(CLAIM, digest=digest, project=project, expires_at=expires_at)
        database.change(lambda tx, claim=claim: tx.claims.add(claim))
    revoked = database.change(lambda tx: tx.claims.add(replace(CLAIM, digest="4")))
    database.change(lambda tx: tx.claims.revoke(revoked.id, 7))

    with database.reading() as rows:
        assert rows.claims.count_good("lamp", 10) == 1
        assert [c.digest for c in rows.claims.page("lamp", 0, 9)] == ["1", "2", "4"]
        assert [c.digest for c in rows.claims.page(None, revoked.id - 2, 9)] == ["3", "4"]


@pytest.fixture(name="keys")
def some_keys(database):
    def put(number, **more):
        key = replace(KEY, fingerprint=f"{number:064x}", **more)
        database.change(lambda tx: tx.device_keys.put(key))
        return key

    return put


def test_a_key_is_kept_and_changed(database, keys):
    key = keys(1)
    accepted = replace(key, state=KeyState.ACCEPTED, decided_at=9, decided_by="shell")

    database.change(lambda tx: tx.device_keys.put(accepted))

    with database.reading() as rows:
        assert rows.device_keys.get(key.fingerprint) == accepted
        assert rows.device_keys.get("0" * 64) is None
        assert rows.device_keys.of_device("lamp", "board", KeyState.ACCEPTED) == [accepted]
        assert rows.device_keys.of_device("lamp", "board", KeyState.PENDING) == []
        assert rows.device_keys.count("lamp", KeyState.ACCEPTED) == 1


def test_keys_are_listed_by_project_and_state(database, keys):
    one, two, three = keys(1), keys(2, project="fan", address=None), keys(3)

    with database.reading() as rows:
        assert rows.device_keys.page(None, None, "", 2) == [one, two]
        assert rows.device_keys.page("lamp", KeyState.PENDING, one.fingerprint, 9) == [three]
        assert rows.device_keys.page(None, KeyState.REJECTED, "", 9) == []
        assert rows.device_keys.pending_addresses("lamp") == ["192.0.2.1"] * 2
        assert rows.device_keys.pending_addresses("fan") == [""]


def test_of_old_decisions_the_latest_are_kept(database, keys):
    for number in range(1, 6):
        keys(number, state=KeyState.REJECTED, decided_at=number)
    keys(9)

    database.change(lambda tx: tx.device_keys.forget_oldest("lamp", KeyState.REJECTED, 2))

    with database.reading() as rows:
        left = rows.device_keys.page(None, None, "", 99)
    assert [int(key.fingerprint, 16) for key in left] == [4, 5, 9]


def test_the_keys_of_a_device_move_and_go_with_it(database, keys):
    mine, others = keys(1), keys(2, device="another")
    database.change(lambda tx: tx.device_keys.move_device("board", "fan"))
    with database.reading() as rows:
        assert rows.device_keys.get(mine.fingerprint).project == "fan"

    database.change(lambda tx: tx.device_keys.forget_device("board"))

    with database.reading() as rows:
        assert rows.device_keys.page(None, None, "", 9) == [others]
