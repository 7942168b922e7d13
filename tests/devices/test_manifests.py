"""Clients that read a document first update themselves from the real server, and it knows."""

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.simulation.board import GOOD, Behaviour, Board, Did, Firmware
from ota_http_server.simulation.esp32fota import Esp32Fota
from ota_http_server.simulation.esphome import EspHome
from ota_http_server.simulation.line import Access
from ota_http_server.simulation.micropython import MicroPython
from ota_http_server.simulation.needs import Verdict, examine
from ota_http_server.simulation.ota_pull import OtaPull
from tests.asking import PATIENCE_SECONDS
from tests.devices.registry import device_of, give_credential, states_of
from tests.running import Server, wait_until
from tests.simulation.looking import LATE

OLD = esp_application(version="1.9.0", project="lamp", payload_bytes=2_000, seed=1)
NEW = esp_application(version="1.10.0", project="lamp", payload_bytes=200_000)
S3 = esp_application(version="1.11.0", project="mixed", payload_bytes=2_000, chip="esp32s3")
ESP32 = esp_application(version="1.10.0", project="mixed", payload_bytes=2_000)
FILES = {
    "esphome": "manifest.json",
    "esp32fota": "esp32fota.json",
    "ota-pull": "otapull.json",
    "micropython": "micropython.json",
}


@pytest.fixture(scope="module", name="server")
def a_server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("server"), "--workers", "2") as running:
        running.drop("lamp", "lamp-1.10.0.bin", NEW)
        running.drop("mixed", "mixed-1.10.0-esp32.bin", ESP32)
        running.drop("mixed", "mixed-1.11.0-s3.bin", S3)
        for project, families in (("lamp", 1), ("mixed", 2)):
            await_released(running, project, families)
        yield running


def await_released(server, project, families):
    """Returns when a page would be shown so many chips."""
    path, own = f"/firmware/{project}/manifest.json?chip=any", give_credential(server, "x", project)

    def released():
        answer = server.get(path, own)
        return answer.status == 200 and len(answer.json()["builds"]) == families

    wait_until(released)


def board(behaviour=GOOD):
    return Board(Firmware.of(OLD), behaviour=behaviour)


def access(token=None):
    """More patient than the clients are: the machine may be slow."""
    return Access(token=token, patience_seconds=PATIENCE_SECONDS)


def a_client(name, server, way="path", query="", device="", running=None):
    """The client and the device that its new credential is for."""
    device = device or f"{name}-{way}"
    own = give_credential(server, device, "lamp")
    host, folder, token = server.url, "lamp/", None
    if way == "path":
        folder = f"lamp/{own}/"
    elif way == "url":
        host = host.replace("//", f"//device:{own}@")
    elif way == "query":
        query = f"token={own}{'&' if query else ''}{query}"
    else:
        token = own
    url = f"{host}/firmware/{folder}{FILES[name]}{'?' if query else ''}{query}"
    running = running or board()
    match name:
        case "esphome":
            return EspHome(url, running, access(token))
        case "esp32fota":
            return Esp32Fota(url, running, access(token), name="lamp", says_id=True)
        case "ota-pull":
            return OtaPull(url, running, access(token))
    return MicroPython(url, running, access(token))


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("esphome", "header"),
        ("esphome", "url"),
        ("esphome", "path"),
        ("esphome", "query"),
        ("esp32fota", "header"),
        ("esp32fota", "path"),
        ("esp32fota", "query"),
        ("ota-pull", "path"),
        ("ota-pull", "query"),
        ("micropython", "header"),
        ("micropython", "path"),
    ],
)
def test_it_flashes_the_new_image_once(server, name, way):
    # Where strings are compared, "1.10.0" is below "1.9.0": the board's own word is needed.
    query = "version=1.9.0" if name == "ota-pull" else ""
    client = a_client(name, server, way, query)

    first = client.step()
    if query:
        client = a_client(name, server, way, "version=1.10.0", running=client.board)
    second = client.step()

    assert (first.did, first.version) == (Did.UPDATED, "1.10.0")
    assert second.did is Did.NOTHING


@pytest.mark.parametrize("name", list(FILES))
def test_what_the_server_sent_is_the_devices_progress(server, name):
    query = "version=1.9.0" if name == "ota-pull" else ""
    device = f"{name}-watched"

    a_client(name, server, query=query, device=device).step()

    wait_until(lambda: states_of(server, device) == ["downloaded"])


@pytest.mark.parametrize("name", ["esphome", "esp32fota", "ota-pull"])
def test_a_version_in_the_url_proves_what_runs(server, name):
    device = f"{name}-proves"
    client = a_client(name, server, query="version=1.9.0", device=device)
    client.step()
    wait_until(lambda: states_of(server, device) == ["downloaded"])

    # The new program was built with another URL.
    a_client(name, server, query="version=1.10.0", device=device, running=client.board).step()

    assert states_of(server, device) == ["verified"]
    assert device_of(server, device).version == "1.10.0"


def test_a_board_that_rolls_back_again_and_again_is_left_alone(server):
    running = board(Behaviour(rolls_back=True))
    client = a_client(
        "esphome", server, query="version=1.9.0", device="rolls-back", running=running
    )

    wait_until(lambda: client.step().did is Did.NOTHING)

    assert running.true_version == "1.9.0"


@pytest.mark.parametrize(("variant", "version"), [("ESP32", "1.10.0"), ("ESP32-S3", "1.11.0")])
def test_each_chip_of_a_mixed_project_gets_its_own_newest(server, variant, version):
    own = give_credential(server, f"mixed-{variant}", "mixed")
    chip = variant.lower().replace("-", "")
    url = f"{server.url}/firmware/mixed/{own}/manifest.json?chip={variant}"
    client = EspHome(url, Board(Firmware.of(OLD), chip=chip), access(), variant=variant)

    assert [client.step().did for _ in range(2)] == [Did.UPDATED, Did.NOTHING]
    assert client.board.true_version == version


@pytest.mark.parametrize("name", list(FILES))
def test_no_need_of_the_client_is_broken(server, name):
    own = give_credential(server, f"{name}-tries", "lamp")
    url = f"{server.url}/firmware/lamp/{own}/{FILES[name]}"

    findings = examine(name, url, access())

    broken = [one for one in findings if one.verdict is Verdict.BROKEN]
    assert Verdict.OK in {one.verdict for one in findings}
    assert [one for one in broken if not one.need.says.startswith(LATE)] == []
