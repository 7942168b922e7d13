"""What else lies in the flash of an ESP32: bootloader, partition table, all of it merged."""

import pytest

from ota_http_server.domain.image import HEAD_BYTES, BytesSource, Damaged, Incomplete, read_image
from tests.domain.formats.reading import changed, read
from tests.domain.formats.samples import (
    APPLICATION,
    NOISE,
    bootloader,
    esp_image,
    factory,
    partition_table,
    signed,
)


def test_a_bootloader_says_what_it_is():
    facts = read(bootloader(chip=5))

    assert (facts.format, facts.kind, facts.chip) == ("esp-bootloader", "bootloader", "esp32c3")
    assert facts.secure_version == 3
    assert facts.header["bootloader_version"] == 7
    assert facts.header["idf_version"] == "v5.5.1"
    assert facts.header["compiled"] == "Jan  1 2025 12:00:00"
    assert facts.version is None


def test_an_old_bootloader_without_a_descriptor_is_still_one():
    facts = read(bootloader(descriptor=False))

    assert (facts.format, facts.kind) == ("esp-bootloader", "bootloader")
    assert facts.secure_version is None


def test_an_image_too_large_for_a_bootloader_is_an_application_without_a_descriptor():
    facts = read(esp_image(NOISE[:16], second=NOISE * 20))

    assert (facts.format, facts.kind, facts.version) == ("esp-app", "application", None)


def test_a_bootloader_without_an_appended_digest_has_no_identity():
    assert read(esp_image(NOISE[:64], digest=False)).appended_sha256 is None


def test_a_changed_bootloader_is_damaged():
    image = bootloader()

    with pytest.raises(Damaged, match="wrong checksum"):
        read(changed(image, 200, bytes([image[200] ^ 1])))


def test_a_signed_bootloader_is_recognised():
    assert read(signed(bootloader())).header["secure_boot_v2_kind"] == "rsa-3072"


@pytest.mark.parametrize("digest", [True, False])
def test_a_partition_table_lists_its_partitions(digest):
    facts = read(partition_table(digest))

    assert (facts.format, facts.kind) == ("esp-partition-table", "partition-table")
    assert facts.header["partitions"] == "nvs, otadata, app0, app1, spiffs"
    assert facts.header["smallest_app_partition_bytes"] == 0x130000


def test_a_full_partition_table_needs_no_end():
    entries = [(1, 2, 0x10000 + number * 0x1000, 0x1000, b"p") for number in range(96)]

    assert read(partition_table(digest=False, entries=entries)).length == 0xC00


def test_a_changed_partition_table_is_damaged():
    with pytest.raises(Damaged, match="wrong MD5"):
        read(changed(partition_table(), 5, b"\x91"))


def test_a_partition_table_with_a_foreign_entry_is_damaged():
    with pytest.raises(Damaged, match="at 32"):
        read(changed(partition_table(), 32, b"\0"))


@pytest.mark.parametrize("start", [0, 0x1000, 0x2000])
def test_a_merged_image_is_known_by_its_partition_table_and_has_its_applications_version(start):
    facts = read(factory(start))

    assert (facts.format, facts.kind, facts.chip) == ("esp-factory", "factory", "esp32s3")
    assert (facts.version, facts.project) == ("1.4.0", "lamp")
    assert facts.appended_sha256 == APPLICATION[-32:].hex()
    assert facts.header["bootloader_version"] == 7
    assert facts.header["partitions"] == "nvs, otadata, app0, app1, spiffs"


def test_a_merged_image_may_have_an_empty_place_for_the_application():
    facts = read(factory(application=b"\xff" * 4096))

    assert (facts.kind, facts.version, facts.appended_sha256) == ("factory", None, None)


def test_a_merged_image_cut_before_its_application_is_incomplete():
    with pytest.raises(Incomplete):
        read(factory()[:0xF000])


def test_a_merged_image_for_a_chip_of_the_future_is_opaque():
    assert read(changed(factory(), 12, b"\x34\x12")).format == "opaque"


def test_a_file_that_changes_while_it_is_read_is_damaged():
    class Changing(BytesSource):
        def read_at(self, offset, length, /):
            content = super().read_at(offset, length)
            return content if length == HEAD_BYTES else b"\xff" * len(content)

    with pytest.raises(Damaged, match="chip 65535"):
        read_image(Changing(APPLICATION))


def test_a_merged_image_of_two_chips_is_damaged():
    with pytest.raises(Damaged, match="bootloader is for esp32, its application for esp32s3"):
        read(factory(0x1000, chip=0))


def test_a_merged_image_with_a_damaged_application_is_damaged():
    image = factory()

    with pytest.raises(Damaged):
        read(changed(image, 0x10000 + 400, bytes([image[0x10000 + 400] ^ 1])))
