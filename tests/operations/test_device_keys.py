"""Devices with key pairs of their own: they wait, are let in, and prove themselves each time."""

import pytest

from ota_http_server.domain.device_key import KeyState
from ota_http_server.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
)
from ota_http_server.operations.ask_with_key import SignedWords
from ota_http_server.operations.mint_with_key import MINTED_A_MINUTE_MAX
from tests.operations.enrolling import ADDRESS, SHELL, KeyPair, Process, operator


@pytest.fixture(name="here")
def a_process(database, clock):
    here = Process(database, clock)
    here.takes_keys()
    return here


@pytest.fixture(name="pair", scope="module", params=["p256", "ed25519"])
def a_key_pair(request):
    return KeyPair(request.param)


def asks(here, pair, device="board", project="lamp", address=ADDRESS):
    return here.ask(pair.words(here.ask.challenge(), device, project), pair.pem, address)


def accepted(here, pair, device="board"):
    return here.admit.accept(SHELL, asks(here, pair, device).fingerprint)


def words(here, pair, device="board", project="lamp"):
    return pair.words(here.ask.challenge(), device, project)


class TestAsking:
    def test_leaves_a_key_that_waits_and_gives_nothing(self, here, pair):
        key = asks(here, pair, "AA-BB-CC-DD-EE-FF")

        assert (key.state, key.device) == (KeyState.PENDING, "aa:bb:cc:dd:ee:ff")
        assert (key.public_key, key.address) == (pair.pem, ADDRESS)
        assert here.device("aa:bb:cc:dd:ee:ff") is None
        for mint in (here.mint.token, here.mint.credential):
            with pytest.raises(Unauthenticated):
                mint(words(here, pair, "aa:bb:cc:dd:ee:ff"), ADDRESS)

    def test_again_writes_nothing(self, here, pair):
        first = asks(here, pair)
        before = here.everything()

        assert asks(here, pair, address="198.51.100.1") == first
        assert here.everything() == before

    @pytest.mark.parametrize("project", ["fan", "nowhere"])
    def test_where_no_keys_are_taken_writes_nothing_and_tells_nothing(self, here, pair, project):
        here.enroll.register(SHELL, "fan", "another", {})
        before = here.everything()

        with pytest.raises(NotFound) as refusal:
            asks(here, pair, project=project)
        assert here.everything() == before
        assert project not in refusal.value.detail

    def test_with_a_word_that_was_not_signed_writes_nothing(self, here, pair):
        challenge = here.ask.challenge()
        signature = pair.words(challenge).signature
        before = here.everything()

        for said in (
            ("lamp", "another", challenge, signature),
            ("lamp", "BOARD", challenge, signature),
            ("lamp", "board", challenge, KeyPair().words(challenge).signature),
        ):
            with pytest.raises(Unauthenticated):
                here.ask(SignedWords.of(*said), pair.pem, ADDRESS)
        with pytest.raises(Unauthenticated):
            here.ask(pair.words(challenge), KeyPair().pem, ADDRESS)
        assert here.everything() == before

    def test_with_an_old_or_foreign_challenge_is_refused_before_anything_else(self, here, pair):
        old = pair.words(here.ask.challenge())
        here.clock.pass_seconds(300)

        for signed in (old, pair.words("68e7c2f4.AAAAAAAAAAAAAAAAAAAAAA"), pair.words("x")):
            with pytest.raises(Unauthenticated):
                here.ask(signed, "no key at all", ADDRESS)
            with pytest.raises(Unauthenticated):
                here.mint.token(signed, ADDRESS)

    @pytest.mark.parametrize(
        "said",
        [
            (None, "board", "c", "s"),
            ("../x", "board", "c", "s"),
            ("lamp", None, "c", "s"),
            ("lamp", "a\nb", "c", "s"),
            ("lamp", "urn:uuid:x", "c", "s"),
            ("lamp", "board", None, "s"),
            ("lamp", "board", "c" * 65, "s"),
        ],
    )
    def test_in_words_that_make_no_sense_is_refused(self, said):
        with pytest.raises(Invalid):
            SignedWords.of(*said)

    def test_for_a_second_device_with_one_key_is_a_conflict(self, here, pair):
        asks(here, pair)
        here.takes_keys("fan")

        for more in ({"device": "another"}, {"project": "fan"}):
            with pytest.raises(Conflict):
                asks(here, pair, **more)

    def test_has_a_limit_for_each_network_and_project(self, here, pair, monkeypatch):
        monkeypatch.setattr("ota_http_server.operations.ask_with_key.PENDING_MAX", 3)
        monkeypatch.setattr("ota_http_server.operations.ask_with_key.PENDING_OF_NETWORK_MAX", 2)
        for n in range(2):
            asks(here, KeyPair("ed25519"), f"board-{n}", address=f"192.0.2.{n}")

        with pytest.raises(TooMany):
            asks(here, pair, address="192.0.2.200")
        asks(here, KeyPair("ed25519"), "other-net", address="198.51.100.1")
        with pytest.raises(TooMany) as refusal:
            asks(here, pair, address="203.0.113.1")

        assert refusal.value.retry_after_seconds > 0
        here.admit.reject(SHELL, here.everything()[1][0].fingerprint)
        assert asks(here, pair, address="203.0.113.1").state is KeyState.PENDING


class TestAcceptedKeys:
    def test_let_their_device_in_and_mint_short_tokens(self, here, pair, clock):
        key = accepted(here, pair)

        minted = here.mint.token(words(here, pair), ADDRESS)

        assert key.state is KeyState.ACCEPTED
        assert here.device().created_by == key.name == f"device-key:{key.fingerprint[:16]}"
        assert here.who(minted.token).subject == "board"
        assert minted.expires_at.timestamp() == clock.second + 30 * 60
        assert minted.token not in repr(minted)
        told = here.events("accept_key", "generate_token")
        assert [(e.action, e.facts["actor"]) for e in told] == [
            ("accept_key", "shell"),
            ("generate_token", key.name),
        ]

    def test_may_have_a_lasting_credential_that_ends_with_the_next(self, here, pair):
        accepted(here, pair)

        first, second = (here.mint.credential(words(here, pair), ADDRESS) for _ in range(2))

        assert here.who(second.text).subject == "board"
        with pytest.raises(Unauthenticated):
            here.who(first.text)

    def test_mint_for_no_other_device(self, here, pair):
        accepted(here, pair)
        accepted(here, KeyPair(), "another")

        for said in ({"device": "another"}, {"device": "nobody"}, {"project": "fan"}):
            with pytest.raises(Unauthenticated):
                here.mint.token(words(here, pair, **said), ADDRESS)

    def test_mint_a_few_times_a_minute(self, here, pair):
        accepted(here, pair)
        for _ in range(MINTED_A_MINUTE_MAX):
            here.mint.token(words(here, pair), ADDRESS)

        with pytest.raises(TooMany):
            here.mint.token(words(here, pair), ADDRESS)
        # Nobody else can use up its tries.
        with pytest.raises(Unauthenticated):
            here.mint.token(words(here, KeyPair()), ADDRESS)
        here.clock.pass_seconds(60)
        assert here.mint.token(words(here, pair), ADDRESS)

    @pytest.mark.parametrize("ending", ["block", "remove", "revoke", "reject", "move"])
    def test_mint_nothing_once_their_device_may_not(self, here, pair, ending):
        key = accepted(here, pair)
        token = here.mint.token(words(here, pair), ADDRESS).token
        credential = here.mint.credential(words(here, pair), ADDRESS).text
        {
            "block": lambda: here.look_after.change(SHELL, "board", {"blocked": True}),
            "remove": lambda: here.look_after.remove(SHELL, "board"),
            "revoke": lambda: here.enroll.revoke_all(SHELL, "board"),
            "reject": lambda: here.admit.reject(SHELL, key.fingerprint),
            "move": lambda: here.look_after.change(SHELL, "board", {"project": "fan"}),
        }[ending]()

        with pytest.raises(Unauthenticated):
            here.mint.token(words(here, pair), ADDRESS)
        if ending in ("remove", "revoke", "reject"):
            for text in (token, credential):
                with pytest.raises(Unauthenticated):
                    here.who(text)

    def test_go_with_their_device_to_another_project(self, here, pair):
        accepted(here, pair)
        here.look_after.change(SHELL, "board", {"project": "fan"})

        token = here.mint.token(words(here, pair, project="fan"), ADDRESS).token

        assert here.who(token).project == "fan"

    def test_give_way_to_a_second_key_of_the_device(self, here, pair):
        first = accepted(here, pair)
        credential = here.mint.credential(words(here, pair), ADDRESS).text
        new = KeyPair()

        accepted(here, new)

        with pytest.raises(Unauthenticated):
            here.mint.token(words(here, pair), ADDRESS)
        with pytest.raises(Unauthenticated):
            here.who(credential)
        assert here.mint.token(words(here, new), ADDRESS)
        with here.database.reading() as rows:
            assert rows.device_keys.get(first.fingerprint).state is KeyState.REJECTED

    def test_are_accepted_once(self, here, pair):
        key = accepted(here, pair)

        assert here.admit.accept(SHELL, key.fingerprint) == key == asks(here, pair)
        assert len(here.events("accept_key")) == 1

    def test_may_have_tokens_again_in_the_second_of_a_revocation(self, here, pair):
        accepted(here, pair)
        here.database.change(lambda tx: tx.revocations.revoke_device("board", tx.second))
        here.verifier.refresh()

        assert here.who(here.mint.token(words(here, pair), ADDRESS).token)


class TestRejectedKeys:
    def test_are_refused_for_good_and_write_nothing(self, here, pair):
        key = asks(here, pair)
        here.admit.reject(SHELL, key.fingerprint)
        before = here.everything()

        with pytest.raises(Forbidden):
            asks(here, pair)
        assert here.everything() == before

    def test_may_be_accepted_after_all(self, here, pair):
        key = asks(here, pair)
        here.admit.reject(SHELL, key.fingerprint)

        assert here.admit.accept(SHELL, key.fingerprint).state is KeyState.ACCEPTED


class TestAnnouncedKeys:
    def fingerprint(self, here, pair, device="board"):
        """As an operator reads it from the board's own label."""
        key = asks(here, pair, device)
        here.database.change(lambda tx: tx.device_keys.forget_device(device))
        return key.fingerprint

    @pytest.mark.parametrize("named", ["board", ""])
    def test_are_accepted_as_soon_as_they_come(self, here, pair, named):
        fingerprint = self.fingerprint(here, pair)
        written = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()

        announced = here.admit.preauthorize(SHELL, "lamp", written, named)
        key = asks(here, pair)

        assert (announced.state, key.state) == (KeyState.ANNOUNCED, KeyState.ACCEPTED)
        assert here.mint.token(words(here, pair), ADDRESS)

    def test_for_one_device_make_no_other(self, here, pair):
        fingerprint = self.fingerprint(here, pair)
        here.admit.preauthorize(SHELL, "lamp", fingerprint, "another")

        with pytest.raises(Conflict):
            asks(here, pair)

    def test_for_whichever_device_take_none_over_that_is_there(self, here, pair):
        fingerprint = self.fingerprint(here, pair)
        here.enroll.issue(SHELL, "lamp", "board")
        here.admit.preauthorize(SHELL, "lamp", fingerprint)
        before = here.everything()

        with pytest.raises(Conflict):
            asks(here, pair)
        assert here.everything() == before

    def test_let_one_in_at_once_that_waits_already(self, here, pair):
        fingerprint = asks(here, pair).fingerprint

        assert here.admit.preauthorize(SHELL, "lamp", fingerprint).state is KeyState.ACCEPTED
        assert here.mint.token(words(here, pair), ADDRESS)

    def test_take_none_over_that_is_there_even_if_their_key_waits_already(self, here, pair):
        here.enroll.issue(SHELL, "lamp", "board")
        fingerprint = asks(here, pair).fingerprint

        with pytest.raises(Conflict):
            here.admit.preauthorize(SHELL, "lamp", fingerprint)
        assert here.admit.preauthorize(SHELL, "lamp", fingerprint, "board")

    def test_cannot_be_accepted_before_they_come(self, here, pair):
        fingerprint = self.fingerprint(here, pair)
        here.admit.preauthorize(SHELL, "lamp", fingerprint)

        with pytest.raises(Conflict):
            here.admit.accept(SHELL, fingerprint)

    def test_are_refused_for_a_key_of_another_project(self, here, pair):
        fingerprint = asks(here, pair).fingerprint

        for project, device in (("fan", ""), ("lamp", "another")):
            with pytest.raises(Conflict):
                here.admit.preauthorize(SHELL, project, fingerprint, device)


def test_a_device_of_another_project_is_not_taken_by_a_key(here, pair):
    here.enroll.register(SHELL, "fan", "board", {})
    key = asks(here, pair)

    with pytest.raises(Conflict):
        here.admit.accept(SHELL, key.fingerprint)
    assert here.device().project == "fan"


@pytest.mark.parametrize("fingerprint", ["", "a" * 63, "g" * 64, None, "a" * 64 + "\n\n1"])
def test_what_is_no_fingerprint_is_refused(here, fingerprint):
    for call in (here.admit.accept, here.admit.reject):
        with pytest.raises(Invalid):
            call(SHELL, fingerprint)


def test_only_operators_of_the_project_decide(here, pair):
    key = asks(here, pair)
    before = here.everything()

    for by in (operator("publisher"), operator(project="fan"), operator("viewer", "lamp")):
        for call in (here.admit.accept, here.admit.reject):
            with pytest.raises((Forbidden, NotFound)):
                call(by, key.fingerprint)
        with pytest.raises(Forbidden):
            here.admit.preauthorize(by, "lamp", key.fingerprint)
    assert here.everything() == before
    assert here.admit.accept(operator(project="lamp"), key.fingerprint).decided_by == "someone"
