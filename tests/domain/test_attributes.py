"""Attributes: what a device says of itself in its own words, merged within limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.attributes import Mode, changed, mode_of, said_of
from ota_http_server.domain.device import ATTRIBUTES_MAX
from ota_http_server.domain.errors import Invalid, TooMany

keys = st.text(min_size=1, max_size=4)
attributes = st.dictionaries(keys, st.text(max_size=4), max_size=20)
said = st.dictionaries(keys, st.none() | st.text(max_size=4), max_size=20)


@given(attributes, said)
def test_merging_keeps_what_was_not_said_and_takes_what_was(before, said):
    after = changed(before, Mode.MERGE, said)

    assert {k: v for k, v in after.items() if k not in said} == {
        k: v for k, v in before.items() if k not in said
    }
    assert {k: v for k, v in said.items() if v is not None}.items() <= after.items()
    assert not any(key in after for key, value in said.items() if value is None)


@given(attributes, said)
def test_replacing_keeps_nothing_of_before(before, said):
    assert changed(before, Mode.REPLACE, said) == {k: v for k, v in said.items() if v is not None}


@given(attributes, said)
def test_removing_takes_the_keys_away_and_adds_none(before, said):
    after = changed(before, Mode.REMOVE, said)

    assert after.items() <= before.items()
    assert after.keys() == before.keys() - said.keys()


@given(attributes, said, st.sampled_from(Mode))
def test_said_again_nothing_changes(before, said, mode):
    once = changed(before, mode, said)

    assert changed(once, mode, said) == once


@given(st.dictionaries(keys, st.text(max_size=2), max_size=ATTRIBUTES_MAX), said)
def test_there_are_never_more_than_may_be(before, said):
    try:
        after = changed(before, Mode.MERGE, said)
    except TooMany:
        return
    assert len(after) <= ATTRIBUTES_MAX


def test_room_is_made_by_what_is_taken_away():
    before = {f"key-{n}": "x" for n in range(ATTRIBUTES_MAX)}

    with pytest.raises(TooMany):
        changed(before, Mode.MERGE, {"one": "more"})
    assert changed(before, Mode.MERGE, {"one": "more", "key-0": None})["one"] == "more"


def test_numbers_and_truths_become_text():
    assert said_of({"a": 1, "b": True, "c": 1.5, "d": None, "e": ""}) == {
        "a": "1",
        "b": "true",
        "c": "1.5",
        "d": None,
        "e": "",
    }


@pytest.mark.parametrize("value", [None, [], "text", {"": "x"}, {"k": []}, {"k": "x" * 129}])
def test_what_is_no_object_of_short_texts_is_refused(value):
    with pytest.raises(Invalid):
        said_of(value)


def test_without_a_mode_it_is_merged():
    assert mode_of(None) is Mode.MERGE
    assert mode_of("REPLACE") is Mode.REPLACE
    with pytest.raises(Invalid):
        mode_of("append")
