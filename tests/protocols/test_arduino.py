"""Boards with Arduino's update libraries: what they send, byte for byte, and understand."""

import base64
import gzip
from dataclasses import replace
from hashlib import md5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.domain.project import Project, Registering, UnknownVersion
from ota_http_server.storage.credentials import Kind
from tests.instance import Instance
from tests.protocols.lamps import (
    BOARD,
    a_credential,
    change_device,
    device_of,
    drop,
    lamp,
    publish,
    say,
    states_of,
)

ESP32 = """\
GET /firmware/lamp/{name} HTTP/1.0\r
Host: ota.example.com:8071\r
User-Agent: ESP32-http-Update\r
Connection: close\r
Cache-Control: no-cache\r
x-ESP32-STA-MAC: 24:0A:C4:00:00:01\r
x-ESP32-AP-MAC: 24:0A:C4:00:00:02\r
x-ESP32-free-space: {room}\r
x-ESP32-sketch-size: 300448\r
x-ESP32-sketch-md5: {md5}\r
x-ESP32-sketch-sha256: {sha256}\r
x-ESP32-chip-size: 4194304\r
x-ESP32-sdk-version: v5.5.1\r
x-ESP32-mode: {mode}\r
{version}Authorization: Bearer {token}\r
\r
"""
ESP8266 = """\
GET /firmware/lamp/{name} HTTP/1.0\r
Host: 192.168.1.5:8071\r
User-Agent: ESP8266-http-Update\r
Connection: close\r
Authorization: Basic {basic}\r
x-ESP8266-Chip-ID: 10\r
x-ESP8266-STA-MAC: 5C:CF:7F:00:00:0A\r
x-ESP8266-AP-MAC: 5E:CF:7F:00:00:0A\r
x-ESP8266-free-space: {room}\r
x-ESP8266-sketch-size: 12320\r
x-ESP8266-sketch-md5: {md5}\r
x-ESP8266-chip-size: 4194304\r
x-ESP8266-sdk-version: 2.2.2-dev(38a443e)\r
x-ESP8266-mode: {mode}\r
{version}\r
"""
PICO = """\
GET /firmware/lamp/{name} HTTP/1.0\r
Host: 192.168.1.5:8071\r
User-Agent: -http-Update\r
Connection: close\r
Authorization: Basic {basic}\r
x--Chip-ID: E66058388353000A\r
x--STA-MAC: 28:CD:C1:00:00:0A\r
x--AP-MAC: 28:CD:C1:00:00:0A\r
x--mode: sketch\r
{version}\r
"""
OLD = lamp("1.0.0")
LITTLEFS = b"\x01\0\0\0\xf0\x0f\xff\xf7littlefs" + bytes(2_032)


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        drop(instance, "1.0.0")
        yield instance


@pytest.fixture(name="token")
def a_token(ota):
    return a_credential(ota)


def esp32(
    ota, token, name="latest.bin", running=OLD, version="1.0.0", mode="sketch", room=1_310_720
):
    """`running` are the bytes of its sketch."""
    return say(
        ota,
        ESP32.format(
            name=name,
            room=room,
            md5=md5(running).hexdigest(),
            sha256=running[-32:].hex().upper(),
            mode=mode,
            version=f"x-ESP32-version: {version}\r\n" if version else "",
            token=token,
        ),
    )


def esp8266(
    ota, token, name="latest.bin", running=b"", version="1.0.0", mode="sketch", room=500_000
):
    return say(
        ota,
        ESP8266.format(
            name=name,
            basic=base64.b64encode(f"device:{token}".encode()).decode(),
            room=room,
            md5=md5(running).hexdigest(),
            mode=mode,
            version=f"x-ESP8266-version: {version}\r\n" if version else "",
        ),
    )


def held(answer):
    assert (answer.status_code, answer.data) == (304, b"")
    return answer.headers["x-ota-reason"]


def forbidden(answer):
    assert answer.status_code == 403
    return answer.json["detail"].partition(":")[0]


def test_a_board_says_all_that_it_is_in_its_first_request(ota, token):
    answer = esp32(ota, token)

    device = device_of(ota)
    assert held(answer) == "up-to-date"
    assert (device.version, device.version_from) == ("1.0.0", VersionFrom.IMAGE)
    assert (device.chip, device.free_bytes) == ("esp32", 1_310_720)


def test_a_newer_release_is_the_answer_and_begins_an_attempt(ota, token):
    image = drop(ota, "1.1.0")

    answer = esp32(ota, token)

    assert (answer.status_code, answer.data) == (200, image)
    assert answer.headers["x-MD5"] == md5(image).hexdigest()
    assert answer.headers["Content-Length"] == str(len(image))
    assert states_of(ota) == ["offered"]


def test_seen_with_the_new_digest_the_attempt_is_verified(ota, token):
    image = drop(ota, "1.1.0")
    esp32(ota, token, version=None)

    answer = esp32(ota, token, running=image, version=None)

    assert held(answer) == "up-to-date"
    assert states_of(ota) == ["verified"]


def test_the_digest_knows_better_than_the_version_that_a_sketch_claims(ota, token):
    drop(ota, "1.1.0")

    assert esp32(ota, token, version="9.9.9").status_code == 200
    assert device_of(ota).version == "1.0.0"


def test_whoever_runs_something_unknown_and_says_no_version_gets_nothing(ota, token):
    drop(ota, "1.1.0")

    answer = esp32(ota, token, running=lamp("0.1.0", seed=9), version=None)

    assert held(answer) == "unknown-version"


def test_the_chip_of_an_unknown_sketch_is_not_known_unless_the_url_says_it(ota, token):
    image = drop(ota, "1.1.0")
    unknown = lamp("0.1.0", seed=9)

    assert held(esp32(ota, token, running=unknown)) == "unknown-chip"
    assert esp32(ota, token, "latest.bin?chip=ESP32", unknown).data == image


def test_the_url_may_say_the_revision_and_the_board_too(ota, token):
    image = drop(ota, "1.1.0", min_chip_revision=300)

    assert held(esp32(ota, token)) == "unknown-revision"
    assert esp32(ota, token, "latest.bin?revision=301&board=lamp-v2").data == image
    assert device_of(ota).board == "lamp-v2"


def test_nonsense_in_the_url_is_nothing_said(ota, token):
    name = f"lamp-1.0.0.bin?version={'9' * 100}&chip=!&revision=x"

    assert esp32(ota, token, name, running=lamp("0.1.0", seed=9), version=None).data == OLD


def test_a_release_for_another_chip_is_not_for_it(ota, token):
    drop(ota, "1.1.0", chip="esp32s3")

    assert held(esp32(ota, token)) == "up-to-date"


def test_what_is_larger_than_its_slot_is_held(ota, token):
    drop(ota, "1.1.0", payload_bytes=20_000)

    assert held(esp32(ota, token, room=10_000)) == "too-big"


def test_a_blocked_board_is_forbidden(ota, token):
    esp32(ota, token)
    change_device(ota, lambda device: replace(device, blocked=True))

    assert forbidden(esp32(ota, token)) == "blocked"
    assert forbidden(esp32(ota, token, "lamp-1.0.0.bin")) == "blocked"
    assert forbidden(esp32(ota, token, mode="spiffs")) == "blocked"


def test_a_board_that_may_not_come_in_by_itself_gets_nothing(ota, token):
    project = Project(name="lamp", registering=Registering.INVITED, edition=1)
    ota.ota.stores.database.change(lambda tx: tx.projects.put(project))
    ota.ota.news.refresh()

    assert held(esp32(ota, token)) == "not-registered"
    assert held(esp32(ota, token, mode="spiffs")) == "not-registered"


# --- ESP8266 and arduino-pico

SMALL = esp8266_application(payload_bytes=8_000, seed=1)
NEW = esp8266_application(payload_bytes=9_000, seed=2)
SENSOR = "5c:cf:7f:00:00:0a"


@pytest.fixture(name="sensor")
def a_sensor(tmp_path):
    """An instance with a project of ESP8266 boards, and the credential of one."""
    with Instance(tmp_path) as ota:
        ota.drop_old("lamp", "lamp-1.0.0.bin", SMALL)
        yield ota, a_credential(ota, SENSOR)


def test_an_esp8266_shows_its_token_as_a_password_and_is_known_by_its_family(sensor):
    ota, token = sensor
    ota.drop_old("lamp", "lamp-1.1.0.bin", NEW)

    answer = esp8266(ota, token, running=SMALL)

    assert (answer.status_code, answer.data) == (200, NEW)
    assert answer.headers["x-MD5"] == md5(NEW).hexdigest()
    assert device_of(ota, SENSOR).chip == "esp8266"


def test_an_esp8266_whose_updater_rewrote_a_byte_is_up_to_date_by_its_version(sensor):
    ota, token = sensor
    rewritten = SMALL[:2] + b"\0" + SMALL[3:]

    assert held(esp8266(ota, token, running=rewritten)) == "up-to-date"
    assert held(esp8266(ota, token, "lamp-1.0.0.bin", rewritten)) == "up-to-date"


def test_a_compressed_image_is_sent_as_it_is(sensor):
    ota, token = sensor
    packed = gzip.compress(NEW, mtime=0)
    ota.drop_old("lamp", "lamp-1.1.0.bin.gz", packed)

    answer = esp8266(ota, token, running=SMALL)

    assert (answer.status_code, answer.data) == (200, packed)
    assert answer.headers["x-MD5"] == md5(packed).hexdigest()
    assert held(esp8266(ota, token, running=NEW, version="1.1.0")) == "up-to-date"


def test_an_image_of_an_esp32_is_not_for_an_esp8266(sensor):
    ota, token = sensor
    drop(ota, "1.1.0")

    assert held(esp8266(ota, token, running=SMALL)) == "up-to-date"
    assert forbidden(esp8266(ota, token, "lamp-1.1.0.bin", SMALL)) == "wrong-chip"


@pytest.mark.parametrize("name", ["latest.bin", "lamp-1.1.0.bin"])
def test_an_esp8266_may_ask_for_the_version_alone(sensor, name):
    ota, token = sensor
    ota.drop_old("lamp", "lamp-1.1.0.bin", NEW)

    answer = esp8266(ota, token, name, SMALL, mode="version")

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["x-version"] == "1.1.0"
    assert states_of(ota, SENSOR) == []


def test_the_version_of_what_it_runs_already_is_told_too(sensor):
    ota, token = sensor

    answers = [
        esp8266(ota, token, name, SMALL, mode="version")
        for name in ("latest.bin", "lamp-1.0.0.bin")
    ]

    assert [answer.headers["x-version"] for answer in answers] == ["1.0.0", "1.0.0"]


def test_a_file_without_a_version_has_none_to_tell(sensor):
    ota, token = sensor
    ota.drop_old("lamp", "anything.bin", NEW)

    assert esp8266(ota, token, "anything.bin", SMALL, mode="version").status_code == 404


def test_the_version_is_not_told_where_nothing_fits(sensor):
    ota, token = sensor
    ota.drop_old("lamp", "lamp-1.1.0.bin", NEW)

    assert held(esp8266(ota, token, version=None, mode="version")) == "unknown-version"


def test_a_pico_without_its_prefix_is_a_board_too(tmp_path):
    with Instance(tmp_path) as ota:
        old, new = (bytes([value]) * 4_000 for value in (1, 2))
        ota.drop_old("lamp", "lamp-1.0.0.bin", old)
        ota.drop_old("lamp", "lamp-1.1.0.bin", new)
        basic = base64.b64encode(f"pico:{a_credential(ota, 'pico')}".encode()).decode()

        def asks(version):
            said = f"x--version: {version}\r\n" if version else ""
            return say(ota, PICO.format(name="latest.bin", basic=basic, version=said))

        assert held(asks(None)) == "unknown-version"
        assert asks("1.0.0").data == new
        assert held(asks("1.1.0")) == "up-to-date"
        assert states_of(ota, "pico") == ["verified"]


def test_a_family_that_is_not_known_yet_is_recognised_by_its_agent_and_address(ota, token):
    raw = (
        "GET /firmware/lamp/latest.bin HTTP/1.0\r\nHost: x\r\nUser-Agent: RP2040-http-Update\r\n"
        "x-RP2040-STA-MAC: 28:CD:C1:00:00:0A\r\nx-RP2040-mode: sketch\r\n"
        f"x-RP2040-version: 1.0.0\r\nAuthorization: Bearer {token}\r\n\r\n"
    )

    assert held(say(ota, raw)) == "up-to-date"


# --- a fixed name


def test_a_fixed_file_that_runs_already_is_not_flashed_at_every_boot(ota, token):
    assert held(esp32(ota, token, "lamp-1.0.0.bin")) == "up-to-date"
    assert held(esp32(ota, token, "lamp-1.0.0.bin", version=None)) == "up-to-date"


def test_a_fixed_file_that_does_not_run_is_sent_old_or_new(ota, token):
    new = drop(ota, "1.1.0")

    assert esp32(ota, token, "lamp-1.1.0.bin").data == new
    assert esp32(ota, token, "lamp-1.0.0.bin", running=new, version="1.1.0").data == OLD


def test_same_version_other_bytes_is_another_image(ota, token):
    other = lamp("1.0.0", seed=5)

    assert esp32(ota, token, "lamp-1.0.0.bin", running=other).data == OLD


def test_what_is_not_known_stands_in_no_fixed_files_way(ota, token):
    unknown = lamp("0.1.0", seed=9)

    assert esp32(ota, token, "lamp-1.0.0.bin", unknown, version=None).data == OLD


@pytest.mark.parametrize(
    ("facts", "room", "why"),
    [
        ({"chip": "esp32s3"}, 1_310_720, "wrong-chip"),
        ({"payload_bytes": 20_000}, 10_000, "too-big"),
        ({"min_chip_revision": 400}, 1_310_720, "wrong-revision"),
    ],
)
def test_a_fixed_file_that_cannot_run_there_is_refused_in_words(ota, token, facts, room, why):
    drop(ota, "1.1.0", **facts)
    esp32(ota, token)
    change_device(ota, lambda device: replace(device, revision=301))

    answer = esp32(ota, token, "lamp-1.1.0.bin", room=room)

    assert forbidden(answer) == why
    assert "lamp-1.1.0.bin" in answer.json["detail"]


def test_what_is_no_program_is_not_flashed_as_one(ota, token):
    ota.drop_old("lamp", "lamp-1.0.0-littlefs.bin", LITTLEFS)

    assert forbidden(esp32(ota, token, "lamp-1.0.0-littlefs.bin")) == "other-kind"
    answer = esp32(ota, token, "lamp-1.0.0-littlefs.bin", version=None, mode="spiffs")
    assert answer.data == LITTLEFS


def test_an_esp8266_sees_by_itself_what_is_too_big_so_that_tasmota_asks_for_less(sensor):
    ota, token = sensor

    assert esp8266(ota, token, "lamp-1.0.0.bin", version=None, room=100).data == SMALL


def test_one_token_in_boards_of_two_families_opens_both_their_files(sensor):
    ota, token = sensor
    image = drop(ota, "1.1.0")
    esp8266(ota, token, "lamp-1.0.0.bin", version=None)

    assert esp32(ota, token, "lamp-1.1.0.bin", lamp("0.1.0", seed=9)).data == image


def test_a_fixed_file_begins_no_attempt_and_tells_what_runs(ota, token):
    drop(ota, "1.1.0")

    esp32(ota, token, "lamp-1.1.0.bin")

    assert states_of(ota) == []
    assert device_of(ota).version == "1.0.0"


def test_names_that_are_no_files_answer_boards_as_anybody(ota, token):
    assert esp32(ota, token, "versions").json["latest"] == "1.0.0"
    assert esp32(ota, token, "lamp-1.0.0.bin.md5").data.startswith(md5(OLD).hexdigest().encode())
    assert esp32(ota, token, "latest.bin.md5").data.startswith(md5(OLD).hexdigest().encode())
    assert esp32(ota, token, "nothing.bin").status_code == 404


def test_a_file_that_really_is_called_latest_is_a_fixed_one(ota, token):
    own = drop(ota, "0.9.0", "latest.bin")

    assert esp32(ota, token).data == own
    assert held(esp32(ota, token, running=own, version="0.9.0")) == "up-to-date"


def test_the_database_may_be_away_and_fixed_files_are_sent(ota, token):
    drop(ota, "1.1.0")
    esp32(ota, token, "lamp-1.1.0.bin")
    place = ota.folder / "data" / "ota.sqlite"
    place.rename(place.with_name("elsewhere"))

    assert esp32(ota, token, "lamp-1.1.0.bin").status_code == 200


@pytest.mark.parametrize("name", ["lamp-minimal.bin", "lamp-safeboot.bin", "lamp-1.0.0.bin.gz"])
def test_tasmotas_variants_that_do_not_exist_are_404(ota, token, name):
    assert esp32(ota, token, name, version="15.0.1(tasmota32)").status_code == 404


# --- filesystems


def test_the_filesystem_is_that_of_the_release_which_runs(ota, token):
    drop(ota, "1.1.0")
    old, new = LITTLEFS, LITTLEFS + b"new"
    ota.drop_old("lamp", "lamp-1.0.0-littlefs.bin", old)
    ota.drop_old("lamp", "lamp-1.1.0-littlefs.bin", new)

    assert esp32(ota, token, version=None, mode="spiffs").data == old
    assert esp32(ota, token, running=lamp("1.1.0"), version=None, mode="littlefs").data == new
    assert states_of(ota) == []


def test_of_an_unknown_program_the_newest_filesystem_is_sent(ota, token):
    ota.drop_old("lamp", "lamp-1.0.0-littlefs.bin", LITTLEFS)
    unknown = lamp("0.1.0", seed=9)

    answer = esp32(ota, token, "latest.bin?chip=esp32", unknown, version=None, mode="spiffs")

    assert answer.data == LITTLEFS


@pytest.mark.parametrize("name", ["latest.bin", "lamp-1.0.0-littlefs.bin"])
def test_a_board_that_says_its_filesystems_version_is_told_that_it_has_it(ota, token, name):
    ota.drop_old("lamp", "lamp-1.0.0-littlefs.bin", LITTLEFS)

    assert held(esp32(ota, token, name, mode="spiffs")) == "up-to-date"
    assert device_of(ota).version == "1.0.0"
    assert esp32(ota, token, name, version="0.9", mode="spiffs").data == LITTLEFS
    assert device_of(ota).version == "1.0.0"


def test_there_may_be_no_filesystem(ota, token):
    assert held(esp32(ota, token, mode="spiffs")) == "no-image"


# --- who it is


def test_the_credential_says_which_board_it_is_not_the_header(ota):
    token = a_credential(ota, "bench-7")
    esp32(ota, token)

    assert device_of(ota) is None
    assert device_of(ota, "bench-7").version == "1.0.0"


def test_a_gateway_and_a_server_without_tokens_go_by_the_address(ota, tmp_path_factory):
    esp32(ota, a_credential(ota, kind=Kind.GATEWAY))
    with Instance(tmp_path_factory.mktemp("open"), no_jwt=True) as free:
        drop(free, "1.0.0")
        esp32(free, "none")

        assert device_of(ota).id == device_of(free).id == BOARD


def test_without_an_address_nobody_knows_who_it_is_and_fixed_files_are_sent(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        drop(ota, "1.0.0")

        def asks(name):
            head = f"GET /firmware/lamp/{name} HTTP/1.0\r\nHost: x\r\n"
            return say(ota, f"{head}x-ESP32-STA-MAC: nonsense\r\nx-ESP32-mode: sketch\r\n\r\n")

        assert asks("latest.bin").status_code == 400
        assert asks("lamp-1.0.0.bin").data == OLD


def test_another_projects_board_learns_nothing(ota):
    token = a_credential(ota, project="fan")

    assert esp32(ota, token).status_code == 404
    assert esp32(ota, token, "lamp-1.0.0.bin").status_code == 404
    assert esp32(ota, "wrong").status_code == 401


def test_a_board_that_says_nothing_of_itself_may_be_offered_the_newest(ota, token):
    project = Project(name="lamp", unknown_version=UnknownVersion.OFFER, chip="esp32", edition=1)
    ota.ota.stores.database.change(lambda tx: tx.projects.put(project))
    ota.ota.news.refresh()

    answer = esp32(ota, token, running=lamp("0.1.0", seed=9), version=None)

    assert answer.data == OLD


def test_releases_that_came_by_no_folder_are_offered_alike(ota, token):
    image = lamp("1.1.0")
    publish(ota, "1.1.0", ("lamp.bin", image))

    answer = esp32(ota, token)

    assert answer.data == image
    assert not answer.headers["Last-Modified"].endswith("1970 00:00:00 GMT")


def test_a_pinned_board_goes_back(ota, token):
    image = drop(ota, "1.1.0")
    device = Device(id=BOARD, project="lamp", pinned="1.0.0")
    ota.ota.stores.database.change(lambda tx: tx.devices.add(device))

    assert esp32(ota, token, running=image, version="1.1.0").data == OLD


NAMES = ("mode", "version", "free-space", "sketch-md5", "sketch-sha256", "STA-MAC", "Chip-ID")
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))


@pytest.fixture(scope="module", name="shared")
def a_shared_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as instance:
        drop(instance, "1.0.0")
        drop(instance, "1.1.0")
        instance.drop_old("lamp", "lamp-1.1.0-littlefs.bin", LITTLEFS)
        yield instance, a_credential(instance), a_credential(instance, kind=Kind.GATEWAY)


@given(
    family=st.sampled_from(("ESP32", "ESP8266", "")),
    said=st.dictionaries(st.sampled_from(NAMES), TEXT | st.just("1.0.0") | st.just(BOARD)),
    name=st.sampled_from(("latest.bin", "lamp-1.1.0.bin", "lamp-1.1.0-littlefs.bin", "no.bin")),
    gateway=st.booleans(),
)
def test_whatever_a_board_says_the_answer_is_one_that_it_knows(shared, family, said, name, gateway):
    ota, token, key = shared
    headers = [(f"x-{family}-STA-MAC", "24:0A:C4:00:00:01")]
    headers += [(f"x-{family}-{field}", value) for field, value in said.items()]
    headers.append(("Authorization", f"Bearer {key if gateway else token}"))

    answer = ota.client.get(f"/firmware/lamp/{name}", headers=headers, buffered=True)

    assert answer.status_code in (200, 304, 400, 403, 404)
