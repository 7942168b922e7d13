"""ESPHome and ESP Web Tools: one manifest, read as strictly as the two read it."""

from urllib.parse import urljoin

import pytest

from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.protocols.esphome import chip_family
from ota_http_server.simulation.esphome import build_for
from ota_http_server.simulation.failed import Failed
from tests.domain.formats.samples import bootloader, factory, partition_table
from tests.instance import Instance
from tests.protocols.boards import (
    BOARD,
    change_device,
    change_release,
    declare,
    document,
    followed,
    lamp,
    own_credential,
    states,
)

COMPLETE = factory(start=0x1000, chip=0, application=lamp("1.4.0"))


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        instance.drop("lamp", "lamp-1.4.0.bin", lamp("1.4.0"))
        yield instance


@pytest.fixture(name="own")
def a_credential(ota):
    return own_credential(ota)


def families(manifest):
    return [build["chipFamily"] for build in manifest["builds"]]


def test_it_says_what_both_readers_ask_for(ota, own):
    manifest = document(ota, token=own)

    build = build_for(manifest, "ESP32")
    assert manifest["name"] == "lamp"
    assert manifest["new_install_prompt_erase"] is True
    assert build.version == "1.4.0"
    assert build.path.startswith("sha256-")
    assert ota.get(followed(build.path), own).headers["x-MD5"] == build.md5


def test_without_a_complete_image_there_is_nothing_to_install_by_cable(ota, own):
    assert list(document(ota, token=own)["builds"][0]) == ["chipFamily", "ota"]


def test_the_notes_of_the_release_are_its_summary(ota, own):
    assert "summary" not in document(ota, token=own)["builds"][0]["ota"]
    change_release(ota, "1.4.0", notes="Dims more softly. " * 40)

    summary = document(ota, token=own)["builds"][0]["ota"]["summary"]

    assert summary.startswith("Dims more softly.")
    assert len(summary) == 255


@pytest.mark.parametrize(
    ("chip", "family"),
    [
        ("esp32", "ESP32"),
        ("esp32s2", "ESP32-S2"),
        ("esp32s3", "ESP32-S3"),
        ("esp32c6", "ESP32-C6"),
        ("esp32c61", "ESP32-C61"),
        ("esp32p4", "ESP32-P4"),
        ("esp8266", "ESP8266"),
        ("rp2040", "RP2040"),
        ("bk7231n", "BK7231N"),
    ],
)
def test_a_chip_is_spelt_as_its_readers_spell_it(chip, family):
    assert chip_family(chip) == family


# --- the version, which ESPHome compares by equality


def test_a_version_that_the_url_tells_comes_back_as_it_was_written(ota, own):
    for spelling in ("1.4.0", "v1.4.0", "01.04.00"):
        assert document(ota, token=own, query=f"version={spelling}")["version"] == spelling


def test_an_older_board_sees_the_new_version(ota, own):
    assert document(ota, token=own, query="version=v1.3.9")["version"] == "1.4.0"


def test_a_board_that_runs_something_newer_is_not_sent_back(ota, own):
    manifest = document(ota, token=own, query="version=1.5.0-dev")

    assert manifest["version"] == "1.5.0-dev"
    assert manifest["builds"][0]["ota"]["path"] == ""
    assert manifest["builds"][0]["ota"]["summary"].startswith("not-newer: ")


def test_a_board_that_says_nothing_compares_by_itself(ota, own):
    assert document(ota, token=own)["version"] == "1.4.0"


@pytest.mark.parametrize(("runs", "shown"), [("1.3.0", "1.3.0"), (None, "")])
def test_a_held_board_is_shown_its_own_version_or_none(ota, own, runs, shown):
    change_device(ota, blocked=True, version=runs, chip="esp32")

    manifest = document(ota, token=own)

    assert build_for(manifest, "ESP32").version == shown
    assert build_for(manifest, "ESP32").path == ""
    assert manifest["builds"][0]["ota"]["summary"] == "blocked: an operator blocked this device"


def test_a_pin_below_what_runs_is_an_update_too(ota, own):
    ota.drop("lamp", "lamp-1.3.0.bin", lamp("1.3.0"))
    change_device(ota, pinned="1.3.0", chip="esp32")

    assert document(ota, token=own, query="version=1.4.0")["version"] == "1.3.0"


def test_a_board_in_a_loop_is_shown_nothing_new(ota, own):
    digest = ota.get("/firmware/lamp/latest", own).json["sha256"]
    for _ in range(3):
        path = followed(document(ota, token=own, query="version=1.3.0")["builds"][0]["ota"]["path"])
        ota.get(path, own)
        ota.ota.progress.sent(BOARD, digest, 9, whole=True)
        ota.ota.progress.write()

    manifest = document(ota, token=own, query="version=1.3.0")

    assert manifest["version"] == "1.3.0"
    assert manifest["builds"][0]["ota"]["summary"].startswith("looping: ")


# --- several chips in one project


@pytest.fixture(name="mixed")
def a_mixed_project(ota):
    """The newest of ESP32-S3 is 1.5.0, of ESP8266 1.4.0, of ESP32 1.4.0."""
    ota.drop("lamp", "lamp-1.4.0-esp8266.bin", esp8266_application(payload_bytes=2048))
    ota.drop("lamp", "lamp-1.5.0-s3.bin", lamp("1.5.0", "esp32s3"))
    return ota


@pytest.mark.parametrize(
    ("chip", "family", "version"),
    [
        ("esp32", "ESP32", "1.4.0"),
        ("ESP32-S3", "ESP32-S3", "1.5.0"),
        ("esp8266", "ESP8266", "1.4.0"),
    ],
)
def test_each_chip_has_its_own_version(mixed, own, chip, family, version):
    manifest = document(mixed, token=own, query=f"chip={chip}")

    assert families(manifest) == [family]
    assert build_for(manifest, family).version == version


def test_a_chip_that_was_told_once_is_known(mixed, own):
    document(mixed, token=own, query="chip=esp8266")

    assert families(document(mixed, token=own)) == ["ESP8266"]


def test_whose_chip_nobody_knows_sees_no_wrong_version(mixed, own):
    manifest = document(mixed, token=own)

    assert (manifest["version"], families(manifest)) == ("1.5.0", ["ESP32-S3"])
    with pytest.raises(Failed, match="no build for ESP8266"):
        build_for(manifest, "ESP8266")


def test_chips_of_one_release_share_a_manifest(ota, own):
    ota.drop("lamp", "lamp-1.4.0-s3.bin", lamp("1.4.0", "esp32s3"))

    manifest = document(ota, token=own)

    assert manifest["version"] == "1.4.0"
    assert sorted(families(manifest)) == ["ESP32", "ESP32-S3"]
    assert len({build["ota"]["md5"] for build in manifest["builds"]}) == 2


def test_a_page_is_shown_the_newest_of_every_chip(mixed, own):
    manifest = document(mixed, token=own, query="chip=any")

    assert sorted(families(manifest)) == ["ESP32", "ESP32-S3", "ESP8266"]
    assert manifest["version"].startswith("1.5.0 (ESP32-S3), 1.4.0 (")


def test_a_page_is_no_device(mixed, own):
    change_device(mixed, version="1.4.0", chip="esp32", last_seen=7)

    document(mixed, token=own, query="chip=any&version=1.4.0")

    assert states(mixed) == []
    mixed.ota.registry.write()
    with mixed.ota.stores.database.reading() as rows:
        assert rows.devices.get(BOARD).last_seen == 7


def test_what_an_operator_decided_about_the_device_holds_for_a_page(mixed, own):
    change_device(mixed, pinned="1.4.0")
    assert document(mixed, token=own, query="chip=any")["version"] == "1.4.0"
    change_device(mixed, blocked=True)

    answer = mixed.get("/firmware/lamp/manifest.json?chip=any", own)

    assert answer.status_code == 404
    assert "blocked" in answer.json["detail"]


def test_a_page_is_shown_images_for_newer_chips_too(ota, own):
    ota.drop("lamp", "lamp-1.6.0.bin", lamp("1.6.0", min_chip_revision=300))

    assert document(ota, token=own)["version"] == "1.4.0"
    assert document(ota, token=own, query="revision=301")["version"] == "1.6.0"
    assert document(ota, token=own, query="chip=any")["version"] == "1.6.0"


# --- installation by cable


def parts(ota, own, query="chip=any"):
    (build,) = document(ota, token=own, query=query)["builds"]
    return {part["path"].rpartition("/")[2]: part["offset"] for part in build.get("parts", [])}


def test_a_complete_image_is_written_from_the_start(ota, own):
    ota.drop_old("lamp", "lamp-1.4.0-factory.bin", COMPLETE)

    assert parts(ota, own) == {"lamp-1.4.0-factory.bin": 0}
    assert "lamp-1.4.0.bin" in document(ota, token=own)["builds"][0]["ota"]["path"]


def test_a_release_of_a_complete_image_alone_can_be_installed(ota, own):
    newer = factory(start=0x1000, chip=0, application=lamp("1.5.0"))
    ota.drop_old("lamp", "lamp-1.5.0-factory.bin", newer)

    manifest = document(ota, token=own, query="chip=any")

    assert manifest["version"] == "1.5.0"
    assert "ota" not in manifest["builds"][0]
    assert document(ota, token=own)["version"] == "1.4.0"


def test_bootloader_table_and_application_go_where_the_chip_looks_for_them(ota, own):
    ota.drop_old("lamp", "bootloader-1.4.0.bin", bootloader(descriptor=False))
    assert parts(ota, own) == {}
    ota.drop_old("lamp", "partitions-1.4.0.bin", partition_table())

    assert parts(ota, own) == {
        "bootloader-1.4.0.bin": 0x1000,
        "partitions-1.4.0.bin": 0x8000,
        "lamp-1.4.0.bin": 0x10000,
    }


def test_an_esp8266_is_written_from_the_start(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        ota.drop("lamp", "lamp-2.0.0.bin", esp8266_application(payload_bytes=2048))

        assert parts(ota, None) == {"lamp-2.0.0.bin": 0}


def test_every_part_can_be_fetched(ota, own):
    ota.drop_old("lamp", "lamp-1.4.0-factory.bin", COMPLETE)

    (part,) = document(ota, token=own)["builds"][0]["parts"]

    assert ota.get(followed(part["path"]), own).data == COMPLETE


def test_behind_a_credential_in_the_path_a_browser_finds_every_part(ota, own):
    ota.drop_old("lamp", "lamp-1.4.0-factory.bin", COMPLETE)
    manifest = f"/firmware/lamp/{own}/manifest.json?chip=any"

    (part,) = ota.get(manifest).json["builds"][0]["parts"]

    assert ota.get(urljoin(manifest, part["path"])).data == COMPLETE


# --- odds and ends


def test_a_name_with_http_in_it_gets_a_whole_url(tmp_path):
    with Instance(tmp_path) as ota:
        ota.drop("lamp", "https-lamp-1.4.0.bin", lamp("1.4.0"))
        own = own_credential(ota)

        path = document(ota, query=f"token={own}")["builds"][0]["ota"]["path"]

        assert path.startswith("http://localhost/firmware/lamp/")
        assert ota.get(followed(path)).data == lamp("1.4.0")


def test_images_that_do_not_say_their_chip_are_for_whoever_says_his(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        ota.drop_old("lamp", "lamp-1.4.0.bin", b"\x00\x20\x04\x20" * 999)

        assert families(document(ota, query="chip=rp2040")) == ["RP2040"]
        silent = ota.get("/firmware/lamp/manifest.json")
        assert (silent.status_code, silent.json["code"]) == (409, "conflict")


def test_an_image_for_a_certain_board_is_for_that_board(ota, own):
    declare(ota, "1.4.0", "lamp-1.4.0.bin", hardware=("lamp-rev-b",))

    held = document(ota, token=own)["builds"][0]["ota"]

    assert held["summary"].startswith("unknown-board: ")
    fits = document(ota, token=own, query="board=lamp-rev-b")
    assert fits["builds"][0]["ota"]["path"] != ""
