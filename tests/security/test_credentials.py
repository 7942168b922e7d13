"""Opaque credentials and download tickets: short, random, and refused unless we made them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.security.credentials import (
    CREDENTIAL_PATTERN,
    TICKET_PATTERN,
    TICKET_SECONDS,
    Opaque,
)

OURS, THEIRS = Opaque("a secret of this server"), Opaque("another server's secret")
SHA256 = "0123456789abcdef" * 4
NOW = 1_760_000_000
devices = st.from_regex(r"\A[A-Za-z0-9:._-]{0,64}\Z")


def test_a_credential_has_32_letters_and_digits():
    assert CREDENTIAL_PATTERN.match(OURS.new_credential())


def test_no_two_credentials_are_alike():
    assert len({OURS.new_credential() for _ in range(1_000)}) == 1_000


def test_only_what_this_secret_made_may_be_one():
    assert OURS.may_be_credential(OURS.new_credential())
    assert not OURS.may_be_credential(THEIRS.new_credential())


@given(st.text(max_size=64) | st.from_regex(CREDENTIAL_PATTERN))
def test_whatever_a_stranger_makes_up_is_none(text):
    assert not OURS.may_be_credential(text)


def test_a_credential_with_one_character_changed_is_none():
    good = OURS.new_credential()
    for at in range(32):
        other = "A" if good[at] != "A" else "B"
        assert not OURS.may_be_credential(good[:at] + other + good[at + 1 :])


@given(devices, st.integers(0, TICKET_SECONDS - 1))
def test_a_ticket_opens_its_image_for_its_device_for_an_hour(device, later):
    ticket = OURS.new_ticket(device, "lamp", SHA256, NOW)

    said = OURS.read_ticket(ticket, "lamp", SHA256[:16], NOW + later)

    assert (said.device, said.issued_at) == (device, NOW)
    assert TICKET_PATTERN.match(ticket)
    assert len(ticket) <= 120


@pytest.mark.parametrize(
    ("project", "digest", "later"),
    [
        ("fan", SHA256[:16], 0),
        ("lamp", "f" * 16, 0),
        ("lamp", SHA256[:16], TICKET_SECONDS),
    ],
    ids=["another project", "another image", "too late"],
)
def test_a_ticket_opens_nothing_else(project, digest, later):
    ticket = OURS.new_ticket("board", "lamp", SHA256, NOW)

    with pytest.raises(Unauthenticated):
        OURS.read_ticket(ticket, project, digest, NOW + later)


def test_a_ticket_cannot_be_made_to_live_longer_or_to_name_another_device():
    expires, name, seal = OURS.new_ticket("board", "lamp", SHA256, NOW).split(".")
    _, other, _ = OURS.new_ticket("queen", "lamp", SHA256, NOW).split(".")
    longer = f"t{int(expires[1:], 16) + 1:08x}"

    for forged in (
        f"{longer}.{name}.{seal}",
        f"{expires}.{other}.{seal}",
        f"{expires}.{name}.{'A' * 22}",
    ):
        with pytest.raises(Unauthenticated):
            OURS.read_ticket(forged, "lamp", SHA256[:16], NOW)


@given(st.text(max_size=120) | st.from_regex(TICKET_PATTERN))
def test_any_text_is_a_refusal(text):
    with pytest.raises(Unauthenticated):
        OURS.read_ticket(text, "lamp", SHA256[:16], NOW)
