"""Claim codes: made by this server, or refused without a look at any row."""

import re

from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.claim import CODE_ALPHABET
from ota_http_server.security.claim_codes import ClaimCodes

CODES = ClaimCodes("a secret of tests")
PRINTED = "0AB1-2CDE-3FGH-4JKM-4D39"
codes = st.builds(CODES.new)


def test_a_code_has_eighty_random_bits_and_no_letters_that_look_alike():
    made = {CODES.new() for _ in range(500)}

    assert len(made) == 500
    assert len(CODE_ALPHABET) ** 16 == 2**80
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){4}[0-9A-HJKMNP-TV-Z]{4}", c) for c in made)


@given(codes)
def test_a_code_has_one_digest_however_it_is_typed(code):
    digest = CODES.digest(code)

    assert digest is not None and re.fullmatch("[0-9a-f]{64}", digest)
    assert CODES.digest(code.lower().replace("-", " ")) == digest


def test_codes_on_labels_stay_good():
    """They are printed long before they are used: what makes a code may not change."""
    assert CODES.digest(PRINTED) == (
        "1dbf28f3619916667f6429809c16e5cea8bda140af018d4bccacf125bc93a9f0"
    )


def test_every_slip_of_one_letter_is_found():
    plain = PRINTED.replace("-", "")
    slips = [
        plain[:place] + letter + plain[place + 1 :]
        for place in range(20)
        for letter in CODE_ALPHABET
        if letter != plain[place]
    ]

    assert [slip for slip in slips if CODES.digest(slip) is not None] == []


@given(codes)
def test_another_servers_code_is_none_of_ours(code):
    assert ClaimCodes("another secret").digest(code) is None


@given(st.text())
def test_any_text_is_no_code(text):
    assert CODES.digest(text) is None
