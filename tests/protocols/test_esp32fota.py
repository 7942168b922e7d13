"""esp32FOTA's document, as its parser reads it."""

import json

import pytest

from ota_http_server.protocols.esp32fota import MEMORY_BYTES_MAX, semantic
from ota_http_server.simulation.esp32fota import place, semver
from tests.domain.formats.samples import littlefs
from tests.instance import Instance
from tests.protocols.boards import (
    change_device,
    device_row,
    document,
    followed,
    lamp,
    own_credential,
)

NAME = "esp32fota.json"
NEW = lamp("1.10.0")


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        instance.drop("lamp", "lamp-1.10.0.bin", NEW)
        yield instance


@pytest.fixture(name="own")
def a_credential(ota):
    return own_credential(ota)


def test_it_is_one_entry_with_type_version_and_url(ota, own):
    entry = document(ota, NAME, own)

    assert list(entry) == ["type", "version", "url"]
    assert (entry["type"], entry["version"]) == ("lamp", "1.10.0")
    assert place(entry).url == entry["url"]
    assert ota.get(followed(entry["url"]), own).data == NEW


def test_the_type_may_be_the_firmwares_own_name(ota, own):
    assert document(ota, NAME, own, "type=esp32-fota-http")["type"] == "esp32-fota-http"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.4.0", "1.4.0"),
        ("7", "7.0.0"),
        ("1.4", "1.4.0"),
        ("01.04.00", "1.4.0"),
        ("1.4.0.0", "1.4.0"),
        ("1.4-rc1", "1.4.0-rc1"),
        ("1.4.0-3-gabc1234", "1.4.0-3-gabc1234"),
        ("1.4.0~x_y", "1.4.0-xy"),
        ("1.4rc2", "1.4.0-rc2"),
        ("1.2.3.4", None),
        ("nightly", None),
    ],
)
def test_a_version_is_said_with_three_numbers(version, said):
    assert semantic(version) == said


def test_versions_keep_their_order(ota, own):
    assert semver(document(ota, NAME, own)["version"]) > semver("1.9.9")


def test_a_version_that_the_library_cannot_compare_is_refused_in_words(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        ota.drop("lamp", "lamp.bin", lamp("1.2.3.4"))

        answer = ota.get(f"/firmware/lamp/{NAME}")

        assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_who_told_his_version_and_has_the_newest_is_told_nothing(ota, own):
    assert document(ota, NAME, own, "version=1.10.0") == []
    assert document(ota, NAME, own, "version=1.11.0") == []
    assert document(ota, NAME, own, "version=1.9.0")["version"] == "1.10.0"


def test_who_is_held_is_told_nothing(ota, own):
    change_device(ota, blocked=True)

    assert document(ota, NAME, own) == []


def test_the_number_of_the_chip_is_the_devices_mac(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        ota.drop("lamp", "lamp-1.10.0.bin", NEW)

        document(ota, NAME, query="id=1099524475428")

        assert device_row(ota, "24:0a:c4:00:00:01").last_seen is not None


def test_a_credential_knows_better_than_the_number(ota, own):
    document(ota, NAME, own, "id=1")

    assert device_row(ota) is not None
    assert device_row(ota, "01:00:00:00:00:00") is None


# --- several chips


def test_where_the_chip_is_not_known_the_type_has_it(ota, own):
    ota.drop("lamp", "lamp-1.11.0-s3.bin", lamp("1.11.0", "esp32s3"))

    entries = document(ota, NAME, own)

    assert {(entry["type"], entry["version"]) for entry in entries} == {
        ("lamp-esp32", "1.10.0"),
        ("lamp-esp32s3", "1.11.0"),
    }


def test_a_known_chip_has_one_entry(ota, own):
    ota.drop("lamp", "lamp-1.11.0-s3.bin", lamp("1.11.0", "esp32s3"))

    for chip, version in (("esp32", "1.10.0"), ("esp32-s3", "1.11.0")):
        entry = document(ota, NAME, own, f"chip={chip}")
        assert (entry["type"], entry["version"]) == ("lamp", version)


CHIPS = ("esp32s2", "esp32s3", "esp32c3", "esp32c2", "esp32c6", "esp32h2", "esp32p4")


@pytest.mark.parametrize("count", range(1, len(CHIPS) + 1))
def test_it_fits_into_the_librarys_memory_or_is_refused(ota, own, count):
    for chip in CHIPS[:count]:
        ota.drop("lamp", f"lamp-1.10.0-{chip}.bin", lamp("1.10.0", chip))

    answer = ota.get(f"/firmware/lamp/{NAME}?token={own}")  # with tickets in the links

    if answer.status_code == 409:
        assert "?chip=" in answer.json["detail"]
        assert count > 3
    else:
        assert arduino_json_bytes(json.loads(answer.data)) <= MEMORY_BYTES_MAX
        assert len(answer.data) <= MEMORY_BYTES_MAX


def arduino_json_bytes(value, seen=None):
    """What ArduinoJson 6 keeps of it on an ESP32: 16 bytes a slot, each distinct key, each text."""
    seen = set() if seen is None else seen
    if isinstance(value, list):
        return sum(16 + arduino_json_bytes(one, seen) for one in value)
    if isinstance(value, dict):
        size = 0
        for key, inner in value.items():
            size += 16 + (0 if key in seen else len(key) + 1) + arduino_json_bytes(inner, seen)
            seen.add(key)
        return size
    return len(value) + 1 if isinstance(value, str) else 0


# --- a file system beside the application


@pytest.fixture(name="files")
def a_release_with_a_file_system(ota):
    ota.drop_old("lamp", "lamp-1.10.0-littlefs.bin", littlefs())
    return ota


@pytest.mark.parametrize(
    ("base", "port"), [("http://ota.example.com:8071", 8071), ("https://ota.example.com", 443)]
)
def test_a_file_system_is_named_beside_host_port_and_bin(files, own, base, port):
    scheme, _, host = base.partition("://")

    said = files.client.get(
        f"/firmware/lamp/{NAME}", base_url=base, headers={"Authorization": f"Bearer {own}"}
    ).json

    assert "url" not in said
    assert (said["host"], said["port"]) == (host.partition(":")[0], port)
    assert place(said).scheme == scheme
    assert files.get(said["bin"], own).data == NEW
    assert files.get(said["littlefs"], own).data == littlefs()


def test_where_the_library_would_guess_the_scheme_wrong_it_gets_the_url_alone(files, own):
    said = files.client.get(
        f"/firmware/lamp/{NAME}",
        base_url="https://ota.example.com:8070",
        headers={"Authorization": f"Bearer {own}"},
    ).json

    assert list(said) == ["type", "version", "url"]
    assert said["url"].startswith("https://ota.example.com:8070/firmware/lamp/sha256-")


@pytest.mark.parametrize(
    ("name", "key"), [("lamp-1.10.0-spiffs.bin", "spiffs"), ("lamp-1.10.0-fatfs.bin", "fatfs")]
)
def test_other_file_systems_are_known_by_their_names(ota, own, name, key):
    ota.drop_old("lamp", name, b"\x55" * 5000)

    assert key in document(ota, NAME, own)
