import pytest

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.image import Damaged, Incomplete
from ota_http_server.domain.mcuboot_sample import mcuboot_image
from tests.domain.formats.reading import changed, read
from tests.domain.formats.samples import NOISE, mcuboot

COUNTER = (0x50, (7).to_bytes(4, "little"))
ENCRYPTED_AES128 = 0x04


def test_an_image_says_version_counter_digest_and_signature():
    image = mcuboot(protected=[COUNTER], extra=[(0x01, b"k" * 32), (0x22, b"s" * 70)])

    facts = read(image)

    assert (facts.format, facts.kind, facts.version) == ("mcuboot", "application", "1.2.3+4")
    assert facts.secure_version == 7
    assert facts.length == len(image)
    assert facts.appended_sha256 == facts.header["image_digest"]
    assert facts.header["digest_valid"] is True
    assert facts.header["signature"] == "ecdsa"


def test_a_build_of_zero_is_no_part_of_the_version():
    assert read(mcuboot(version=(2, 0, 65535, 0))).version == "2.0.65535"


def test_an_image_without_counter_and_signature_has_neither():
    facts = read(mcuboot())

    assert facts.secure_version == 0  # below all that have one
    assert "signature" not in facts.header


@pytest.mark.parametrize("at", [4, 32, 32 + len(NOISE) - 1])
def test_a_changed_image_is_damaged(at):
    image = mcuboot(protected=[COUNTER])

    with pytest.raises(Damaged, match="wrong digest"):
        read(changed(image, at, bytes([image[at] ^ 1])))


def test_a_changed_counter_is_damage():
    image = mcuboot(protected=[COUNTER])
    at = 32 + len(NOISE) + 8

    with pytest.raises(Damaged, match="wrong digest"):
        read(changed(image, at, b"\x08"))


@pytest.mark.parametrize("kind", [0x11, 0x12])
def test_longer_digests_are_compared_too(kind):
    image = mcuboot(kinds=(kind,))

    assert read(image).header["digest_valid"] is True
    assert read(image).appended_sha256 is None
    with pytest.raises(Damaged, match="wrong digest"):
        read(changed(image, 40, bytes([image[40] ^ 1])))


def test_an_encrypted_images_digest_is_of_what_the_device_decrypts():
    image = mcuboot(flags=ENCRYPTED_AES128)
    encrypted = changed(image, 40, bytes([image[40] ^ 1]))

    facts = read(encrypted)

    assert facts.header["encrypted"] is True
    assert facts.appended_sha256 is not None
    assert "digest_valid" not in facts.header


def test_an_image_without_a_digest_has_no_identity():
    assert read(mcuboot(kinds=())).appended_sha256 is None


def test_the_rest_of_a_slot_may_follow():
    image = mcuboot()

    assert read(image + b"\xff" * 1000).length == len(image)


@pytest.mark.parametrize("missing", [1, 30, 36, 40, 100])
def test_a_cut_image_is_incomplete(missing):
    with pytest.raises(Incomplete):
        read(mcuboot()[:-missing])


@pytest.mark.parametrize(
    ("at", "new", "words"),
    [
        (8, b"\x1f\0", "too short"),
        (8, b"\x24\0", "entries"),
        (10, b"\x0d\0", "disagree"),
        (-36, b"\x25", "longer than all"),
    ],
)
def test_parts_that_do_not_fit_together_are_damage(at, new, words):
    image = mcuboot(protected=[COUNTER])
    at = at if at >= 0 else len(image) + at + 2

    with pytest.raises(Damaged, match=words):
        read(changed(image, at, new))


def test_a_counter_of_another_size_is_damage():
    with pytest.raises(Damaged, match="4 bytes"):
        read(mcuboot(protected=[(0x50, b"\1\0")]))


def test_a_cut_last_entry_is_damage():
    image = mcuboot(extra=[(0x22, b"s" * 4)])
    total = (4 + 36 + 8 - 6).to_bytes(2, "little")

    with pytest.raises(Damaged, match="cut"):
        read(changed(image, 32 + len(NOISE) + 2, total))


def test_a_sample_says_what_it_was_made_of():
    facts = read(mcuboot_image(version="3.4.5+6", security_counter=9, payload_bytes=100))

    assert (facts.version, facts.secure_version) == ("3.4.5+6", 9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": "1.2"},
        {"version": "256.0.0"},
        {"version": "1.2.3+99999999999"},
        {"payload_bytes": -1},
        {"security_counter": 2**32},
        {"security_counter": -1},
    ],
)
def test_a_sample_that_no_image_can_be_is_refused(wrong):
    with pytest.raises(Invalid):
        mcuboot_image(**wrong)


def test_the_same_arguments_give_the_same_bytes_and_another_seed_others():
    assert mcuboot_image(payload_bytes=64) == mcuboot_image(payload_bytes=64)
    assert mcuboot_image(payload_bytes=64) != mcuboot_image(payload_bytes=64, seed=1)
