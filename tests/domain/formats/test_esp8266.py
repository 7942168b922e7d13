import gzip
import zlib

import pytest

from ota_http_server.domain.errors import Invalid, Unfit
from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.domain.image import Damaged, Incomplete
from tests.domain.formats.reading import changed, read
from tests.domain.formats.samples import APPLICATION, NOISE, esp8266_plain

SAMPLE = esp8266_application(payload_bytes=3000)


def test_an_image_of_arduinos_core_is_verified_by_its_crc():
    facts = read(SAMPLE)

    assert (facts.format, facts.kind, facts.chip) == ("esp8266-app", "application", "esp8266")
    assert facts.length == len(SAMPLE)
    assert facts.header["crc_valid"] is True


def test_the_crc_is_eboots_own():
    """Bit by bit, over the image with zeros in place of its size and CRC."""
    crc = 0xFFFFFFFF
    for byte in changed(SAMPLE, 0x1010, bytes(8)):
        for bit in range(7, -1, -1):
            feedback = (crc >> 31) ^ (byte >> bit & 1)
            crc = (crc << 1) & 0xFFFFFFFF ^ (0x04C11DB7 if feedback else 0)

    assert SAMPLE[0x1010:0x1018] == len(SAMPLE).to_bytes(4, "little") + crc.to_bytes(4, "little")


@pytest.mark.parametrize("at", [0x1014, 0x1100, len(SAMPLE) - 100])
def test_a_changed_image_is_damaged(at):
    with pytest.raises(Damaged, match="wrong CRC"):
        read(changed(SAMPLE, at, bytes([SAMPLE[at] ^ 1])))


def test_a_changed_eboot_is_damaged():
    with pytest.raises(Damaged, match="wrong checksum"):
        read(changed(SAMPLE, 100, bytes([SAMPLE[100] ^ 1])))


def test_an_older_cores_image_is_verified_by_its_checksum():
    without_crc = changed(SAMPLE, 0x1010, bytes(8))

    facts = read(without_crc)

    assert facts.header["checksum_valid"] is True
    with pytest.raises(Damaged, match="wrong checksum"):
        read(changed(without_crc, 0x1100, bytes([without_crc[0x1100] ^ 1])))


def test_a_signature_may_follow():
    assert read(SAMPLE + b"s" * 260).length == len(SAMPLE)


@pytest.mark.parametrize("kept", [20, 500, 0x1000, 0x1010, len(SAMPLE) - 1])
def test_a_cut_image_is_incomplete(kept):
    with pytest.raises(Incomplete, match=f"the file has {kept} bytes"):
        read(SAMPLE[:kept])


def test_eboot_without_an_application_is_damaged():
    with pytest.raises(Damaged, match="0x1000"):
        read(changed(SAMPLE, 0x1000, b"\xff" * 16))


def test_an_image_without_eboot_is_read_by_its_checksum():
    facts = read(esp8266_plain())

    assert (facts.format, facts.length) == ("esp8266-app", len(esp8266_plain()))


@pytest.mark.parametrize(("pack", "packing"), [(gzip.compress, "gzip"), (zlib.compress, "zlib")])
def test_a_compressed_image_is_read_as_what_it_unpacks_to(pack, packing):
    packed = pack(SAMPLE)

    facts = read(packed + b"a signature may follow")

    assert (facts.format, facts.chip) == (f"esp8266-app-{packing}", "esp8266")
    assert facts.length == len(packed)
    assert facts.header["unpacked_bytes"] == len(SAMPLE)


def test_a_compressed_image_of_an_esp32_keeps_its_version():
    facts = read(gzip.compress(APPLICATION))

    assert (facts.format, facts.version) == ("esp-idf-app-gzip", "1.4.0")


def test_a_cut_compressed_image_is_incomplete():
    packed = gzip.compress(SAMPLE)

    with pytest.raises(Incomplete):
        read(packed[:-1])


def test_a_compressed_image_with_a_wrong_sum_is_damaged():
    packed = gzip.compress(SAMPLE)

    with pytest.raises(Damaged, match="cannot be unpacked"):
        read(changed(packed, len(packed) - 8, bytes([packed[-8] ^ 1])))


def test_a_damaged_image_stays_damaged_when_it_is_compressed():
    with pytest.raises(Damaged, match="wrong CRC"):
        read(gzip.compress(changed(SAMPLE, 0x1100, bytes([SAMPLE[0x1100] ^ 1]))))


def test_an_image_that_unpacks_without_end_is_refused():
    with pytest.raises(Unfit, match="unpacks to more than"):
        read(gzip.compress(SAMPLE + bytes(30_000_000)))


def test_another_compressed_file_is_left_as_it_is():
    facts = read(gzip.compress(bytes(30_000_000)))

    assert (facts.format, facts.kind, facts.length) == ("gzip", "opaque", None)


def test_two_bytes_of_zlib_alone_are_nothing():
    assert read(zlib.compress(NOISE)).format == "opaque"
    assert read(b"x\x9c" + NOISE).format == "opaque"


@pytest.mark.parametrize("payload_bytes", [-1, 2 * 2**20])
def test_a_sample_that_no_image_can_be_is_refused(payload_bytes):
    with pytest.raises(Invalid):
        esp8266_application(payload_bytes=payload_bytes)


def test_a_segment_may_have_any_length():
    assert read(esp8266_plain(637)).format == "esp8266-app"


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others():
    assert esp8266_application(payload_bytes=64) == esp8266_application(payload_bytes=64)
    assert esp8266_application(payload_bytes=64) != esp8266_application(payload_bytes=64, seed=1)
