"""Boards and steps: what holds for every device, and for many of them at once."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5

import pytest

from ota_http_server.domain.image import BytesSource, read_image
from ota_http_server.simulation.arduino import ArduinoEsp32
from ota_http_server.simulation.board import Behaviour, Board, Did, Firmware
from ota_http_server.simulation.esp_idf import EspIdf
from ota_http_server.simulation.esphome import EspHome
from ota_http_server.simulation.failed import Failed
from tests.simulation.conftest import NEW, OLD, access, board
from tests.simulation.scripted import Files, reply

KINDS = {
    "esp-idf": lambda url, board: EspIdf(f"{url}/lamp.bin", board, access(), partial=True),
    "arduino": lambda url, board: ArduinoEsp32(f"{url}/lamp.bin", board, access()),
    "esphome": lambda url, board: EspHome(f"{url}/m.json", board, access()),
}


@pytest.fixture(name="site")
def a_site(serve):
    ota = {"path": "lamp.bin", "md5": md5(NEW).hexdigest()}
    builds = [{"chipFamily": "ESP32", "ota": ota}]
    manifest = json.dumps({"name": "lamp", "version": "2.0.0", "builds": builds}).encode()
    return serve(Files({"/lamp.bin": NEW, "/m.json": manifest}))


def test_a_hundred_devices_step_on_as_many_threads_as_there_are(site):
    makers = list(KINDS.values())
    fleet = [makers[n % len(makers)](site.url, board()) for n in range(100)]

    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(lambda device: device.step(), fleet))

    assert {(one.did, one.version) for one in outcomes} == {(Did.UPDATED, "2.0.0")}
    assert all(one.body_bytes >= len(NEW) for one in outcomes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_closes_its_connection_behind_a_step(site, kind):
    device = KINDS[kind](site.url, board())

    device.step()
    opened = device.line.opened
    device.step()

    assert device.line.opened > opened


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_whose_link_was_bad_is_as_good_as_any_other_later(site, kind):
    device = KINDS[kind](site.url, board(Behaviour(cuts_after_bytes=5_000, cuts=2)))

    for _ in range(2):
        with pytest.raises(Failed):
            device.step()

    assert device.step().did is Did.UPDATED


@pytest.mark.parametrize("kind", KINDS)
def test_a_silent_device_asks_for_nothing(site, kind):
    device = KINDS[kind](site.url, board(Behaviour(falls_silent=True)))
    device.step()
    asked = len(site.asked)

    assert device.step().did is Did.SILENT
    assert len(site.asked) == asked


def test_a_board_knows_its_image_by_what_the_image_says_and_not_by_its_bytes():
    firmware = Firmware.of(OLD)

    assert firmware.version == read_image(BytesSource(OLD)).version == "1.0.0"
    assert firmware.running_sha256 == OLD[-32:].hex()
    assert sys.getsizeof(firmware) < 1000


def test_an_image_that_says_no_version_has_the_one_that_it_came_with():
    own = Board()

    own.flash(b"opaque" * 100, "refused", "7.1")
    own.reboot()

    assert own.true_version == "7.1"


def test_a_board_that_was_not_flashed_reboots_into_what_it_runs():
    assert board().reboot() is Did.NOTHING


def test_the_server_is_believed_only_if_it_is_json(serve):
    device = EspIdf(f"{serve(lambda _: reply(200, b'[' * 5000)).url}/check", board(), access())

    with pytest.raises(Failed):
        device.step()
