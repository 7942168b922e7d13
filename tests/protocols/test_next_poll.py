"""Whoever looks for an update is told when to look again, also where there is none for it."""

import pytest

from ota_http_server.domain.device import Device
from tests.instance import Instance
from tests.protocols.lamps import BOARD, PROJECT, a_credential, drop

FIRMWARE = "/firmware/lamp"
LATEST = f"{FIRMWARE}/latest.bin"
ARDUINO = {"x_ESP32_STA_MAC": BOARD, "x_ESP32_mode": "sketch"}
MANIFEST = f"{FIRMWARE}/manifest.json"


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path, poll_seconds=1_000) as instance:
        yield instance


def know(ota, **facts):
    device = Device(id=BOARD, project=PROJECT, **facts)
    ota.ota.stores.database.change(lambda tx: tx.devices.add(device))
    ota.clock.pass_seconds(2)


def wait(answer):
    return int(answer.headers["X-Poll-Seconds"])


def test_a_refusal_says_it_as_the_answer_that_there_will_be_does(ota):
    token = a_credential(ota)
    (ota.firmware / PROJECT).mkdir()
    empty = [ota.get(path, token) for path in (LATEST, f"{LATEST}.md5", f"{FIRMWARE}/latest")]
    drop(ota, "1.1.0", chip="esp32s3")
    know(ota, chip="esp32")
    unfit = ota.get(LATEST, token)
    drop(ota, "1.2.0")
    found = ota.get(LATEST, token)

    assert [answer.status_code for answer in (*empty, unfit, found)] == [404, 404, 404, 409, 200]
    assert {wait(answer) for answer in (*empty, unfit)} == {wait(found)}
    assert 800 <= wait(found) <= 1_200


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (LATEST, {}, 403),
        (LATEST, ARDUINO, 403),
        (f"{LATEST}?revision=soon", {}, 400),
        ("/firmware/fan/latest.bin", {}, 404),
        ("/firmware/fan/latest", {}, 404),
        ("/firmware/fan/manifest.json", {}, 404),
    ],
)
def test_every_refusal_that_lasts_says_it_and_is_still_the_problem_that_it_was(
    ota, path, headers, status
):
    drop(ota, "1.1.0")
    know(ota, blocked=True)

    answer = ota.get(path, a_credential(ota), **headers)

    assert (answer.status_code, answer.json["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert 800 <= wait(answer) <= 1_200


def test_refused_devices_are_spread_too(ota):
    (ota.firmware / PROJECT).mkdir()

    waits = {wait(ota.get(LATEST, a_credential(ota, f"board-{n}"))) for n in range(12)}

    assert len(waits) > 6


def test_why_a_device_was_refused_stands_in_the_log_as_before(ota, caplog):
    caplog.set_level("INFO")
    drop(ota, "1.1.0")
    know(ota, blocked=True)

    ota.get(LATEST, a_credential(ota))

    refused = [record.facts for record in caplog.records if record.message == "refused"]
    assert [facts["reason"] for facts in refused] == ["blocked: an operator blocked this device"]


def test_strangers_are_told_nothing_of_it(ota):
    drop(ota, "1.1.0")

    answers = [ota.get(path) for path in (LATEST, MANIFEST)]
    answers += [ota.get(path, "not a token") for path in (LATEST, MANIFEST)]
    answers += [ota.ask("POST", LATEST, a_credential(ota))]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 405]
    assert not any("X-Poll-Seconds" in answer.headers for answer in answers)


def test_with_tokens_off_nobody_that_is_refused_is_known_to_be_a_device(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        (ota.firmware / PROJECT).mkdir()

        answer = ota.get(LATEST)

        assert answer.status_code == 404
        assert "X-Poll-Seconds" not in answer.headers


def test_what_helps_sooner_says_so_by_itself(ota):
    token = a_credential(ota)
    drop(ota, "1.0.0")
    ota.clock.pass_seconds(10)
    drop(ota, "1.1.0")

    in_a_moment = ota.get(LATEST, token, Range="bytes=100-")

    assert in_a_moment.status_code == 503
    assert "Retry-After" in in_a_moment.headers
    assert "X-Poll-Seconds" not in in_a_moment.headers


def test_a_download_by_name_is_no_look_for_an_update(ota):
    image = drop(ota, "1.1.0")
    token = a_credential(ota)

    there, gone = (ota.get(f"{FIRMWARE}/lamp-{v}.bin", token) for v in ("1.1.0", "9.0.0"))

    assert (there.data, gone.status_code) == (image, 404)
    assert not any("X-Poll-Seconds" in answer.headers for answer in (there, gone))
