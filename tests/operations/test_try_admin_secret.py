"""Guessing the admin secret is slow from anywhere; knowing it is never punished."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import DiskFull, Forbidden, Refusal, TooMany, Unavailable
from ota_http_server.operations import try_admin_secret as trying
from ota_http_server.operations.slow_guessing import (
    CALM_SECONDS,
    FAILURES_A_MINUTE_MAX,
    KNOWN_SECONDS,
    WAIT_SECONDS_MAX,
    after_failure,
    network_of,
    wait_seconds,
)
from ota_http_server.operations.try_admin_secret import AdminGate
from ota_http_server.storage.database import Database
from ota_http_server.storage.secret_tries import EVERYWHERE, Record, SecretTries

HERE, NEAR, FAR = "203.0.113.7", "203.0.113.200", "198.51.100.1"
DAY = 24 * 3600


class Gate(AdminGate):
    """A gate that tells how many secrets it looked at."""

    def __init__(self, database: Database, clock) -> None:
        self.looked_at = 0
        super().__init__(database, self._look, clock)

    def _look(self, given: str) -> bool:
        self.looked_at += 1
        return given == "right"

    def answer(self, given: str | None, address: str) -> type[Refusal] | None:
        try:
            return self.admit(given, address)
        except Refusal as refusal:
            return type(refusal)


@pytest.fixture
def gate(database, clock):
    return Gate(database, clock)


def told(database: Database) -> list[tuple[str, dict]]:
    with database.reading() as tx:
        return [(event.action, dict(event.facts)) for event in tx.events.page(0, 10_000)]


def waits_until_blocked(gate: Gate, address: str = HERE) -> None:
    for _ in range(6):
        assert gate.answer("wrong", address) is Forbidden


def test_the_right_secret_passes(gate):
    assert gate.answer("right", HERE) is None


def test_a_wrong_and_a_missing_secret_are_refused_in_the_same_words(gate):
    with pytest.raises(Forbidden) as wrong:
        gate.admit("wrong", HERE)
    with pytest.raises(Forbidden) as missing:
        gate.admit(None, HERE)

    assert wrong.value.detail == missing.value.detail


def test_after_some_wrong_secrets_the_network_waits_and_is_not_looked_at(gate):
    waits_until_blocked(gate)

    with pytest.raises(TooMany) as refusal:
        gate.admit("right", HERE)
    assert refusal.value.retry_after_seconds == 1
    assert gate.looked_at == 6


def test_each_further_wrong_secret_doubles_the_wait(gate, clock):
    waits_until_blocked(gate)
    waits = []
    for _ in range(12):
        with pytest.raises(TooMany) as refusal:
            gate.admit("wrong", HERE)
        waits.append(refusal.value.retry_after_seconds)
        clock.pass_seconds(waits[-1])
        assert gate.answer("wrong", HERE) is Forbidden

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_the_wait_is_for_the_network_and_nobody_else(gate):
    waits_until_blocked(gate)

    assert (gate.answer("right", NEAR), gate.answer("right", FAR)) == (TooMany, None)


def test_quiet_time_brings_the_free_tries_back(gate, clock):
    waits_until_blocked(gate)
    clock.pass_seconds(1 + 4 * CALM_SECONDS)

    waits_until_blocked(gate)

    assert gate.answer("wrong", HERE) is TooMany


def test_two_hundred_tries_at_once_over_three_instances_gain_twenty_at_most(database_url, clock):
    databases = [Database(database_url, clock=clock) for _ in range(3)]
    gates = [Gate(database, clock) for database in databases]
    answers = []

    def guess(gate: Gate) -> None:
        answers.extend(gate.answer("wrong", HERE) for _ in range(34))

    threads = [threading.Thread(target=guess, args=(gate,)) for gate in gates for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 204
    assert sum(gate.looked_at for gate in gates) == 6
    for database in databases:
        database.close()


def test_a_block_is_known_to_every_instance_and_after_a_restart(gate, database_url, clock):
    waits_until_blocked(gate)
    restarted = Database(database_url, clock=clock)

    assert Gate(restarted, clock).answer("right", HERE) is TooMany
    restarted.close()


def test_guessing_from_everywhere_is_slowed_for_strangers_only(gate, clock):
    assert gate.answer("right", FAR) is None
    clock.pass_seconds(DAY)
    for number in range(FAILURES_A_MINUTE_MAX):
        assert gate.answer("wrong", f"10.0.{number}.1") is Forbidden

    assert gate.answer("right", HERE) is TooMany
    assert gate.answer("right", FAR) is None
    assert gate.answer("wrong", FAR) is Forbidden
    clock.pass_seconds(60)
    assert gate.answer("right", HERE) is None


def test_a_network_is_known_for_thirty_days(gate, clock):
    gate.admit("right", HERE)
    clock.pass_seconds(KNOWN_SECONDS + 1)
    for number in range(FAILURES_A_MINUTE_MAX):
        gate.answer("wrong", f"10.0.{number}.1")

    assert gate.answer("right", HERE) is TooMany


def test_the_right_secret_is_written_down_once_a_day(gate, database, clock):
    seen = []
    for seconds in (0, DAY - 1, 1):
        clock.pass_seconds(seconds)
        gate.admit("right", HERE)
        with database.reading() as tx:
            seen.append(tx.secret_tries.get(network_of(HERE)).succeeded_at)

    assert seen == [clock.second - DAY, clock.second - DAY, clock.second]


def test_blocked_tries_write_nothing(gate, database, monkeypatch):
    waits_until_blocked(gate)

    def no_writing(_work):
        raise AssertionError("a blocked try must not write")

    monkeypatch.setattr(database, "change", no_writing)

    for _ in range(50):
        assert gate.answer("wrong", HERE) is TooMany
        assert gate.answer(None, HERE) is Forbidden


@pytest.fixture
def full_disk(monkeypatch):
    """Where the last row of a wrong try finds no room, nothing of it is kept."""

    def no_room(*_):
        raise DiskFull("the disk of the database is full")

    with monkeypatch.context() as patch:
        patch.setattr(SecretTries, "refuse", no_room)
        yield patch


def test_guessing_is_slow_where_failures_cannot_be_written(gate, full_disk, clock):
    gate.admit("right", HERE)  # from a known network the right secret passes without writing
    gate.looked_at = 0
    answers = [gate.answer("wrong", HERE) for _ in range(200)]
    with pytest.raises(TooMany):
        gate.admit("right", HERE)
    clock.pass_seconds(1)
    later = [gate.answer("wrong", HERE) for _ in range(2)]

    assert (gate.looked_at, set(answers[:6]), set(answers[6:])) == (7, {DiskFull}, {TooMany})
    assert later == [DiskFull, TooMany]


def test_guesses_at_once_are_slow_where_failures_cannot_be_written(gate, full_disk):
    gate.admit("right", HERE)
    gate.looked_at = 0
    gate._known_wait = lambda _network: 0  # all of them came before the first was judged

    for _ in range(50):
        gate.answer("wrong", HERE)

    assert gate.looked_at == 6


def test_failures_that_could_not_be_written_are_told_of_later(gate, full_disk, database):
    gate.admit("right", HERE)
    gate.answer("wrong", HERE)
    full_disk.undo()

    gate.gather(all_minutes=True)

    assert told(database) == [("admin_refused", {"IP": HERE, "count": 1})]


@pytest.fixture
def away(database, monkeypatch):
    """The database does not answer."""

    def no_answer(*_):
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(database, "reading", no_answer)
        patch.setattr(database, "change", no_answer)
        yield patch


def test_the_right_secret_passes_while_the_database_is_away(gate, away):
    assert gate.answer("right", HERE) is None


def test_guessing_is_slow_while_the_database_is_away(gate, away, clock):
    waits_until_blocked(gate)
    meanwhile = [gate.answer(word, HERE) for word in ("wrong", "right")]
    elsewhere = gate.answer("right", FAR)
    clock.pass_seconds(1)

    assert (meanwhile, elsewhere, gate.looked_at) == ([TooMany] * 2, None, 7)
    assert gate.answer("wrong", HERE) is Forbidden
    clock.pass_seconds(1)
    assert gate.answer("wrong", HERE) is TooMany


def test_guessing_from_everywhere_is_slow_while_the_database_is_away(gate, away, clock):
    for number in range(FAILURES_A_MINUTE_MAX):
        assert gate.answer("wrong", f"10.0.{number}.1") is Forbidden

    assert gate.answer("right", HERE) is TooMany
    clock.pass_seconds(60)
    assert gate.answer("right", HERE) is None


def test_what_was_guessed_while_the_database_was_away_counts_when_it_is_back(gate, away, database):
    waits_until_blocked(gate)
    away.undo()

    assert gate.answer("right", HERE) is TooMany
    gate.gather(all_minutes=True)
    assert told(database) == [("admin_refused", {"IP": HERE, "count": 7})]


def test_the_right_secret_passes_where_nothing_can_be_written(gate, monkeypatch):
    def no_room(*_):
        raise DiskFull("the disk of the database is full")

    monkeypatch.setattr(SecretTries, "put", no_room)

    assert gate.answer("right", HERE) is None


def test_refusals_of_a_finished_minute_become_one_event_an_address(gate, database, clock):
    waits_until_blocked(gate)
    for _ in range(4):
        gate.answer("wrong", HERE)
    gate.answer(None, FAR)

    gate.gather()
    early = told(database)
    clock.pass_seconds(60 + trying.LATE_SECONDS)
    gate.gather()
    gate.gather()

    assert early == []
    assert told(database) == [
        ("admin_refused", {"IP": FAR, "count": 1}),
        ("admin_refused", {"IP": HERE, "count": 10}),
    ]


def test_at_the_end_the_running_minute_is_told_of_too(gate, database):
    gate.answer("wrong", HERE)

    gate.gather(all_minutes=True)

    assert told(database) == [("admin_refused", {"IP": HERE, "count": 1})]


def test_a_try_and_a_gathering_that_meet_never_wait_for_each_other(
    database_url, clock, monkeypatch
):
    databases = [Database(database_url, clock=clock) for _ in range(2)]
    trier, gatherer = (Gate(database, clock) for database in databases)
    trier.answer("wrong", HERE)
    clock.pass_seconds(2 * DAY)  # so that there is something to forget: the very same rows
    gatherer.answer(None, HERE)
    trying_it = threading.Thread(target=lambda: trier.answer("wrong", HERE))
    gathered, gatherings = SecretTries.gathered, []

    def slowly(*asked):
        gatherings.append(gathered(*asked))
        if len(gatherings) == 1:
            trying_it.start()
            trying_it.join(0.5)  # by then it waits for these refusals
        return gatherings[-1]

    monkeypatch.setattr(SecretTries, "gathered", slowly)
    gatherer.gather(all_minutes=True)
    trying_it.join()

    assert (len(gatherings), trier.looked_at) == (1, 2)  # none was taken back and done again
    for database in databases:
        database.close()


def test_all_processes_together_tell_of_each_refusal_once(database_url, clock):
    databases = [Database(database_url, clock=clock) for _ in range(3)]
    gates = [Gate(database, clock) for database in databases]
    for gate in gates:
        for number in range(20):
            gate.answer(None, f"10.0.{number}.1")
        gate.gather()
        gate.answer(None, HERE)
    clock.pass_seconds(120)
    threads = [threading.Thread(target=gate.gather) for gate in gates for _ in range(2)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    counts: dict[str, int] = {}
    for _, facts in told(databases[0]):
        counts[facts["IP"]] = counts.get(facts["IP"], 0) + facts["count"]
    assert counts == {**{f"10.0.{n}.1": 3 for n in range(20)}, HERE: 3}
    for database in databases:
        database.close()


def test_a_flood_from_many_addresses_is_told_of_in_bounds(gate, database):
    for number in range(600):
        gate.answer(None, f"10.1.{number // 200}.{number % 200}")

    gate.gather(all_minutes=True)

    events = told(database)
    assert len(events) == trying.ADDRESSES_MAX + 1
    assert sum(facts["count"] for _, facts in events) == 600
    assert events[-1][1]["IP"] == trying.OTHERS


def test_refusals_that_could_not_be_written_are_told_of_later(gate, database, monkeypatch):
    gate.answer(None, HERE)
    with monkeypatch.context() as broken, pytest.raises(RuntimeError):
        broken.setattr(database, "change", lambda _work: (_ for _ in ()).throw(RuntimeError))
        gate.gather(all_minutes=True)

    gate.gather(all_minutes=True)

    assert told(database) == [("admin_refused", {"IP": HERE, "count": 1})]


def test_networks_without_news_are_forgotten(gate, database, clock):
    gate.answer("wrong", HERE)
    gate.answer("right", FAR)
    clock.pass_seconds(2 * DAY)
    gate.answer("wrong", "10.0.0.1")

    gate.gather(all_minutes=True)

    with database.reading() as tx:
        assert tx.secret_tries.get(network_of(HERE)) == Record()
        assert tx.secret_tries.get(network_of(FAR)).succeeded_at
        assert tx.secret_tries.get(EVERYWHERE).failures == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("x" * 99, "x" * 64),
    ],
)
def test_addresses_are_slowed_by_network(address, network):
    assert network_of(address) == network


@given(st.lists(st.integers(0, 10_000), max_size=60))
def test_more_failures_never_wait_less_and_never_longer_than_the_longest(pauses):
    patient, hasty, now = Record(), Record(), 1_000_000
    for pause in pauses:
        now += pause
        patient = after_failure(patient, now)
    for _ in pauses:
        hasty = after_failure(hasty, now)

    waits = [wait_seconds(record, Record(), now) for record in (patient, hasty)]
    assert waits == sorted(waits)
    assert max(waits) <= WAIT_SECONDS_MAX
