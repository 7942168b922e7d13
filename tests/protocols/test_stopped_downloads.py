"""A stop with downloads: no byte of an image goes out any more, by whichever door."""

from urllib.parse import urlsplit

import pytest

from ota_http_server.domain.esp8266_sample import esp8266_application
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Operator
from ota_http_server.operations.brake import LATE_SECONDS
from ota_http_server.simulation.esphome import build_for
from ota_http_server.storage.credentials import Kind
from tests.instance import Instance
from tests.protocols import test_arduino as arduino
from tests.protocols.boards import document
from tests.protocols.controllers import Target, knows
from tests.protocols.lamps import BOARD, a_credential, drop, states_of

PROJECT = "lamp"
FILE = "lamp-1.1.0.bin"
OPERATOR = Operator("test", None)
REASON = "it bricks boards"
NEWS_SECONDS = 1.3  # so late a request asks by itself what the chores here do not


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as ota:
        drop(ota, "1.1.0")
        ota.clock.pass_seconds(60)  # a young file may have held another image a moment ago
        yield ota


def stop(ota, project=PROJECT, *, downloads=True):
    ota.ota.stop.stop(OPERATOR, project, REASON, downloads=downloads)


def stop_by_file(ota, name="STOP", words=f"{REASON}\ndownloads\n"):
    """As a person does it with an editor."""
    (ota.folder / "data" / name).write_text(words)
    ota.clock.pass_seconds(LATE_SECONDS)


def bearer(ota, kind=Kind.DEVICE):
    return {"Authorization": f"Bearer {a_credential(ota, kind=kind)}"}


def by_name(ota):
    return f"/firmware/lamp/{FILE}", bearer(ota)


def by_its_digest(ota):
    image = ota.get("/firmware/lamp/latest", a_credential(ota)).json
    return f"/firmware/lamp/sha256-{image['sha256'][:16]}/{FILE}", bearer(ota)


def by_a_credential_in_the_path(ota):
    return f"/firmware/lamp/{a_credential(ota)}/{FILE}", {}


def by_a_ticket(ota):
    query = f"token={a_credential(ota)}&chip=esp32&version=1.0.0"
    return urlsplit(ota.get(f"/api/device/v1/check?{query}").json["url"]).path, {}


def by_a_gateway(ota):
    return f"/firmware/lamp/{FILE}?device={BOARD}", bearer(ota, Kind.GATEWAY)


def by_an_action_of_hawkbit(ota):
    credential = a_credential(ota)
    target = knows(Target(ota, BOARD, credential), chip="esp32")
    url = target.artifact()["_links"]["download"]["href"]
    return urlsplit(url).path, {"Authorization": f"TargetToken {credential}"}


def by_the_one_url(ota):
    return "/firmware/lamp/latest.bin?chip=esp32", bearer(ota)


WAYS = [
    by_name,
    by_its_digest,
    by_a_credential_in_the_path,
    by_a_ticket,
    by_a_gateway,
    by_an_action_of_hawkbit,
]


def ask(ota, way, method="GET", **fields):
    path, headers = way
    return ota.client.open(path, method=method, headers=headers | fields, buffered=True)


def refused(answer):
    """The problem, if it is this one."""
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert (answer.json["code"], answer.json["detail"]) == ("unavailable", f"stopped: {REASON}")
    return True


@pytest.mark.parametrize("way", [*WAYS, by_the_one_url])
def test_once_everything_or_the_project_is_stopped_no_image_goes_out(ota, way):
    here = way(ota)
    before = ask(ota, here)

    for project in (None, PROJECT):
        stop(ota, project)
        assert refused(ask(ota, here))
        assert ask(ota, here, "HEAD").status_code == 503
        ota.ota.stop.lift(OPERATOR, project, "mended")

    assert (before.status_code, ask(ota, here).status_code) == (200, 200)


@pytest.mark.parametrize("way", WAYS)
def test_a_download_in_ranges_is_held_in_its_middle_and_goes_on_afterwards(ota, way):
    here = way(ota)
    whole = ask(ota, here).data
    first = ask(ota, here, Range="bytes=0-99")
    stop(ota)
    assert refused(ask(ota, here, Range="bytes=100-"))
    assert refused(ask(ota, here, Range="bytes=100-199,300-399"))
    ota.ota.stop.lift(OPERATOR, PROJECT, "mended")

    rest = ask(ota, here, Range="bytes=100-")

    assert first.data + rest.data == whole


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["STOP", "STOP.lamp"])
def test_a_file_with_the_word_stops_them_even_while_the_database_is_away(ota, way, name):
    here = way(ota)
    for span in ("bytes=0-99", "bytes=100-199"):  # it is known by then what this download began
        assert ask(ota, here, Range=span).status_code == 206
    database_goes_away(ota)
    stop_by_file(ota, name)

    assert refused(ask(ota, here, Range="bytes=100-199"))

    (ota.folder / "data" / name).unlink()
    ota.clock.pass_seconds(LATE_SECONDS)
    assert ask(ota, here, Range="bytes=100-199").status_code == 206


def database_goes_away(ota):
    place = ota.folder / "data" / "ota.sqlite"
    place.rename(place.with_name("elsewhere"))


def test_another_process_is_stopped_within_two_seconds(ota):
    here = by_name(ota)
    with Instance(ota.folder, ota.clock) as other:
        assert ask(other, here).status_code == 200
        stop(ota)
        ota.clock.pass_seconds(NEWS_SECONDS)

        assert refused(ask(other, here))


@pytest.mark.parametrize("way", WAYS)
def test_a_stop_of_offers_alone_keeps_no_bytes_back(ota, way):
    here = way(ota)
    stop(ota, downloads=False)
    stop_by_file(ota, words=REASON)

    assert ask(ota, here, Range="bytes=100-199").status_code == 206


def test_other_projects_go_on(ota):
    ota.drop("plug", "plug.bin", esp_application(project="plug"))
    token = ota.mint("plug")
    stop(ota)
    stop_by_file(ota, "STOP.lamp")

    assert ota.get("/firmware/plug/plug.bin", token).status_code == 200


def test_a_stranger_learns_nothing_of_a_stop(ota):
    stop(ota)
    other = ota.mint("plug")

    for name in (FILE, "latest.bin"):
        assert ota.get(f"/firmware/lamp/{name}").status_code == 401
        assert ota.get(f"/firmware/lamp/{name}", other).status_code == 404


def test_who_has_the_image_already_hears_that(ota):
    here = by_name(ota)
    etag = ask(ota, here).headers["ETag"]
    stop(ota)

    assert ask(ota, here, **{"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    "name", [f"{FILE}.md5", f"{FILE}.sha256", "manifest.json", "esp32fota.json", "otapull.json"]
)
def test_what_is_no_image_is_told_as_ever(ota, name):
    stop(ota)

    assert ota.get(f"/firmware/lamp/{name}", a_credential(ota)).status_code == 200


def test_the_list_of_an_actions_artifacts_and_their_digests_are_told_too(ota):
    path, headers = by_an_action_of_hawkbit(ota)
    stop(ota)

    assert ask(ota, (path.rpartition("/")[0], headers)).status_code == 200
    assert ask(ota, (f"{path}.MD5SUM", headers)).status_code == 200


def test_a_download_that_is_refused_begins_no_attempt(ota):
    here = by_its_digest(ota)
    ota.get("/firmware/lamp/manifest.json?chip=esp32&version=1.0.0", a_credential(ota))
    stop(ota)

    ask(ota, here)

    assert states_of(ota) == []


# --- boards that know "nothing new", and no other word


@pytest.fixture(name="token")
def a_token(ota):
    drop(ota, "1.0.0")
    return a_credential(ota)


@pytest.mark.parametrize("downloads", [True, False])
@pytest.mark.parametrize("mode", ["sketch", "version", "spiffs"])
def test_a_board_with_arduinos_library_hears_that_there_is_nothing_new(ota, token, downloads, mode):
    ota.drop_old("lamp", "lamp-1.0.0-littlefs.bin", arduino.LITTLEFS)
    version = None if mode == "spiffs" else "1.0.0"
    before = arduino.esp32(ota, token, version=version, mode=mode).status_code
    stop(ota, downloads=downloads)

    assert before == 200
    assert arduino.held(arduino.esp32(ota, token, version=version, mode=mode)) == "stopped"


def test_so_does_an_esp8266(ota, token):
    drop(ota, "1.2.0", "lamp-1.2.0-esp8266.bin")
    stop(ota)

    assert arduino.held(arduino.esp8266(ota, token)) == "stopped"


@pytest.mark.parametrize(("downloads", "status"), [(True, 304), (False, 200)])
def test_one_that_asks_for_a_file_by_its_name_too(ota, token, downloads, status):
    stop(ota, downloads=downloads)

    answer = arduino.esp32(ota, token, FILE)

    assert answer.status_code == status
    assert status == 200 or arduino.held(answer) == "stopped"


@pytest.mark.parametrize("name", ["latest.bin", FILE])
def test_while_the_database_is_away_a_known_board_hears_it_as_well(ota, token, name):
    arduino.esp32(ota, token, name)
    arduino.esp32(ota, token, name)
    database_goes_away(ota)
    stop_by_file(ota)

    assert arduino.held(arduino.esp32(ota, token, name)) == "stopped"


@pytest.mark.parametrize("downloads", [True, False])
def test_esphome_reads_the_version_that_runs(ota, downloads):
    own = a_credential(ota)
    offered = document(ota, token=own, query="chip=esp32&version=1.0.0")
    stop(ota, downloads=downloads)

    told = document(ota, token=own, query="version=1.0.0")
    known = document(ota, token=own)

    assert build_for(offered, "ESP32").version == "1.1.0"
    for manifest in (told, known):
        build = build_for(manifest, "ESP32")
        assert (build.version, build.path) == ("1.0.0", "")
        assert f"stopped: nothing is offered now: {REASON}" in str(manifest)


@pytest.mark.parametrize("family", ["ESP32", "ESP8266"])
def test_esphome_finds_its_chip_where_nobody_knows_which_it_is(ota, family):
    ota.drop_old("lamp", "lamp-1.1.0-esp8266.bin", esp8266_application(payload_bytes=2048))
    stop(ota)

    manifest = document(ota, token=a_credential(ota))

    assert build_for(manifest, family).version == ""
