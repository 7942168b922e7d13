"""Claim codes: one place for each use, whoever races, and nothing for whoever has no right."""

import threading

import pytest

from ota_http_server.domain.device import VersionFrom
from ota_http_server.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from ota_http_server.domain.sighting import Sighting
from ota_http_server.operations.claim import ClaimWish
from ota_http_server.operations.redeem_claim import GIVEN_MAX, WRONG_A_MINUTE_MAX
from ota_http_server.storage.database import Database
from tests.operations.enrolling import ADDRESS, SHELL, KeyPair, Process, operator

DAY = 24 * 3600


@pytest.fixture(name="here")
def a_process(database, clock):
    return Process(database, clock)


def refused(here, code, device="board", **more):
    """A redemption that is refused like every other, and leaves nothing behind."""
    before = here.everything()
    with pytest.raises(Unauthenticated) as refusal:
        here.redeem(code, device, **more)
    assert here.everything() == before
    return refusal.value


def test_a_code_becomes_a_device_with_a_credential(here, clock):
    code = here.code(label="line 3", channel="beta", tags=["x"])
    said = Sighting.of(version="1.0.0", chip="esp32", board="b1")

    issued = here.redeem(code, "AA:BB:CC:DD:EE:FF", said, ADDRESS)

    device = here.device("aa:bb:cc:dd:ee:ff")
    assert (device.project, device.channel, device.tags) == ("lamp", "beta", ("x",))
    assert (device.chip, device.board, device.created_by) == ("esp32", "b1", "claim:1")
    assert (device.address, device.last_seen) == (ADDRESS, None)
    assert (device.version, device.version_from) == ("1.0.0", VersionFrom.DEVICE)
    assert here.who(issued.text).subject == "aa:bb:cc:dd:ee:ff"
    event = here.events("issue_credential")[0]
    assert (event.facts["actor"], event.facts["IP"]) == ("claim:1", ADDRESS)


def test_only_the_digest_of_a_code_is_kept(here):
    given = here.claims.create(SHELL, ClaimWish.of("lamp"))

    for code in (given.code, given.code.replace("-", "")):
        assert code not in repr(given) + repr(here.everything())
    assert given.claim.digest == here.codes.digest(given.code)


def test_a_code_holds_for_so_many_devices(here):
    code = here.code(devices=2)

    for device in ("one", "two"):
        assert here.redeem(code, device).is_first

    refused(here, code, "three")
    with here.database.reading() as rows:
        assert rows.claims.get(1).uses == 2


def test_what_does_not_hold_is_refused_alike_and_writes_nothing(here, clock):
    used, expired, revoked = here.code(), here.code(expires_at=clock.second + 60), here.code()
    here.redeem(used, "another")
    here.claims.revoke(SHELL, 3)
    clock.pass_seconds(60)

    for code in (used, expired, revoked, here.codes.new(), "nonsense", "", None, 7, ["a"]):
        refusal = refused(here, code)
        assert (type(refusal), refusal.shown) == (Unauthenticated, True)
        assert str(code) not in refusal.detail or not code


def test_a_guess_costs_no_look_at_the_database(here, monkeypatch):
    monkeypatch.setattr(here.database, "reading", lambda: pytest.fail("the database was asked"))

    for code in ("0000-0000-0000-0000-0000", "A" * 20, "", "é" * 20):
        with pytest.raises(Unauthenticated):
            here.redeem(code, "board")


def test_a_network_that_is_wrong_all_the_time_is_told_to_wait_but_right_codes_are_taken(here):
    code = here.code()
    for _ in range(WRONG_A_MINUTE_MAX):
        with pytest.raises(Unauthenticated):
            here.redeem("wrong", "board", address=ADDRESS)

    with pytest.raises(TooMany) as refusal:
        here.redeem("wrong", "board", address="192.0.2.9")

    assert 0 < refusal.value.retry_after_seconds <= 60
    with pytest.raises(Unauthenticated):
        here.redeem("wrong", "board", address="198.51.100.1")
    assert here.redeem(code, "board", address=ADDRESS)
    here.clock.pass_seconds(60)
    with pytest.raises(Unauthenticated):
        here.redeem("wrong", "board", address=ADDRESS)


@pytest.mark.parametrize("device", ["", "a b", "urn:uuid:x", None, 7, "board\r\n", "x" * 65])
def test_a_device_without_an_id_gets_nothing(here, device):
    code = here.code()
    before = here.everything()

    with pytest.raises(Invalid):
        here.redeem(code, device)
    assert here.everything() == before


class TestADeviceThatLostTheAnswer:
    def test_asks_again_and_takes_no_second_place(self, here):
        code = here.code(devices=2)
        lost = here.redeem(code, "board")
        here.clock.pass_seconds(5)

        again = here.redeem(code, "board")

        assert (lost.is_first, again.is_first) == (True, False)
        assert here.who(again.text).subject == "board"
        with pytest.raises(Unauthenticated):
            here.who(lost.text)
        assert here.redeem(code, "another").is_first
        with here.database.reading() as rows:
            assert rows.claims.get(1).uses == 2

    def test_may_be_found_in_any_spelling_of_its_id(self, here):
        code = here.code()
        here.redeem(code, "aa:bb:cc:dd:ee:ff")

        assert here.redeem(code, "AABB.CCDD.EEFF").is_first is False

    def test_may_not_once_it_was_seen_with_what_it_got(self, here):
        code = here.code(devices=9)
        here.redeem(code, "board")
        here.clock.pass_seconds(5)
        here.comes()

        refused(here, code)

    def test_may_not_for_ever(self, here):
        code = here.code()
        for _ in range(GIVEN_MAX):
            here.redeem(code, "board")

        refused(here, code)

    def test_may_not_after_the_code_has_ended(self, here):
        code = here.code(expires_at=here.clock.second + DAY)
        here.redeem(code, "board")
        here.clock.pass_seconds(DAY)

        refused(here, code)

    def test_may_not_after_an_operator_took_back_what_it_got(self, here):
        code = here.code()
        issued = here.redeem(code, "board")
        here.enroll.revoke(SHELL, issued.credential.digest)

        refused(here, code)

    def test_may_not_once_it_has_another_credential_or_key(self, here):
        code = here.code(devices=9)
        here.redeem(code, "board")
        here.enroll.issue(SHELL, "lamp", "board")

        refused(here, code)

    @pytest.mark.parametrize("wish", [{"blocked": True}, {"project": "fan"}])
    def test_may_not_after_it_was_blocked_or_moved(self, here, wish):
        code = here.code(devices=9)
        here.redeem(code, "board")
        here.look_after.change(SHELL, "board", wish)

        refused(here, code)


class TestADeviceThatIsThereAlready:
    def test_may_be_claimed_if_nobody_is_it_yet(self, here):
        here.enroll.register(SHELL, "lamp", "board", {"channel": "beta"})

        assert here.redeem(here.code(channel="gamma"), "board").is_first
        assert here.device().channel == "beta"

    def test_is_not_taken_over_while_it_has_a_credential(self, here):
        here.enroll.issue(SHELL, "lamp", "board")

        refused(here, here.code())

    def test_is_not_taken_over_by_another_code(self, here):
        here.redeem(here.code(), "board")

        refused(here, here.code())

    def test_is_not_taken_over_while_it_has_a_key(self, here):
        here.takes_keys()
        pair = KeyPair()
        key = here.ask(pair.words(here.ask.challenge()), pair.pem, ADDRESS)
        here.admit.accept(SHELL, key.fingerprint)

        refused(here, here.code())

    def test_is_not_taken_over_if_it_comes_with_tokens(self, here):
        here.enroll.register(SHELL, "lamp", "board", {})
        here.comes()

        refused(here, here.code())

    def test_may_be_claimed_anew_once_all_that_it_had_was_revoked(self, here):
        here.enroll.issue(SHELL, "lamp", "board")
        here.comes()
        here.enroll.revoke_all(SHELL, "board")

        assert here.redeem(here.code(), "board").is_first

    def test_is_not_claimed_if_it_was_seen_after_that(self, here):
        here.enroll.issue(SHELL, "lamp", "board")
        here.enroll.revoke_all(SHELL, "board")
        here.clock.pass_seconds(6)
        here.comes()

        refused(here, here.code())

    def test_of_another_project_is_not_claimed(self, here):
        here.enroll.register(SHELL, "fan", "board", {})

        refused(here, here.code())

    def test_is_not_claimed_while_it_is_blocked(self, here):
        here.enroll.register(SHELL, "lamp", "board", {"blocked": True})

        refused(here, here.code())

    def test_that_was_removed_may_come_again(self, here):
        code = here.code(devices=2)
        here.redeem(code, "board")
        here.look_after.remove(SHELL, "board")

        assert here.redeem(code, "board").is_first


def test_a_full_registry_keeps_the_place_for_later(database, clock):
    here = Process(database, clock, devices_max=1)
    here.enroll.register(SHELL, "lamp", "another", {})
    code = here.code()

    with pytest.raises(Unavailable):
        here.redeem(code, "board")

    with here.database.reading() as rows:
        assert rows.claims.get(1).uses == 0


def race(database_url, clock, calls):
    """All of these at once, each with connections of its own: what they gave, or refused."""
    start, answers = threading.Barrier(len(calls)), []

    def run(call):
        database = Database(database_url, clock=clock)
        here = Process(database, clock)
        start.wait()
        try:
            answers.append(call(here))
        except (Unauthenticated, Unavailable) as refusal:
            answers.append(refusal)
        database.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == len(calls)
    return answers


@pytest.mark.parametrize("places", [1, 3])
def test_of_twenty_devices_at_once_only_so_many_come_in(here, database_url, clock, places):
    code = here.code(devices=places)
    calls = [lambda there, n=n: there.redeem(code, f"board-{n}") for n in range(20)]

    answers = race(database_url, clock, calls)

    won = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(won) == places
    assert all(type(one) is Unauthenticated for one in answers if one not in won)
    with here.database.reading() as rows:
        assert rows.claims.get(1).uses == places
    assert len(here.everything()[2]) == len(here.everything()[3]) == places


def test_of_twenty_answers_to_one_device_the_first_alone_takes_a_place(here, database_url, clock):
    code = here.code(devices=9)

    answers = race(database_url, clock, [lambda there: there.redeem(code, "board")] * 20)

    won = [answer for answer in answers if not isinstance(answer, Exception)]
    assert [answer.is_first for answer in won].count(True) == 1
    assert len(won) == GIVEN_MAX
    assert [one.revoked_at for one in here.given()].count(None) == 1
    with here.database.reading() as rows:
        assert rows.claims.get(1).uses == 1


def test_of_two_codes_for_one_device_at_once_one_wins(here, database_url, clock):
    codes = [here.code() for _ in range(8)]
    calls = [lambda there, code=code: there.redeem(code, "board") for code in codes]

    answers = race(database_url, clock, calls)

    assert [isinstance(answer, Exception) for answer in answers].count(False) == 1
    assert len(here.given()) == 1


def test_a_code_that_is_revoked_while_it_is_used_lets_nobody_in_afterwards(
    here, database_url, clock
):
    code = here.code(devices=50)
    calls = [lambda there, n=n: there.redeem(code, f"board-{n}") for n in range(10)]
    calls.insert(3, lambda there: there.claims.revoke(SHELL, 1))

    race(database_url, clock, calls)

    refused(here, code, "late")


def test_claims_are_given_and_taken_back_by_operators_of_their_project(here):
    by = operator(project="lamp")
    given = here.claims.create(by, ClaimWish.of("lamp", 5, expires_at=here.clock.second + 60))

    assert given.claim.created_by == "someone"
    for other, refusal in ((operator("publisher"), Forbidden), (operator(project="fan"), NotFound)):
        with pytest.raises(refusal):
            here.claims.revoke(other, given.claim.id)
        with pytest.raises(Forbidden):
            here.claims.create(other, ClaimWish.of("lamp"))
    for _ in range(2):
        assert here.claims.revoke(by, given.claim.id).revoked_at == here.clock.second
    with pytest.raises(NotFound):
        here.claims.revoke(by, 99)
    assert [(e.action, e.facts["claim"], e.facts["count"]) for e in here.events()] == [
        ("create_claim", "claim:1", 5),
        ("revoke_claim", "claim:1", 5),
    ]


@pytest.mark.parametrize("seconds", [-1, 0, 59, 366 * DAY + 1])
def test_a_code_ends_within_reason(here, seconds):
    with pytest.raises(Invalid):
        here.code(expires_at=here.clock.second + seconds)


@pytest.mark.parametrize(
    "wish",
    [
        {"project": "../x"},
        {"devices": 0},
        {"devices": 100_001},
        {"devices": True},
        {"label": "x" * 129},
        {"label": "a\nb"},
        {"channel": "no channel!"},
        {"tags": ["a b"]},
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(wish):
    with pytest.raises(Invalid):
        ClaimWish.of(**{"project": "lamp", **wish})


def test_a_project_has_a_limited_number_of_good_codes(here, monkeypatch):
    monkeypatch.setattr("ota_http_server.operations.claim.CLAIMS_MAX", 2)
    for _ in range(2):
        here.code()

    with pytest.raises(Conflict):
        here.code()
    assert here.code(project="fan")
