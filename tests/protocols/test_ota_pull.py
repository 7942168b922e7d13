"""ESP32-OTA-Pull's document, as its loop reads it: the first that fits and is newer as a string."""

import pytest

from ota_http_server.protocols.ota_pull import MEMORY_BYTES_MAX
from tests.instance import Instance
from tests.protocols.boards import (
    change_device,
    declare,
    document,
    followed,
    lamp,
    own_credential,
)

NAME = "otapull.json"
NEW = lamp("3.10")


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        instance.drop("lamp", "lamp-3.10.bin", NEW)
        yield instance


@pytest.fixture(name="own")
def a_credential(ota):
    return own_credential(ota)


def configurations(ota, own, query=""):
    said = document(ota, NAME, own, query)
    assert list(said) == ["Configurations"]
    assert all(isinstance(value, str) for one in said["Configurations"] for value in one.values())
    return said["Configurations"]


def takes(listed, version, board="ESP32_DEV", downgrades=False):
    """The URL that the library fetches next, None for nothing."""
    for one in listed:
        if one.get("Board", board) == board:
            its = one.get("Version", "")
            if its == "" or its > version or (downgrades and its != version):
                return one["URL"]
    return None


def test_it_lists_what_this_board_is_offered_and_nothing_else(ota, own):
    ota.drop("lamp", "lamp-3.9.bin", lamp("3.9"))

    (one,) = configurations(ota, own)

    assert one["Version"] == "3.10"
    assert ota.get(followed(one["URL"]), own).data == NEW


def test_the_strings_order_does_not_keep_a_board_back_that_tells_its_version(ota, own):
    found = configurations(ota, own, "version=3.9")

    assert ota.get(followed(takes(found, "3.9")), own).data == NEW


def test_nor_does_it_send_one_back(ota, own):
    ota.drop("lamp", "lamp-3.9.bin", lamp("3.9"))

    for version in ("3.10", "v3.10", "3.11"):
        assert takes(configurations(ota, own, f"version={version}"), version) is None


def test_who_is_up_to_date_is_told_its_own_version(ota, own):
    (one,) = configurations(ota, own, "version=v3.10")

    assert takes([one], "v3.10", downgrades=True) is None


def test_who_is_held_takes_nothing(ota, own):
    change_device(ota, blocked=True, version="3.9", chip="esp32")

    assert takes(configurations(ota, own), "3.9", downgrades=True) is None
    assert takes(configurations(ota, own, "version=3.8"), "3.8", downgrades=True) is None


def test_of_a_held_board_that_nobody_knows_nothing_is_listed(ota, own):
    change_device(ota, blocked=True)

    assert configurations(ota, own) == []


def test_a_pinned_board_that_allows_downgrades_goes_down(ota, own):
    ota.drop("lamp", "lamp-3.1.bin", lamp("3.1"))
    change_device(ota, pinned="3.1")

    found = configurations(ota, own, "version=3.10")

    assert "lamp-3.1.bin" in takes(found, "3.10", downgrades=True)


def test_boards_that_images_name_are_listed_by_name(ota, own):
    ota.drop("lamp", "lamp-3.10-s3.bin", lamp("3.10", "esp32s3"))
    declare(ota, "3.10", "lamp-3.10.bin", hardware=("ESP32_DEV", "ESP32_WROVER"))
    declare(ota, "3.10", "lamp-3.10-s3.bin", hardware=("ESP32S3_DEV",))

    found = configurations(ota, own)

    assert [one["Board"] for one in found] == ["ESP32_DEV", "ESP32_WROVER", "ESP32S3_DEV"]
    assert "lamp-3.10.bin" in takes(found, "3.0", "ESP32_WROVER")
    assert "lamp-3.10-s3.bin" in takes(found, "3.0", "ESP32S3_DEV")
    assert takes(found, "3.0", "ESP32C3_DEV") is None


def test_a_board_that_says_its_name_has_one_configuration(ota, own):
    declare(ota, "3.10", "lamp-3.10.bin", hardware=("ESP32_DEV",))

    (one,) = configurations(ota, own, "board=ESP32_DEV")

    assert "Board" not in one


def test_where_only_the_chip_tells_images_apart_it_must_be_said(ota, own):
    ota.drop("lamp", "lamp-3.11-s3.bin", lamp("3.11", "esp32s3"))

    answer = ota.get(f"/firmware/lamp/{NAME}", own)

    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "?chip=" in answer.json["detail"]
    assert configurations(ota, own, "chip=esp32")[0]["Version"] == "3.10"


def test_more_boards_than_the_librarys_memory_holds_are_refused_in_words(ota, own):
    declare(ota, "3.10", "lamp-3.10.bin", hardware=tuple(f"BOARD_{n}" for n in range(40)))

    answer = ota.get(f"/firmware/lamp/{NAME}", own)

    assert answer.status_code == 409
    assert len(ota.get(f"/firmware/lamp/{NAME}?board=BOARD_7", own).data) < MEMORY_BYTES_MAX
