"""Images of the ESP32 that are not started as they are: patches and encrypted ones."""

import pytest

from ota_http_server.domain.image import Damaged, Incomplete, Mistaken
from tests.domain.formats.reading import read
from tests.domain.formats.samples import delta, encrypted


def test_a_patch_names_the_image_that_it_applies_to():
    facts = read(delta(base=b"\xab" * 32))

    assert (facts.format, facts.kind) == ("esp-delta", "patch")
    assert facts.base_sha256 == "ab" * 32
    assert facts.header["base_sha256"] == "ab" * 32


@pytest.mark.parametrize(
    ("size", "patched_bytes"),
    [(b"\x05", 5), (b"\x9a\x05", 0x1A | 5 << 6), (b"\xbf\xff\x01", 16383)],
)
def test_a_patch_says_how_large_its_result_is(size, patched_bytes):
    assert read(delta(size=size)).header["patched_bytes"] == patched_bytes


@pytest.mark.parametrize("wrong", [{"kind": 0x14}, {"kind": 0x01}, {"window": 0x74}])
def test_a_patch_that_no_device_takes_says_how_to_make_one(wrong):
    with pytest.raises(Mistaken, match="window 8, lookahead 7"):
        read(delta(**wrong))


def test_a_patch_whose_size_does_not_end_is_damaged():
    with pytest.raises(Damaged):
        read(delta(size=b"\xff" * 8))


def test_a_cut_patch_is_incomplete():
    with pytest.raises(Incomplete):
        read(delta()[:64])


def test_an_encrypted_image_only_says_how_long_it_is():
    facts = read(encrypted())

    assert (facts.format, facts.kind, facts.chip) == ("esp-encrypted", "application", None)
    assert facts.length == len(encrypted())
    assert facts.header["encrypted"] is True


def test_a_cut_encrypted_image_is_incomplete():
    with pytest.raises(Incomplete):
        read(encrypted()[:-1])
