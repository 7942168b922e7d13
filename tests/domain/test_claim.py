"""Claim codes as people read, type and mistype them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.claim import CODE_ALPHABET, grouped, plain_code

codes = st.text(CODE_ALPHABET, min_size=20, max_size=20)


@given(codes, st.sampled_from([str.upper, str.lower]), st.sampled_from(["-", "", " ", "--"]))
def test_a_code_is_read_however_it_was_typed(code, case, mark):
    typed = case(grouped(code)).replace("-", mark)

    assert plain_code(f" {typed}\r\n") == code


@given(codes)
def test_letters_that_look_alike_are_the_same(code):
    typed = code.replace("0", "o").replace("1", "I", 1).replace("1", "l")

    assert plain_code(typed) == code


@given(st.text())
def test_any_text_is_a_code_or_none(text):
    code = plain_code(text)

    assert code is None or (len(code) == 20 and set(code) <= set(CODE_ALPHABET))


def test_a_code_is_shown_in_groups_of_four():
    assert grouped("0AB12CDE3FGH4JKM5NPQ") == "0AB1-2CDE-3FGH-4JKM-5NPQ"


@pytest.mark.parametrize("text", ["", "0AB1-2CDE-3FGH-4JKM-5NP", "u" * 20, "é" * 20, "A" * 65])
def test_what_is_no_code_is_none(text):
    assert plain_code(text) is None
