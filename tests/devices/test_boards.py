"""Simulated boards live over real sockets: updated, cut off, rolled back, lying, looping."""

import uuid
from dataclasses import replace

import pytest

from ota_http_server.domain.device import VersionFrom
from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.observation import RESTART_SECONDS
from ota_http_server.simulation.arduino import ArduinoEsp32, ArduinoEsp8266, ArduinoPico
from ota_http_server.simulation.board import Behaviour, Board, Did, Firmware
from ota_http_server.simulation.esp_idf import EspIdf
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.needs import Verdict, examine
from ota_http_server.simulation.tasmota import Tasmota
from tests.devices.registry import attempts_of, change, device_of, give_credential, states_of
from tests.running import PATIENCE_SECONDS, Server, wait_until
from tests.simulation.looking import LATE

SIZE = 300_000


def image(version, **facts):
    chosen = {"project": "lamp", "payload_bytes": SIZE, "seed": int(version.replace(".", ""))}
    return esp_application(version=version, **chosen | facts)


LAMPS = {version: image(version) for version in ("1.0.0", "1.1.0")}
SENSORS = {
    version: esp8266_application(payload_bytes=40_000, seed=seed)
    for seed, version in enumerate(("1.0.0", "1.1.0"))
}
PICOS = {version: bytes([seed]) * 20_000 for seed, version in enumerate(("1.0.0", "1.1.0"))}
MINIMAL = esp8266_application(payload_bytes=8_000, seed=9)


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, "--workers", "2", "--stop-delay-seconds", "0") as running:
        for project, images in (("lamp", LAMPS), ("sensor", SENSORS), ("pico", PICOS)):
            for version, content in images.items():
                running.drop(project, f"{project}-{version}.bin", content)
        running.drop("sensor", "tasmota.bin", SENSORS["1.1.0"])
        running.drop("sensor", "tasmota-minimal.bin", MINIMAL)
        token = running.mint("pico")
        running.await_served("pico", "pico-1.1.0.bin", PICOS["1.1.0"], token)
        yield running


def a_name(kind="board"):
    return f"{kind}-{uuid.uuid4().hex[:8]}"


def access(server, name, project="lamp"):
    return Access(token=give_credential(server, name, project), patience_seconds=PATIENCE_SECONDS)


def board(running=LAMPS["1.0.0"], *, version=None, **behaviour):
    facts = {name: behaviour.pop(name) for name in ("chip", "free_bytes") if name in behaviour}
    return Board(Firmware.of(running, version), behaviour=Behaviour(**behaviour), **facts)


def esp_idf(server, name, running=LAMPS["1.0.0"], *, partial=False, resumes=False, **behaviour):
    url = f"{server.url}/api/device/v1/check"
    way_in = access(server, name)
    return EspIdf(url, board(running, **behaviour), way_in, partial=partial, resumes=resumes)


def arduino(server, name, file="latest.bin", **behaviour):
    url = f"{server.url}/firmware/lamp/{file}"
    return ArduinoEsp32(url, board(**behaviour), access(server, name))


def minutes_pass(server, name):
    """For the attempt: it was installed some minutes ago. And for the server, as time from before
    its start, in which the clock may have been set, makes no roll-back."""
    server.await_age(RESTART_SECONDS + 2)

    def passed(tx):
        attempt = tx.attempts.latest_of(name)
        if attempt.installed_at is not None:
            tx.attempts.change(replace(attempt, installed_at=attempt.installed_at - 300))

    change(server, passed)


# --- ESP-IDF


@pytest.mark.parametrize("partial", [False, True])
def test_an_esp_idf_board_is_updated_and_seen_running_the_new_image(server, partial):
    name = a_name("idf")
    client = esp_idf(server, name, partial=partial)

    first, second = client.step(), client.step()

    assert (first.did, second.did, second.detail) == (Did.UPDATED, Did.NOTHING, "up-to-date")
    assert states_of(server, name) == ["verified"]
    device = device_of(server, name)
    assert (device.version, device.version_from) == ("1.1.0", VersionFrom.IMAGE)
    assert (device.chip, device.revision, device.created_by) == ("esp32", 301, "check-in")


@pytest.mark.parametrize("partial", [False, True])
def test_a_cut_download_goes_on_where_it_was(server, partial):
    name = a_name("idf")
    client = esp_idf(server, name, partial=partial, resumes=True, cuts_after_bytes=200_000)

    with pytest.raises(Cut):
        client.step()
    outcome = client.step()

    assert outcome.did is Did.UPDATED
    assert outcome.body_bytes < SIZE - 150_000
    client.step()
    assert states_of(server, name) == ["verified"]


def test_a_check_as_esp_http_client_writes_it_is_answered_in_few_bytes(server):
    name = a_name("idf")
    token = give_credential(server, name, "lamp")
    said = (
        b'{"version":"1.0.0","image_sha256":"' + LAMPS["1.0.0"][-32:].hex().encode() + b'",'
        b'"chip":"esp32","revision":301,"free_bytes":1966080}'
    )
    head = (
        "POST /api/device/v1/check HTTP/1.1\r\n"
        "User-Agent: ESP32 HTTP Client/1.0\r\n"
        f"Host: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(said)}\r\n"
        "Connection: close\r\n\r\n"
    )

    answer = server.raw(head.encode() + said)

    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in first
    assert body.startswith(b'{"update":true,"attempt":1')
    assert len(answer) < 2_048  # what an nRF91 has for all of it


def test_what_went_out_is_the_attempts_progress(server):
    name = a_name("idf")

    esp_idf(server, name, partial=True, falls_silent=True).step()

    wait_until(lambda: states_of(server, name) == ["downloaded"])
    (attempt,) = attempts_of(server, name)
    assert (attempt.deliveries, attempt.sent_bytes) == (1, len(LAMPS["1.1.0"]))


def test_a_board_that_rolled_back_is_seen_with_its_old_image(server):
    name = a_name("idf")
    client = esp_idf(server, name, rolls_back=True)
    assert client.step().did is Did.ROLLED_BACK
    assert client.step().detail == "awaiting-restart"
    minutes_pass(server, name)

    client.step()

    assert states_of(server, name)[-1] == "rolled-back"
    assert device_of(server, name).version == "1.0.0"


def test_a_board_that_always_claims_success_is_not_believed_for_ever(server):
    name = a_name("idf")
    client = esp_idf(server, name, loops=True)
    for _ in range(3):
        assert client.step().did is Did.ROLLED_BACK
        minutes_pass(server, name)

    outcome = client.step()

    assert (outcome.did, outcome.detail) == (Did.NOTHING, "failing")
    assert states_of(server, name) == ["rolled-back"] * 3


@pytest.mark.parametrize("claimed", ["9.9.9", "0.0.1"])
def test_a_liar_is_known_by_its_digest(server, claimed):
    name = a_name("liar")
    client = esp_idf(server, name, says_version=claimed)

    assert client.step().did is Did.UPDATED
    assert client.step().detail == "up-to-date"
    assert device_of(server, name).version == "1.1.0"
    assert states_of(server, name) == ["verified"]


def test_a_release_for_another_chip_is_never_offered(server):
    name = a_name("s3")
    running = image("0.9.0", chip="esp32s3", seed=77)
    client = esp_idf(server, name, running, chip="esp32s3")

    outcomes = [client.step() for _ in range(2)]

    assert [(one.did, one.detail) for one in outcomes] == [(Did.NOTHING, "wrong-chip")] * 2
    assert states_of(server, name) == []


def test_a_board_without_room_is_told_so(server):
    client = esp_idf(server, a_name("small"), image("0.9.0", seed=78), free_bytes=100_000)

    assert client.step().detail == "too-big"


def test_pieces_by_one_constant_url_are_pieces_of_one_image(server):
    """It asks `latest.bin` for the rest of what it has, while a newer release is there already."""
    token = server.mint("fan")
    old, new = (image(v, project="fan", seed=s) for s, v in enumerate(("1.0.0", "1.1.0"), 50))
    server.drop("fan", "fan-1.0.0.bin", old)
    server.await_served("fan", "fan-1.0.0.bin", old, token)
    wait_until(lambda: server.get("/firmware/fan/latest.bin", token).body == old)
    way_in = access(server, a_name("fan"), "fan")
    running = Board(None, behaviour=Behaviour(cuts_after_bytes=200_000))
    client = EspIdf(f"{server.url}/firmware/fan/latest.bin", running, way_in, resumes=True)

    with pytest.raises(Cut):
        client.step()
    server.drop("fan", "fan-1.1.0.bin", new)
    wait_until(lambda: server.get("/firmware/fan/latest.bin", token).body == new)
    outcome = client.step()

    assert (outcome.did, outcome.version) == (Did.UPDATED, "1.0.0")
    assert outcome.body_bytes < len(old) - 150_000


# --- Arduino


def test_an_arduino_board_is_updated_and_known_by_its_sketchs_digest(server):
    name = a_name("arduino")
    client = arduino(server, name)
    client.says_version = False

    first, second = client.step(), client.step()

    assert (first.did, second.did) == (Did.UPDATED, Did.NOTHING)
    assert states_of(server, name) == ["verified"]
    assert device_of(server, name).version_from is VersionFrom.IMAGE


def test_an_arduino_board_begins_anew_after_a_cut(server):
    name = a_name("arduino")
    client = arduino(server, name, cuts_after_bytes=100_000)

    with pytest.raises(Cut):
        client.step()

    assert client.step().did is Did.UPDATED
    assert client.step().did is Did.NOTHING
    assert states_of(server, name) == ["verified"]


def test_a_loop_of_whole_downloads_is_stopped_and_named(server):
    name = a_name("loop")
    client = arduino(server, name, loops=True)
    for times in (1, 2, 3):
        assert client.step().did is Did.ROLLED_BACK
        wait_until(lambda times=times: attempts_of(server, name)[0].deliveries == times)

    outcome = client.step()
    with client.line:
        answer = client.line.ask(client.address, client.request(client.address))

    assert (outcome.did, outcome.body_bytes) == (Did.NOTHING, 0)
    assert answer.headers["x-ota-reason"] == "looping"
    assert len(states_of(server, name)) == 1


def test_a_fixed_file_is_flashed_once_and_not_at_every_boot(server):
    client = arduino(server, a_name("fixed"), "lamp-1.1.0.bin")

    assert [client.step().did for _ in range(3)] == [Did.UPDATED, Did.NOTHING, Did.NOTHING]


def test_a_fixed_file_for_another_chip_costs_no_download(server):
    name = a_name("fixed")
    server.drop("pond", "pond-0.5.0.bin", image("0.5.0", project="pond", chip="esp32s3"))
    way_in = access(server, name, "pond")
    url = f"{server.url}/firmware/pond/pond-0.5.0.bin"
    client = ArduinoEsp32(url, board(), way_in)
    # It runs an image of ours, so its chip is known.

    with pytest.raises(Failed, match=r"Forbidden \(403\)"):
        client.step()


@pytest.mark.parametrize("rewrites", [None, 0])
def test_an_esp8266_is_updated_once_even_if_it_rewrites_a_byte(server, rewrites):
    name = a_name("esp8266")
    sensor = board(SENSORS["1.0.0"], version="1.0.0", chip="esp8266", free_bytes=500_000)
    way_in = access(server, name, "sensor")
    url = f"{server.url}/firmware/sensor/latest.bin"
    client = ArduinoEsp8266(url, sensor, way_in, flash_mode=rewrites)

    with client.line:
        newest = client.available_version(client.address)
    first = client.step()
    sensor.running = replace(sensor.running, version="1.1.0")  # as its sketch says
    second = client.step()

    assert newest == "1.1.0"
    assert (first.did, second.did) == (Did.UPDATED, Did.NOTHING)
    assert states_of(server, name) == ["verified"]


def test_a_pico_is_updated_too(server):
    name = a_name("pico")
    pico = board(PICOS["1.0.0"], version="1.0.0", chip="rp2040")
    url = f"{server.url}/firmware/pico/latest.bin"
    client = ArduinoPico(url, pico, access(server, name, "pico"))

    first = client.step()
    pico.running = replace(pico.running, version="1.1.0")
    second = client.step()

    assert (first.did, second.did) == (Did.UPDATED, Did.NOTHING)
    assert states_of(server, name) == ["verified"]


# --- Tasmota


def tasmota(server, name, file, running=SENSORS["1.0.0"], **more):
    token = give_credential(server, name, "sensor")
    known = board(running, version="15.0.1(tasmota)", chip="esp8266", **more)
    url = f"{server.url}/firmware/sensor/{token}/{file}"
    return Tasmota(url, known, Access(patience_seconds=PATIENCE_SECONDS))


def test_tasmota_keeps_its_credential_in_the_path_and_is_updated(server):
    client = tasmota(server, a_name("tasmota"), "tasmota.bin", free_bytes=500_000)

    assert client.step().did is Did.UPDATED
    assert len(client.url) < 200


def test_where_there_is_no_room_tasmota_finds_its_minimal_variant(server):
    client = tasmota(server, a_name("tasmota"), "tasmota.bin", free_bytes=20_000)

    assert client.step().did is Did.UPDATED
    assert [url.rpartition("/")[2] for url in client.tried] == [
        "tasmota.bin",
        "tasmota-minimal.bin",
    ]


def test_variants_that_are_not_there_are_404_and_tasmota_goes_on(server):
    client = tasmota(server, a_name("tasmota"), "no.bin", free_bytes=500_000)

    with pytest.raises(Failed, match=r"File Not Found \(404\)"):
        client.step()

    assert client.tried[-1].endswith("no.bin.gz")


# --- what `try` says


@pytest.mark.parametrize(
    ("client", "path"),
    [
        ("esp-idf", "/api/device/v1/check"),
        ("esp-idf", "/firmware/lamp/latest.bin"),
        ("arduino", "/firmware/lamp/latest.bin"),
        ("esp8266", "/firmware/sensor/latest.bin"),
    ],
)
def test_every_need_of_the_client_is_met(server, client, path):
    project = "sensor" if "sensor" in path else "lamp"

    findings = examine(client, f"{server.url}{path}", access(server, a_name("try"), project))

    assert Verdict.OK in {one.verdict for one in findings}
    broken = [one for one in findings if one.verdict is Verdict.BROKEN]
    assert [one for one in broken if not one.need.says.startswith(LATE)] == []


def test_every_need_of_tasmota_is_met(server):
    token = give_credential(server, a_name("try"), "sensor")

    findings = examine("tasmota", f"{server.url}/firmware/sensor/{token}/tasmota.bin", Access())

    broken = [one for one in findings if one.verdict is Verdict.BROKEN]
    assert [one for one in broken if not one.need.says.startswith(LATE)] == []
