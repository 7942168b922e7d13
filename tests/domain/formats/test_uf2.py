import pytest

from ota_http_server.domain.image import Damaged, Incomplete
from tests.domain.formats.reading import changed, read
from tests.domain.formats.samples import NOISE, uf2, uf2_tag

ABSOLUTE = 0xE48BFF57
RP2350 = 0xE48BFF59


def test_an_image_names_its_chip_and_counts_its_blocks():
    facts = read(uf2())

    assert (facts.format, facts.kind, facts.chip) == ("uf2", "application", "rp2040")
    assert facts.length == len(uf2())
    assert facts.header["blocks"] == len(NOISE) // 256
    assert facts.header["families"] == "rp2040"
    assert facts.header["contiguous"] is True


def test_a_version_tag_in_the_first_block_is_the_version():
    tags = uf2_tag(0x650D9D, b"a lamp")[:-4] + uf2_tag(0x9FC7BC, b"1.2.3")

    assert read(uf2(tags=tags)).version == "1.2.3"


@pytest.mark.parametrize("tags", [b"\x03abc", b"\xff" * 220, uf2_tag(0x650D9D, b"a lamp")])
def test_tags_without_a_version_give_none(tags):
    assert read(uf2(tags=tags)).version is None


def test_an_image_for_several_chips_has_no_one_chip():
    facts = read(uf2(family=0xBFDD4EEE) + uf2(family=0xC47E5767))

    assert facts.chip is None
    assert facts.header["families"] == "esp32s2, esp32s3"


def test_the_lone_block_before_an_image_for_the_rp2350_is_no_family_of_its_own():
    lone = uf2(b"\xef" * 256, family=ABSOLUTE, address=0x10FFFF00, total=2)

    assert read(lone + uf2(family=RP2350)).chip == "rp2350-arm"


@pytest.mark.parametrize("family", [None, 0x12345678])
def test_a_family_that_nobody_knows_is_no_chip(family):
    assert read(uf2(family=family)).chip is None


def test_a_gap_between_the_blocks_is_told():
    image = changed(uf2(), 5 * 512 + 12, (0x20000000).to_bytes(4, "little"))

    assert read(image).header["contiguous"] is False


@pytest.mark.parametrize("cut", [1, 511, 512, 5 * 512])
def test_an_image_with_missing_blocks_is_incomplete(cut):
    with pytest.raises(Incomplete):
        read(uf2()[:-cut])


def test_swapped_blocks_are_damage():
    image = uf2()

    with pytest.raises(Damaged, match="out of order"):
        read(image[:512] + image[1024:1536] + image[512:1024] + image[1536:])


@pytest.mark.parametrize("at", [512, 516, 1020])
def test_a_block_with_a_wrong_magic_is_damage(at):
    with pytest.raises(Damaged, match="magic"):
        read(changed(uf2(), at, b"\0"))


def test_a_payload_larger_than_a_block_is_damage():
    with pytest.raises(Damaged, match="out of order"):
        read(changed(uf2(), 16, (477).to_bytes(4, "little")))


def test_an_image_for_more_chips_than_there_are_is_damage():
    with pytest.raises(Damaged, match="families"):
        read(b"".join(uf2(NOISE[:256], family=number) for number in range(1, 11)))
