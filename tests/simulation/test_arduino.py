"""Boards with Arduino's update libraries, and Tasmota on top of them."""

import base64
import gzip
import re
from hashlib import md5

import pytest

from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.simulation.address import Address
from ota_http_server.simulation.arduino import ArduinoEsp32, ArduinoEsp8266, ArduinoPico
from ota_http_server.simulation.board import Behaviour, Board, Did, Firmware
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.tasmota import Tasmota, renamed
from tests.simulation.conftest import NEW, OLD, access, board
from tests.simulation.scripted import Files, chunked, reply

SMALL = esp8266_application(payload_bytes=8_000, seed=1)
LARGE = esp8266_application(payload_bytes=40_000, seed=2)


def esp8266_board(**more):
    return Board(Firmware.of(SMALL, "1.0.0"), chip="esp8266", mac="5C:CF:7F:00:00:0A", **more)


def test_an_esp32_sends_its_fields_in_the_order_and_spelling_of_the_library(serve):
    server = serve(Files({"/lamp.bin": NEW}))

    ArduinoEsp32(f"{server.url}/lamp.bin", board(), access("TOKEN")).step()

    assert server.asked[0].raw.decode() == "\r\n".join(
        [
            "GET /lamp.bin HTTP/1.0",
            f"Host: 127.0.0.1:{server.port}",
            "User-Agent: ESP32-http-Update",
            "Connection: close",
            "Cache-Control: no-cache",
            "x-ESP32-STA-MAC: 24:0A:C4:00:00:01",
            "x-ESP32-AP-MAC: 24:0A:C4:00:00:02",
            "x-ESP32-free-space: 1310720",
            f"x-ESP32-sketch-size: {len(OLD)}",
            f"x-ESP32-sketch-md5: {md5(OLD).hexdigest()}",
            f"x-ESP32-sketch-sha256: {OLD[-32:].hex().upper()}",
            "x-ESP32-chip-size: 4194304",
            "x-ESP32-sdk-version: v5.5.1",
            "x-ESP32-mode: sketch",
            "x-ESP32-version: 1.0.0",
            "Authorization: Bearer TOKEN",
            "",
            "",
        ]
    )


def test_an_esp8266_shows_its_token_as_basic_password_before_its_own_fields(serve):
    server = serve(Files({"/lamp.bin": LARGE}))

    ArduinoEsp8266(f"{server.url}/lamp.bin", esp8266_board(), access("TOKEN")).step()

    names = [line.partition(":")[0] for line in server.asked[0].raw.decode().split("\r\n")[1:-2]]
    basic = base64.b64encode(b"device:TOKEN").decode()
    assert server.asked[0].headers["authorization"] == f"Basic {basic}"
    assert names == [
        *("Host", "User-Agent", "Connection", "Authorization", "x-ESP8266-Chip-ID"),
        *("x-ESP8266-STA-MAC", "x-ESP8266-AP-MAC", "x-ESP8266-free-space"),
        *("x-ESP8266-sketch-size", "x-ESP8266-sketch-md5", "x-ESP8266-chip-size"),
        *("x-ESP8266-sdk-version", "x-ESP8266-mode", "x-ESP8266-version"),
    ]
    assert server.asked[0].headers["x-esp8266-ap-mac"] == "5E:CF:7F:00:00:0A"


def test_a_pico_has_lost_its_prefix(serve):
    server = serve(lambda _: reply(304))

    ArduinoPico(f"{server.url}/lamp.bin", board(), access()).step()

    assert server.asked[0].headers["user-agent"] == "-http-Update"
    assert set(server.asked[0].headers) > {"x--chip-id", "x--sta-mac", "x--mode", "x--version"}


@pytest.mark.parametrize("kind", [ArduinoEsp32, ArduinoPico])
def test_an_update_is_flashed_and_runs_after_the_reboot(serve, kind):
    digest = md5(NEW).hexdigest()
    device = kind(serve(lambda _: reply(200, NEW, x_MD5=digest)).url, board(), access())

    outcome = device.step()

    assert (outcome.did, outcome.version) == (Did.UPDATED, "2.0.0")


def test_304_means_that_there_is_nothing_to_do(serve):
    assert (
        ArduinoEsp32(serve(lambda _: reply(304)).url, board(), access()).step().did is Did.NOTHING
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(404), r"File Not Found \(404\)"),
        (reply(403), r"Forbidden \(403\)"),
        (reply(401), r"Wrong HTTP Code \(401\)"),
        (reply(302, b"", Location="/x"), r"Wrong HTTP Code \(302\)"),
        (chunked(200, NEW), "Server Did Not Report Size"),
        (reply(200, NEW, sized=False), "Server Did Not Report Size"),
        (reply(200, b"<html>"), "Verify Bin Header Failed"),
        (reply(200, NEW, x_MD5="0" * 32), "MD5 Check Failed"),
        (reply(200, NEW, x_MD5="0"), "Wrong MD5"),
        (reply(200, NEW + bytes(2_000_000)), "Not Enough space"),
        (reply(200, NEW[:-1] + bytes([NEW[-1] ^ 1])), "Could Not Activate"),
    ],
)
def test_an_esp32_fails_in_the_words_of_the_library(serve, answer, words):
    with pytest.raises(Failed, match=words):
        ArduinoEsp32(serve(lambda _: answer).url, board(), access()).step()


def test_a_cut_download_is_lost(serve):
    link = Behaviour(cuts_after_bytes=10_000)
    device = ArduinoEsp32(serve(Files({"/": NEW})).url, board(link), access())

    with pytest.raises(Cut, match="Stream Read Timeout"):
        device.step()

    assert device.step().did is Did.UPDATED


def test_an_esp8266_flashes_a_compressed_image_and_then_runs_what_was_in_it(serve):
    packed = gzip.compress(LARGE)
    server = serve(lambda _: reply(200, packed, x_MD5=md5(packed).hexdigest()))
    device = ArduinoEsp8266(server.url, esp8266_board(), access())

    device.step()
    device.step()

    assert server.asked[1].headers["x-esp8266-sketch-md5"] == md5(LARGE).hexdigest()


def test_an_esp8266_writes_its_own_flash_mode_over_that_of_the_image(serve):
    server = serve(Files({"/": LARGE}))
    device = ArduinoEsp8266(server.url, esp8266_board(), access(), flash_mode=0)

    device.step()
    device.step()

    assert server.asked[1].headers["x-esp8266-sketch-md5"] != md5(LARGE).hexdigest()


def test_an_esp8266_wants_the_case_of_the_md5_to_be_right(serve):
    server = serve(lambda _: reply(200, LARGE, x_MD5=md5(LARGE).hexdigest().upper()))

    with pytest.raises(Failed, match="MD5 verification failed"):
        ArduinoEsp8266(server.url, esp8266_board(), access()).step()


def test_the_version_alone_is_asked_for_in_a_mode_of_its_own(serve):
    said = {"sketch": reply(200, LARGE), "version": reply(200, b"", x_version="2.1")}
    server = serve(lambda asked: said[asked.headers["x-esp8266-mode"]])
    device = ArduinoEsp8266(server.url, esp8266_board(), access())

    assert device.available_version(device.address) == "2.1"

    said["version"] = reply(200, b"")
    with pytest.raises(Failed, match="Did Not Report Version"):
        device.available_version(device.address)


def test_a_filesystem_is_fetched_in_its_own_mode_and_may_begin_as_it_likes(serve):
    server = serve(lambda _: reply(200, b"littlefs" * 100))
    device = ArduinoEsp32(server.url, board(), access())

    assert device.update(Address.of(server.url), "spiffs") == b"littlefs" * 100
    assert server.asked[0].headers["x-esp32-mode"] == "spiffs"


@pytest.mark.parametrize(
    ("url", "variant", "asked_for"),
    [
        ("http://a/api/tasmota.bin", "minimal", "http://a/api/tasmota-minimal.bin"),
        (
            "http://a/ard-uino/tasmota-DE.bin.gz",
            "minimal",
            "http://a/ard-uino/tasmota-minimal.bin.gz",
        ),
        ("http://a/tasmota32.bin", "safeboot", "http://a/tasmota32-safeboot.bin"),
        ("http://a/tasmota.bin?token=a.b-c", "minimal", "http://a/tasmota-minimal.bin?token=a.b-c"),
    ],
)
def test_tasmota_rewrites_the_file_name(url, variant, asked_for):
    assert renamed(url, variant) == asked_for


def test_tasmota_asks_for_a_compressed_image_when_the_plain_one_is_not_there(serve):
    server = serve(Files({"/tasmota.bin.gz": gzip.compress(LARGE)}))
    device = Tasmota(f"{server.url}/tasmota.bin", esp8266_board(), access())

    outcome = device.step()

    assert outcome.did is Did.UPDATED
    assert [one.rpartition("/")[2] for one in device.tried] == [
        *["tasmota.bin"] * 5,
        "tasmota.bin.gz",
    ]


def test_tasmota_asks_for_the_minimal_image_when_the_whole_one_is_too_large(serve):
    server = serve(Files({"/tasmota.bin": LARGE, "/tasmota-minimal.bin": SMALL}))
    device = Tasmota(f"{server.url}/tasmota.bin", esp8266_board(free_bytes=20_000), access())

    device.step()

    assert [one.path for one in server.asked] == ["/tasmota.bin", "/tasmota-minimal.bin"]


def test_tasmota_gives_up_after_its_attempts_and_says_why(serve):
    server = serve(Files({}))

    with pytest.raises(Failed, match=r"Failed File Not Found \(404\)"):
        Tasmota(f"{server.url}/tasmota.bin.gz", esp8266_board(), access()).step()

    assert len(server.asked) == 6


def test_tasmota_shows_nothing_but_its_url(serve):
    server = serve(Files({"/t/tasmota.bin": LARGE}))

    Tasmota(f"{server.url}/t/tasmota.bin", esp8266_board(), access("TOKEN")).step()

    assert not re.search(rb"(?i)authorization|TOKEN", server.asked[0].raw)
