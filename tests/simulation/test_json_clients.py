"""The clients that read JSON first: ESPHome, esp32FOTA, ESP32-OTA-Pull and MicroPython."""

import base64
import json
from hashlib import md5, sha256

import pytest

from ota_http_server.simulation.board import Did
from ota_http_server.simulation.esp32fota import Esp32Fota, semver
from ota_http_server.simulation.esphome import EspHome
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.micropython import MicroPython
from ota_http_server.simulation.ota_pull import OtaPull
from tests.simulation.conftest import NEW, access, board
from tests.simulation.scripted import Files, chunked, reply

DIGEST = md5(NEW).hexdigest()


def manifest(path="lamp.bin", version="2.0.0", **ota):
    builds = [
        {"chipFamily": "ESP8266", "ota": {"path": "8266.bin", "md5": "0" * 32}},
        {"chipFamily": "ESP32", "ota": {"path": path, "md5": DIGEST} | ota},
    ]
    return {"name": "lamp", "version": version, "builds": builds}


def site(serve, document, **more):
    """A folder with a JSON file and the image."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return serve(Files({"/f/m.json": text, "/f/lamp.bin": NEW, "/lamp.bin": NEW}, **more))


# --- ESPHome


@pytest.mark.parametrize(
    ("path", "asked_for"),
    [("lamp.bin", "/f/lamp.bin"), ("/lamp.bin", "/lamp.bin"), ("", "/f/")],
)
def test_esphome_puts_a_path_of_the_manifest_behind_its_host_or_folder(serve, path, asked_for):
    server = site(serve, manifest(path))
    device = EspHome(f"{server.url}/f/m.json?token=T", board(), access())

    assert device.firmware_address(path).target == asked_for
    assert device.firmware_address(f"{server.url}/x").target == "/x"


def test_esphome_flashes_what_the_manifest_says_and_then_has_nothing_to_do(serve):
    server = site(serve, manifest())
    device = EspHome(f"{server.url}/f/m.json", board(), access("TOKEN"))

    outcomes = [device.step().did for _ in range(2)]

    basic = base64.b64encode(b"device:TOKEN").decode()
    assert outcomes == [Did.UPDATED, Did.NOTHING]
    assert {one.headers["authorization"] for one in server.asked} == {f"Basic {basic}"}


def test_esphome_takes_an_older_version_for_an_update_too(serve):
    device = EspHome(f"{site(serve, manifest(version='0.9')).url}/f/m.json", board(), access())

    assert device.step().did is Did.UPDATED


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"<html>", "Failed to parse JSON"),
        ({"name": "lamp", "version": 2, "builds": []}, "required fields"),
        ({"name": "lamp", "version": "2", "builds": [{}]}, "required fields"),
        ({"name": "lamp", "version": "2", "builds": []}, "no build for ESP32"),
        (manifest(md5=None), "required fields"),
        (manifest(md5="0" * 32), "MD5 mismatch"),
        (manifest("gone.bin"), "Code: 404"),
    ],
)
def test_esphome_fails_in_its_own_words(serve, document, words):
    with pytest.raises(Failed, match=words):
        EspHome(f"{site(serve, document).url}/f/m.json", board(), access()).step()


def test_esphome_reads_the_md5_beside_an_image(serve):
    files = {"/lamp.bin": NEW, "/lamp.bin.md5": f"{DIGEST}  lamp.bin\n".encode()}
    server = serve(Files(files))

    assert EspHome(f"{server.url}/lamp.bin", board(), access()).step().did is Did.UPDATED
    assert [one.path for one in server.asked] == ["/lamp.bin.md5", "/lamp.bin"]


# --- esp32FOTA


def fota(server, **more):
    return Esp32Fota(f"{server.url}/f/m.json", board(), access("T"), name="lamp", **more)


def test_esp32fota_takes_the_first_newer_entry_of_its_type(serve):
    url = {}
    entries = [
        {"type": "fan", "version": "9.0.0", "url": "http://nowhere/"},
        {"type": "lamp", "version": "0.9.0", "url": "http://nowhere/"},
        {"type": "lamp", "version": "1.10.0"},
        {"type": "lamp", "version": "3.0.0", "url": "http://nowhere/"},
    ]

    def answer(asked):
        if asked.path.endswith(".json"):
            entries[2]["url"] = url["image"]
            return reply(200, json.dumps(entries).encode())
        return reply(200, NEW)

    server = serve(answer)
    url["image"] = f"{server.url}/lamp.bin"
    device = fota(server, says_id=True)

    assert device.step().did is Did.UPDATED
    assert server.asked[0].target == "/f/m.json?id=1099524475428"
    assert server.asked[1].headers["authorization"] == "Bearer T"


def test_esp32fota_builds_a_url_from_host_port_and_bin(serve):
    server = serve(Files({"/lamp.bin": NEW}))
    server.entry = {"type": "lamp", "version": 2, "host": "127.0.0.1", "bin": "/lamp.bin"}
    document = json.dumps(server.entry | {"port": server.port}).encode()
    manifest_server = serve(Files({"/f/m.json": document}))

    assert fota(manifest_server).step().did is Did.UPDATED


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"no json", "JSON Parsing failed"),
        ({"type": "lamp", "version": "2", "notes": "x" * 2048}, "NoMemory"),
        ({"type": "lamp", "version": "2"}, "missing one of the required keys"),
        ({"type": "lamp", "version": "2", "url": "http://127.0.0.1:9/"}, "connection refused"),
    ],
)
def test_esp32fota_fails_in_its_own_words(serve, document, words):
    with pytest.raises(Failed, match=words):
        fota(site(serve, document)).step()


def test_versions_of_esp32fota_order_as_numbers():
    assert semver("1.10.0") > semver("1.9.9") > semver("1.9.9-rc1") > semver("1.9")
    assert semver("nonsense") == semver("0")


# --- ESP32-OTA-Pull


def pull(serve, configurations, runs="1.0.0", **more):
    def answer(asked):
        if asked.path.endswith(".json"):
            url = f"http://{asked.headers['host']}/lamp.bin"
            said = [{"URL": url} | one for one in configurations]
            return reply(200, json.dumps({"Configurations": said}).encode())
        return reply(200, NEW)

    device = OtaPull(f"{serve(answer).url}/f/m.json", board(), access("T"), **more)
    device.board.behaviour = type(device.board.behaviour)(says_version=runs)
    return device


def test_ota_pull_takes_what_fits_its_board_device_and_configuration(serve):
    others = [{"Board": "ESP32_OTHER"}, {"Device": "00:00:00:00:00:00"}, {"Config": "test"}]
    versioned = [one | {"Version": "9"} for one in others]

    assert pull(serve, [*versioned, {"Version": "2.0.0"}]).step().did is Did.UPDATED
    with pytest.raises(Failed, match="NO_UPDATE_PROFILE_FOUND"):
        pull(serve, versioned).step()


def test_ota_pull_compares_versions_as_strings(serve):
    assert pull(serve, [{"Version": "3.9"}], runs="3.10").step().did is Did.UPDATED
    assert pull(serve, [{"Version": "3.10"}], runs="3.9").step().did is Did.NOTHING


def test_ota_pull_reads_nothing_without_a_length(serve):
    server = serve(lambda _: chunked(200, NEW))
    device = OtaPull(f"{server.url}/m.json", board(), access())

    with pytest.raises(Failed, match="WRITE_ERROR"):
        device.fetch(device.address)


# --- MicroPython


def micropython(serve, files=None, **document):
    said = {"firmware": "lamp.bin", "sha": sha256(NEW).hexdigest(), "length": len(NEW)} | document
    server = site(serve, said, **(files or {}))
    return MicroPython(f"{server.url}/f/m.json", board(), access("T")), server


def test_micropython_takes_a_file_name_and_sends_host_without_a_port(serve):
    device, server = micropython(serve)

    outcomes = [device.step().did for _ in range(2)]

    assert outcomes == [Did.UPDATED, Did.NOTHING]
    assert server.asked[1].target == "/f/lamp.bin"
    assert server.asked[1].raw.startswith(b"GET /f/lamp.bin HTTP/1.0\r\nHost: 127.0.0.1\r\n")


@pytest.mark.parametrize(
    ("document", "files", "words"),
    [
        ({"sha": "0" * 64}, {}, "SHA mismatch"),
        ({"length": 5}, {}, r"Receive \d+ bytes \(expect 5\)"),
        ({"length": None}, {}, "must include"),
        ({"firmware": "/lamp.bin"}, {}, "ENOENT"),
        ({"firmware": "gone.bin"}, {}, "HTTP Error: 404"),
        ({}, {"framing": "chunked"}, "Unsupported Transfer-Encoding"),
        ({}, {"redirect": "/lamp.bin"}, "Unsupported protocol"),
    ],
)
def test_micropython_fails_in_its_own_words(serve, document, files, words):
    device, _ = micropython(serve, files, **document)

    with pytest.raises(Failed, match=words):
        device.step()


def test_micropython_does_not_ask_if_the_url_does_not_end_in_json(serve):
    server = site(serve, {})

    with pytest.raises(Failed, match="does not end with"):
        MicroPython(f"{server.url}/f/m.json?token=T", board(), access()).step()

    assert server.asked == []
