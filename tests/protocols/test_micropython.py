"""MicroPython's document: its client flashes whatever a 200 names."""

from hashlib import sha256

import pytest

from tests.instance import Instance
from tests.protocols.boards import change_device, document, followed, lamp, own_credential

NAME = "micropython.json"
NEW = lamp("1.24.0")


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        instance.drop("lamp", "lamp-1.24.0.bin", NEW)
        yield instance


@pytest.fixture(name="own")
def a_credential(ota):
    return own_credential(ota)


def status(ota, own, query):
    return ota.get(f"/firmware/lamp/{NAME}?{query}", own).status_code


def test_it_names_firmware_digest_and_length(ota, own):
    said = document(ota, NAME, own)

    assert said["sha"] == sha256(NEW).hexdigest()
    assert said["length"] == len(NEW)
    assert ota.get(followed(said["firmware"]), own).data == NEW


def test_the_firmware_lies_beside_the_document(ota, own):
    """The client sends `Host` without a port, so whatever is made of that leads elsewhere."""
    firmware = document(ota, NAME, own)["firmware"]

    assert not firmware.startswith(("/", "http:", "https:"))


def test_who_told_his_version_and_has_nothing_to_do_gets_no_200(ota, own):
    said = {f"version={version}&as=.json" for version in ("1.24.0", "v1.24.0", "1.25.0")}

    assert {status(ota, own, query) for query in said} == {404}
    assert status(ota, own, "version=1.23.0&as=.json") == 200


def test_nothing_to_do_is_told_with_its_reason(ota, own):
    answer = ota.get(f"/firmware/lamp/{NAME}?version=1.24.0", own)

    assert answer.json["detail"] == "up-to-date: it runs 1.24.0"


def test_who_told_his_image_is_believed(ota, own):
    assert status(ota, own, f"image_sha256={sha256(NEW).hexdigest()}") == 404


def test_who_says_nothing_compares_the_digest(ota, own):
    change_device(ota, version="1.24.0", chip="esp32")

    assert document(ota, NAME, own)["sha"] == sha256(NEW).hexdigest()


def test_who_is_held_gets_no_200(ota, own):
    change_device(ota, blocked=True, version="1.23.0", chip="esp32")

    assert status(ota, own, "") == 404


def test_where_the_chip_tells_images_apart_it_must_be_said(ota, own):
    ota.drop("lamp", "lamp-1.25.0-s3.bin", lamp("1.25.0", "esp32s3"))

    assert status(ota, own, "") == 409
    assert "lamp-1.24.0.bin" in document(ota, NAME, own, "chip=esp32&as=.json")["firmware"]
