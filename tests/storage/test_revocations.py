"""Revocations are kept, counted, and never taken back."""

import threading

from ota_http_server.storage.database import Database
from ota_http_server.storage.revocations import LIFE_SECONDS_MAX, Snapshot

DEVICE = "e6f87d77-4216-4be1-ab83-b5fa6792b747"


def snapshot(database: Database) -> Snapshot:
    with database.reading() as tx:
        return tx.revocations.snapshot()


def test_before_the_first_revocation_there_is_nothing(database):
    assert Snapshot(0, frozenset(), {}) == snapshot(database)


def test_a_snapshot_holds_all_revocations(database):
    database.change(lambda tx: tx.revocations.revoke_token("jti:a", at=1, until=9))
    database.change(lambda tx: tx.revocations.revoke_device(DEVICE, at=5))

    assert Snapshot(2, frozenset({"jti:a"}), {DEVICE: 5}) == snapshot(database)


def test_every_revocation_raises_the_counter(database):
    counts = []
    for _ in range(3):
        database.change(lambda tx: tx.revocations.revoke_token("jti:a", at=1, until=9))
        with database.reading() as tx:
            counts.append(tx.revocations.counter())

    assert counts == [1, 2, 3]


def test_a_devices_revocation_never_moves_backwards(database):
    database.change(lambda tx: tx.revocations.revoke_device(DEVICE, at=5))
    database.change(lambda tx: tx.revocations.revoke_device(DEVICE, at=3))

    with database.reading() as tx:
        assert tx.revocations.device_revoked_at(DEVICE) == 5
        assert tx.revocations.device_revoked_at("another") is None


def test_a_device_that_was_revoked_under_another_spelling_of_its_mac_stays_revoked(database):
    database.change(lambda tx: tx.revocations.revoke_device("AA-BB-CC-DD-EE-FF", at=9))
    database.change(lambda tx: tx.revocations.revoke_device("aa:bb:cc:dd:ee:ff", at=5))

    assert snapshot(database).devices == {"aa:bb:cc:dd:ee:ff": 9}


def test_a_revoked_token_is_kept_for_the_longest_time_asked_for(database):
    database.change(lambda tx: tx.revocations.revoke_token("jti:a", at=1, until=9))
    database.change(lambda tx: tx.revocations.revoke_token("jti:a", at=2, until=4))

    database.change(lambda tx: tx.revocations.forget_expired(9))
    kept = snapshot(database).tokens
    database.change(lambda tx: tx.revocations.forget_expired(10))

    assert ({"jti:a"}, frozenset()) == (kept, snapshot(database).tokens)


def test_a_devices_revocation_is_kept_as_long_as_a_token_can_live(database):
    database.change(lambda tx: tx.revocations.revoke_device(DEVICE, at=5))

    database.change(lambda tx: tx.revocations.forget_expired(5 + LIFE_SECONDS_MAX))
    kept = snapshot(database)
    database.change(lambda tx: tx.revocations.forget_expired(6 + LIFE_SECONDS_MAX))

    assert (kept.devices, snapshot(database).devices) == ({DEVICE: 5}, {})
    assert kept.counter == snapshot(database).counter


def test_forgetting_expired_tokens_is_no_news(database):
    database.change(lambda tx: tx.revocations.revoke_token("jti:a", at=1, until=2))

    database.change(lambda tx: tx.revocations.forget_expired(100))

    assert snapshot(database).counter == 1


def test_revocations_at_the_same_time_are_all_counted(database_url):
    instances = [Database(database_url) for _ in range(3)]

    def revoke(instance: Database, name: int) -> None:
        for number in range(10):
            key = f"jti:{name}-{number}"
            instance.change(lambda tx, key=key: tx.revocations.revoke_token(key, at=1, until=2))

    threads = [threading.Thread(target=revoke, args=(i, n)) for n, i in enumerate(instances)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seen = snapshot(instances[0])
    assert (seen.counter, len(seen.tokens)) == (30, 30)
    for instance in instances:
        instance.close()
