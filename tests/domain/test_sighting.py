"""What devices say of themselves, in whatever spelling, is understood or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.sighting import NOTHING_SAID, Sighting, chip_name

anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@pytest.mark.parametrize(
    ("said", "chip"),
    [
        ("ESP32-S3", "esp32s3"),
        ("esp32s3", "esp32s3"),
        ("ESP32 C6", "esp32c6"),
        ("ESP8266", "esp8266"),
        ("nRF9160", "nrf9160"),
        ("STM32-H7", "stm32_h7"),
        ("", None),
        (None, None),
    ],
)
def test_a_chip_has_one_name(said, chip):
    assert chip_name(said) == chip


@pytest.mark.parametrize("said", ["<script>", "a" * 33, "x\ny", 5, ["esp32"]])
def test_what_names_no_chip_is_refused(said):
    with pytest.raises(Invalid):
        chip_name(said)


def test_digests_count_in_any_case_and_zeros_are_none():
    sighting = Sighting.of(digests=("AB" * 32, "0" * 64, "", None))

    assert sighting.digests == {"ab" * 32}


def test_numbers_may_come_as_text():
    sighting = Sighting.of(revision="301", free_bytes="1310720")

    assert (sighting.revision, sighting.free_bytes) == (301, 1_310_720)


@pytest.mark.parametrize(
    "said",
    [
        {"revision": -1},
        {"revision": True},
        {"revision": "1e3"},
        {"free_bytes": 2**41},
        {"version": "x" * 65},
        {"version": "a\0b"},
        {"digests": ("xyz",)},
        {"board": ["a"]},
    ],
)
def test_what_cannot_be_is_refused(said):
    with pytest.raises(Invalid):
        Sighting.of(**said)


def test_nothing_said_is_nothing():
    assert Sighting.of(version="", board=None, digests=("",)) == NOTHING_SAID


@given(anything, anything, anything, anything, anything)
def test_any_words_are_facts_or_a_refusal(version, chip, revision, board, free):
    try:
        sighting = Sighting.of(
            version=version,
            digests=(chip, board),
            chip=chip,
            revision=revision,
            board=board,
            free_bytes=free,
        )
    except Invalid:
        return
    assert sighting.version is None or 0 < len(sighting.version) <= 64


def test_what_one_place_does_not_say_another_may():
    header = Sighting.of(version="1.0.0", free_bytes=0)
    url = Sighting.of(version="9.9.9", chip="esp32s3", revision=0, free_bytes=4)

    assert header.beside(url) == Sighting.of(
        version="1.0.0", chip="esp32s3", revision=0, free_bytes=0
    )
    assert url.beside(header) == url
