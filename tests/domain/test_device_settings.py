"""What people settle about a device: any words are settings or are refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.device_settings import DEVICE_SETTINGS, changed
from ota_http_server.domain.errors import Conflict, Invalid

BOARD = Device(id="board", project="lamp", notes="before", edition=3)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(DEVICE_SETTINGS) | st.text(max_size=12), anything))
def test_any_words_are_settings_or_are_refused(wish):
    try:
        after = changed(BOARD, wish, 7)
    except Invalid:
        return

    assert (after.id, after.edition, after.image_sha256) == ("board", 3, None)
    said = {name: getattr(after, name) for name in DEVICE_SETTINGS}
    assert changed(after, said, 9) == after


def test_what_is_said_is_settled_and_the_rest_stays():
    after = changed(BOARD, {"chip": "ESP32-C6", "revision": "3", "tags": ["b", "a", "b"]}, 7)

    assert after == replace(BOARD, chip="esp32c6", revision=3, tags=("a", "b"))


@pytest.mark.parametrize("name", ["chip", "revision", "board", "channel", "pinned", "version"])
@pytest.mark.parametrize("nothing", ["", None])
def test_an_empty_word_takes_a_fact_back(name, nothing):
    known = replace(BOARD, chip="esp32", revision=3, board="b1", channel="beta", pinned="1.0.0")
    known = replace(known, version="1.0.0", version_from=VersionFrom.OPERATOR, running_since=5)

    assert getattr(changed(known, {name: nothing}, 7), name) is None


def test_a_version_that_somebody_wrote_down_is_known_to_be_such():
    after = changed(BOARD, {"version": "1.2.0"}, 7)

    assert (after.version, after.version_from) == ("1.2.0", VersionFrom.OPERATOR)
    assert after.running_since == 7


@pytest.mark.parametrize("source", [VersionFrom.REPORT, VersionFrom.DEVICE, VersionFrom.IMAGE])
def test_what_a_device_tells_of_itself_is_not_overwritten(source):
    telling = replace(BOARD, version="1.2.0", version_from=source, running_since=5)

    assert changed(telling, {"version": "1.2.0"}, 7) == telling
    with pytest.raises(Conflict):
        changed(telling, {"version": "1.3.0"}, 7)


@pytest.mark.parametrize(
    "wish",
    [
        {"id": "another"},
        {"edition": 9},
        {"tags": "a"},
        {"tags": ["a b"]},
        {"blocked": "yes"},
        {"project": None},
        {"project": "../x"},
        {"notes": "a\0b"},
        {"notes": "\ud800"},
        {"notes": "x" * 2_001},
        {"pinned": "no version!"},
        {"revision": -1},
        {"chip": "no chip!"},
    ],
)
def test_what_makes_no_sense_is_refused(wish):
    with pytest.raises(Invalid):
        changed(BOARD, wish, 7)
