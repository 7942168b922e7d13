import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid, Unfit
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.formats.esp_layout import CHIPS
from ota_http_server.domain.image import BytesSource, Damaged, ImageFacts, Incomplete, read_image
from tests.domain.formats.samples import signed

SAMPLE = esp_application(version="1.4.0", project="lamp", chip="esp32s3", payload_bytes=1000)
CHECKSUM_AT = len(SAMPLE) - 33


def read(content):
    return read_image(BytesSource(bytes(content)))


def changed(content, at, new):
    return content[:at] + new + content[at + len(new) :]


def summed(content):
    """The image up to its last segment's end, with checksum and digest put right (slowly)."""
    end, checksum = 24, 0xEF
    for _ in range(content[1]):
        start, end = end + 8, end + 8 + int.from_bytes(content[end + 4 : end + 8], "little")
        for byte in content[start:end]:
            checksum ^= byte
    body = content[:end] + bytes(15 - end % 16) + bytes([checksum])
    return body + (hashlib.sha256(body).digest() if content[23] else b"")


def test_a_sample_says_what_it_was_made_of():
    facts = read(
        esp_application(
            version="v2.0-rc1",
            project="pump",
            chip="esp32c6",
            secure_version=7,
            idf_version="v5.4",
            min_chip_revision=1,
            max_chip_revision=99,
        )
    )

    assert (facts.format, facts.version, facts.project) == ("esp-idf-app", "v2.0-rc1", "pump")
    assert facts.header["chip"] == "esp32c6"
    assert facts.header["secure_version"] == 7
    assert facts.header["idf_version"] == "v5.4"
    assert facts.header["min_chip_revision"] == 1
    assert facts.header["max_chip_revision"] == 99
    assert facts.header["flash_size"] == "4MB"
    assert facts.header["compiled"] == "Jan  1 2025 12:00:00"


def test_a_sample_has_every_byte_where_the_documented_layout_puts_it():
    assert SAMPLE[0] == 0xE9 and SAMPLE[1] == 2 and SAMPLE[23] == 1
    assert SAMPLE[12:14] == b"\x09\x00"
    assert SAMPLE[32:36] == b"\x32\x54\xcd\xab"
    assert SAMPLE[36:40] == b"\x00\x00\x00\x00"
    assert SAMPLE[48:80] == b"1.4.0".ljust(32, b"\0")
    assert SAMPLE[80:112] == b"lamp".ljust(32, b"\0")
    assert SAMPLE[112:128] == b"12:00:00".ljust(16, b"\0")
    assert SAMPLE[128:144] == b"Jan  1 2025".ljust(16, b"\0")
    assert SAMPLE[144:176] == b"v5.5.1".ljust(32, b"\0")
    assert any(SAMPLE[176:208])
    assert (len(SAMPLE) - 32) % 16 == 0
    assert SAMPLE[-32:] == hashlib.sha256(SAMPLE[:-32]).digest()
    assert summed(SAMPLE) == SAMPLE


def test_the_header_is_ready_for_people_and_names_the_digest_that_devices_report():
    facts = read(SAMPLE)

    assert facts.length == len(SAMPLE)
    assert facts.header["image_sha256"] == SAMPLE[-32:].hex()
    assert facts.header["elf_sha256"] == SAMPLE[176:208].hex()
    assert facts.header["checksum_valid"] is True
    assert facts.header["digest_valid"] is True
    assert facts.header["secure_boot_v2_blocks"] == 0


@pytest.mark.parametrize("chip", CHIPS.values())
def test_every_chip_is_recognised(chip):
    assert read(esp_application(chip=chip, payload_bytes=0)).header["chip"] == chip


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others():
    assert esp_application(seed=1) == esp_application(seed=1)
    assert esp_application(seed=1) != esp_application(seed=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "1" * 32},
        {"project": "a\x00b"},
        {"chip": "esp8266"},
        {"payload_bytes": -1},
        {"payload_bytes": 16 * 2**20},
        {"secure_version": -1},
        {"min_chip_revision": 70000},
    ],
)
def test_a_sample_that_no_image_can_be_is_refused(wrong):
    with pytest.raises(Invalid):
        esp_application(**wrong)


def test_an_image_larger_than_a_block_is_read_in_pieces():
    content = esp_application(payload_bytes=600_001)

    class Pieces(BytesSource):
        def read_at(self, offset, length, /):
            assert length <= 2**17
            return super().read_at(offset, length)

    assert read_image(Pieces(content)).length == len(content)


@pytest.mark.parametrize("kept", [36, 100, 287, 288, 1000, len(SAMPLE) - 33, len(SAMPLE) - 1])
def test_a_cut_image_is_incomplete_and_both_lengths_are_named(kept):
    with pytest.raises(Incomplete, match=rf"has {kept} bytes.* promises .*[0-9]+"):
        read(SAMPLE[:kept])


@given(st.integers(36, len(SAMPLE) - 1))
def test_no_part_of_an_image_passes_for_the_whole(kept):
    with pytest.raises(Incomplete):
        read(SAMPLE[:kept])


def test_a_file_that_shrinks_while_it_is_read_is_incomplete():
    class Shrinking(BytesSource):
        @property
        def size(self):
            return super().size + 32

    with pytest.raises(Incomplete):
        read_image(Shrinking(SAMPLE[:-32]))


@given(st.integers(288, CHECKSUM_AT), st.integers(0, 7))
def test_a_flipped_bit_is_found(at, bit):
    with pytest.raises(Damaged):
        read(changed(SAMPLE, at, bytes([SAMPLE[at] ^ 1 << bit])))


def test_a_wrong_checksum_is_named():
    with pytest.raises(Damaged, match="wrong checksum"):
        read(changed(SAMPLE, CHECKSUM_AT, bytes([SAMPLE[CHECKSUM_AT] ^ 1])))


def test_a_wrong_appended_digest_is_named():
    with pytest.raises(Damaged, match="wrong appended digest"):
        read(SAMPLE[:-1] + bytes([SAMPLE[-1] ^ 1]))


def test_swapped_bytes_that_keep_the_checksum_are_found_by_the_digest():
    at = next(i for i in range(300, 400) if SAMPLE[i] != SAMPLE[i + 1])

    with pytest.raises(Damaged, match="digest"):
        read(changed(SAMPLE, at, SAMPLE[at : at + 2][::-1]))


def test_an_image_without_an_appended_digest_is_read_by_its_checksum():
    facts = read(summed(changed(SAMPLE, 23, b"\0")))

    assert facts.length == len(SAMPLE) - 32
    assert "image_sha256" not in facts.header


def test_filling_that_is_not_zero_is_no_part_of_the_checksum():
    plain = esp_application(payload_bytes=8)
    filling = range(24 + 8 + 256 + 4 + 8 + 4, len(plain) - 33)
    assert len(filling) > 0
    filled = changed(plain[:-32], filling[0], b"\xff" * len(filling))

    assert read(filled + hashlib.sha256(filled).digest()).length == len(plain)


@pytest.mark.parametrize("length", [2, 0xFFFFFFFC, 16 * 2**20])
def test_a_segment_length_that_cannot_be_is_damage_and_not_a_copy_in_progress(length):
    with pytest.raises(Damaged, match="impossible length") as refusal:
        read(changed(SAMPLE, 28, length.to_bytes(4, "little")))

    assert not isinstance(refusal.value, Incomplete)


def test_a_first_segment_too_small_for_its_descriptor_is_damage():
    with pytest.raises(Damaged, match="descriptor"):
        read(changed(SAMPLE, 28, (252).to_bytes(4, "little")))


def test_an_image_larger_than_any_flash_is_refused():
    with pytest.raises(Unfit, match="at most 16777216 bytes"):
        read(SAMPLE.ljust(16 * 2**20 + 1, b"\xff"))


def test_what_follows_an_image_is_allowed():
    facts = read(SAMPLE + b"\xff" * 5000)

    assert facts.length == len(SAMPLE)
    assert facts.header["secure_boot_v2_blocks"] == 0


@pytest.mark.parametrize(
    ("kind", "blocks", "named"),
    [("rsa", 1, "rsa-3072"), ("p256", 2, "ecdsa-p256"), ("p384", 3, "ecdsa-p384")],
)
def test_signatures_in_the_sector_behind_the_image_are_counted_and_their_kind_is_named(
    kind, blocks, named
):
    facts = read(signed(SAMPLE, kind, blocks))

    assert facts.length == len(SAMPLE)
    assert facts.header["secure_boot_v2_blocks"] == blocks
    assert facts.header["secure_boot_v2_kind"] == named


def test_an_image_that_was_changed_after_it_was_signed_is_damaged():
    at_filling = len(SAMPLE) + 1

    with pytest.raises(Damaged, match="sign the image again"):
        read(changed(signed(SAMPLE), at_filling, b"\0"))


@pytest.mark.parametrize("at", [0, 1, 500, 1199])
def test_a_signature_block_that_is_not_intact_is_none(at):
    facts = read(changed(signed(SAMPLE), 4096 + at, b"\x77"))

    assert facts.header["secure_boot_v2_blocks"] == 0


def test_a_cut_signature_block_is_none():
    assert read(signed(SAMPLE)[:-1]).header["secure_boot_v2_blocks"] == 0


def test_the_appended_signature_of_the_first_secure_boot_is_noticed():
    facts = read(SAMPLE + bytes(4) + b"\x5a" * 64)

    assert facts.header["secure_boot_v1"] is True
    assert "secure_boot_v1" not in read(SAMPLE).header


def test_what_later_decisions_need_is_typed_beside_the_header():
    facts = read(
        esp_application(
            chip="esp32c6", secure_version=7, min_chip_revision=1, max_chip_revision=99, seed=4
        )
    )

    assert (facts.kind, facts.chip, facts.secure_version) == ("application", "esp32c6", 7)
    assert (facts.min_chip_revision, facts.max_chip_revision) == (1, 99)
    assert facts.appended_sha256 == facts.header["image_sha256"]
    assert facts.elf_sha256 == facts.header["elf_sha256"]


@pytest.mark.parametrize(
    ("version", "project"),
    [
        ("esp-idf: v4.4.7 38eeba213a", "arduino-lib-builder"),
        ("v5.5.1", "arduino-lib-builder"),
        ("esp-idf: v5.1", "lamp"),
        ("1", "lamp"),
    ],
)
def test_a_descriptor_that_the_framework_left_behind_gives_no_version_and_no_project(
    version, project
):
    facts = read(esp_application(version=version, project=project))

    assert (facts.version, facts.project) == (None, None)
    assert facts.header["version"] == version


def test_empty_texts_are_nothing():
    facts = read(esp_application(version="", project=""))

    assert (facts.version, facts.project) == (None, None)
    assert "version" not in facts.header


def test_texts_lose_what_a_terminal_would_obey():
    facts = read(esp_application(version="1.0\x1b[2J", project="l\u202eamp\n"))

    assert facts.version == "1.0\ufffd[2J"
    assert facts.project == "l\ufffdamp\ufffd"


@pytest.mark.parametrize(
    ("chip", "old_revision", "revision"), [("esp32", 3, 300), ("esp32c3", 3, 3)]
)
def test_an_old_images_revision_comes_from_the_old_field(chip, old_revision, revision):
    image = esp_application(chip=chip, min_chip_revision=0, max_chip_revision=0)

    facts = read(summed(changed(image, 14, bytes([old_revision]))))

    assert facts.header["min_chip_revision"] == revision
    assert "max_chip_revision" not in facts.header


@given(
    st.lists(
        st.tuples(st.integers(0, 400) | st.integers(0, len(SAMPLE) - 1), st.binary(min_size=1)),
        min_size=1,
        max_size=6,
    ),
    st.integers(-700, 700),
    st.booleans(),
)
def test_any_change_to_an_image_is_read_or_called_damaged(changes, longer, right_sums):
    content = SAMPLE
    for at, new in changes:
        content = changed(content, at, new)
    content = content[: len(content) + longer] if longer < 0 else content + bytes(longer)
    if right_sums and len(content) > 24:
        content = summed(content)

    try:
        facts = read(content)
    except Damaged as refusal:
        assert refusal.detail
    else:
        assert isinstance(facts, ImageFacts)
        assert facts.length is None or facts.length <= len(content)
