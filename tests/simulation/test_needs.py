"""`try` names the need that a server breaks, for each client and each wrong server."""

import json
from hashlib import md5, sha256

import pytest

from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.failed import Unreachable
from ota_http_server.simulation.needs import CLIENTS, Verdict, examine, probe
from ota_http_server.simulation.needs.esp_idf import IMAGE, NEEDS
from ota_http_server.simulation.needs.finding import Notes, Stop
from ota_http_server.simulation.needs.image import ImageLook
from ota_http_server.simulation.redirects import Rules
from tests.running import free_port
from tests.simulation.conftest import NEW, access
from tests.simulation.looking import assert_breaks, broken
from tests.simulation.scripted import Files, reply

DIGEST = md5(NEW).hexdigest()
DAMAGED = NEW[:-1] + bytes([NEW[-1] ^ 1])


def files(image=NEW, **more):
    digest = f"{md5(image).hexdigest()}  lamp.bin\n".encode()
    return Files({"/f/lamp.bin": image, "/f/lamp.bin.md5": digest}, **more)


def documents(url, changes=None):
    """A folder with the image and every kind of JSON about it."""
    image = f"{url}/f/lamp.bin"
    made = {
        "m.json": {
            "name": "lamp",
            "version": "2.0.0",
            "builds": [{"chipFamily": "ESP32", "ota": {"path": "lamp.bin", "md5": DIGEST}}],
        },
        "fota.json": {"type": "lamp", "version": "2.0.0", "url": image},
        "pull.json": {"Configurations": [{"Version": "2.0.0", "URL": image}]},
        "mp.json": {
            "firmware": "lamp.bin",
            "sha": sha256(NEW).hexdigest(),
            "length": len(NEW),
        },
    }
    return {f"/f/{name}": json.dumps(d | (changes or {})).encode() for name, d in made.items()}


PLACES = {
    "esp-idf": "/f/lamp.bin",
    "arduino": "/f/lamp.bin",
    "esp8266": "/f/lamp.bin",
    "esphome": "/f/m.json",
    "esp32fota": "/f/fota.json",
    "ota-pull": "/f/pull.json",
    "micropython": "/f/mp.json",
    "tasmota": "/f/lamp.bin",
}


def site(serve, image=NEW, changes=None, **more):
    served = files(image, **more)
    server = serve(served)
    served.files |= documents(server.url, changes)
    return server


@pytest.mark.parametrize("client", CLIENTS)
def test_every_need_says_what_happens_without_it_and_how_to_mend_it(client):
    needs = CLIENTS[client]("http://127.0.0.1/x.json", access()).needs

    assert len({need.says for need in needs}) == len(needs) > 9
    assert all(need.says and need.then and need.mend for need in needs)
    assert not [need for need in needs if need.mend.endswith(".") or need.then.endswith(".")]


def test_every_client_of_the_command_is_looked_at():
    assert set(CLIENTS) == set(PLACES) | {"swupdate", "rauc", "zephyr"}


@pytest.mark.parametrize("client", PLACES)
def test_a_server_that_does_everything_right_breaks_nothing(serve, client):
    assert broken(client, site(serve).url + PLACES[client]) == []


@pytest.mark.parametrize("client", CLIENTS)
def test_nobody_at_the_url_is_no_finding(client):
    with pytest.raises(Unreachable):
        examine(client, f"http://127.0.0.1:{free_port()}/f/x.json", access())


# --- the answer with the image, as all of them need it

LENGTH = "Content-Length with the image"
WRONG_IMAGES = [
    ({"framing": "chunked"}, [LENGTH]),
    ({"framing": "close"}, [LENGTH]),
    ({"headers": {"Content_Encoding": "gzip"}}, ["no Content-Encoding"]),
    ({"headers": {"x_MD5": "0" * 32}}, ["x-MD5"]),
    ({"headers": {"x_MD5": DIGEST.upper()}}, ["x-MD5"]),
    ({"status": 404}, ["the image is answered with 200"]),
    ({"image": b"<!DOCTYPE html>"}, ["the first byte of the image"]),
    ({"image": DAMAGED}, ["the image is sound"]),
]


@pytest.mark.parametrize("client", ["esp-idf", "arduino", "esp8266", "tasmota"])
@pytest.mark.parametrize(("wrong", "expected"), WRONG_IMAGES)
def test_what_is_wrong_with_an_image_is_named(serve, client, wrong, expected):
    server = serve(files(**wrong))

    assert_breaks(client, server.url + PLACES[client], *expected)


@pytest.mark.parametrize("client", ["esphome", "esp32fota", "ota-pull", "micropython"])
@pytest.mark.parametrize(("wrong", "expected"), WRONG_IMAGES)
def test_what_is_wrong_with_an_image_behind_json_is_named(serve, client, wrong, expected):
    good = Files({})
    image = files(**wrong)
    server = serve(lambda asked: (image if asked.path.endswith(".bin") else good)(asked))
    good.files = documents(server.url)
    if "image" in wrong and client in ("esphome", "micropython"):
        announced = "the announced MD5" if client == "esphome" else "sha and length"
        expected = [*expected, announced]

    assert_breaks(client, server.url + PLACES[client], *expected)


@pytest.mark.parametrize(
    ("seconds", "needed", "verdict"), [(4.9, 5, Verdict.OK), (5.1, 5, Verdict.BROKEN)]
)
def test_an_answer_that_comes_later_than_the_client_waits_is_named(seconds, needed, verdict):
    headers = {"content-length": str(len(NEW))}
    answer = Answer("HTTP/1.1", 200, headers, NEW, "length", seconds)
    notes = Notes(NEEDS)

    ImageLook(IMAGE, needed, Rules(most=0)).judge(notes, answer)

    found = {one.need: one.verdict for one in notes.findings()}
    assert found[IMAGE.time] is verdict


def test_a_body_that_ends_too_early_is_named(serve):
    whole = reply(200, NEW, Connection="close")
    server = serve(lambda _: whole[:-100])

    assert_breaks("arduino", f"{server.url}/x.bin", "as many bytes come as Content-Length says")


def test_a_connection_that_ends_without_an_answer_is_named(serve):
    said = iter([reply(200, DIGEST.encode() + b"  lamp.bin")])
    server = serve(lambda _: next(said, b""))

    assert_breaks("esphome", f"{server.url}/x.bin", "every request is answered in HTTP")


def test_304_is_an_answer_of_its_own(serve):
    server = serve(lambda _: reply(304))

    findings = examine("arduino", f"{server.url}/x.bin", access())

    assert [one.verdict for one in findings].count(Verdict.BROKEN) == 0
    assert "no update" in findings[-1].found


# --- ESP-IDF


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"head": "refused"}, ["HEAD answers 200"]),
        ({"head": "unsized"}, ["HEAD answers 200"]),
        (
            {"ranges": "ignored"},
            ["a Range gets 206", "a range that ends behind", "a range behind the image"],
        ),
        ({"ranges": "unclamped"}, ["a range that ends behind the image is clamped"]),
        ({"ranges": "silent"}, ["a range behind the image gets 416"]),
        ({"ranges": "others"}, ["all ranges are of the image"]),
        ({"keeps": False}, ["the connection stays open"]),
        ({"status": 401}, ["the image is answered with 200"]),
    ],
)
def test_what_breaks_esp_idf_in_pieces_is_named(serve, wrong, expected):
    assert_breaks("esp-idf", serve(files(**wrong)).url + "/f/lamp.bin", *expected)


def test_an_absolute_redirect_is_followed_and_what_lies_there_is_looked_at(serve):
    there = serve(files(ranges="ignored"))
    here = serve(files(redirect=f"{there.url}/f/lamp.bin"))

    found = broken("esp-idf", f"{here.url}/f/lamp.bin")

    assert "a Range gets 206" in found[0]


def test_a_redirect_that_never_ends_is_named(serve):
    served = files()
    server = serve(served)
    served.redirect = f"{server.url}/f/lamp.bin"

    assert_breaks("esp-idf", f"{server.url}/f/lamp.bin", "redirects are absolute")


@pytest.mark.parametrize("client", ["arduino", "esp8266", "tasmota"])
def test_any_redirect_is_named_for_arduino(serve, client):
    server = serve(files(redirect="/elsewhere.bin"))

    found = broken(client, f"{server.url}/f/lamp.bin")

    assert found[:2] == ["the image is answered with 200", "no redirect"]


def test_a_token_that_does_not_fit_the_buffer_is_named(serve):
    server = serve(files())

    assert_breaks("esp-idf", f"{server.url}/f/lamp.bin", "path and credential", token="t" * 486)
    assert server.asked == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"update": True, "url": "$/f/lamp.bin"}, []),
        ({"update": False, "reason": "up to date"}, []),
        ({"update": True, "url": "/f/lamp.bin"}, ['the check\'s "update"']),
        ({"update": "yes", "url": "$/f/lamp.bin"}, ['the check\'s "update"']),
        ({"update": False, "notes": "x" * 1024}, ["the check is answered"]),
        ([], ["the check is answered"]),
    ],
)
def test_what_is_wrong_with_a_check_is_named(serve, said, expected):
    served = files()
    answers = {}
    server = serve(lambda asked: answers.get(asked.path) or served(asked))
    text = json.dumps(said).replace("$", server.url)
    answers["/api/device/v1/check"] = reply(200, text.encode())

    assert_breaks("esp-idf", f"{server.url}/api/device/v1/check", *expected)


# --- JSON


@pytest.mark.parametrize(
    ("client", "changes", "expected"),
    [
        ("esphome", {"version": 2}, "the manifest has name"),
        ("esphome", {"builds": [{"ota": {}}]}, "the manifest has name"),
        ("esp32fota", {"url": None}, "the JSON (at most 2048 bytes) has type"),
        ("esp32fota", {"notes": "x" * 2048}, "the JSON (at most 2048 bytes) has type"),
        ("esp32fota", {"type": 5}, "the JSON (at most 2048 bytes) has type"),
        ("ota-pull", {"Configurations": []}, 'the JSON has "Configurations"'),
        ("ota-pull", {"Configurations": [{"Version": 2}]}, 'the JSON has "Configurations"'),
        ("micropython", {"length": "5"}, "the JSON has firmware"),
        ("micropython", {"length": 5}, "sha and length are those"),
    ],
)
def test_what_is_wrong_with_a_manifest_is_named(serve, client, changes, expected):
    server = site(serve, changes=changes)

    assert_breaks(client, server.url + PLACES[client], expected)


@pytest.mark.parametrize(
    ("client", "status_need"),
    [("esphome", "the manifest is answered"), ("ota-pull", "the JSON is answered with 200")],
)
def test_a_manifest_that_is_not_there_is_named(serve, client, status_need):
    assert_breaks(client, serve(Files({})).url + PLACES[client], status_need)


def test_an_md5_beside_the_image_in_upper_case_is_named(serve):
    server = serve(Files({"/x.bin": NEW, "/x.bin.md5": DIGEST.upper().encode()}))

    assert_breaks("esphome", f"{server.url}/x.bin", "the MD5 beside the image")


def test_an_md5_of_another_image_is_named(serve):
    server = serve(Files({"/x.bin": NEW, "/x.bin.md5": b"0" * 32}))

    assert_breaks("esphome", f"{server.url}/x.bin", "the announced MD5")


def test_a_url_that_micropython_would_not_ask_is_named(serve):
    server = site(serve)

    assert_breaks("micropython", f"{server.url}/f/mp.json?token=T", "the URL of the JSON ends")


def test_a_url_made_from_host_without_a_port_is_named(serve):
    server = site(serve, changes={"firmware": "http://127.0.0.1/f/lamp.bin"})

    assert_breaks("micropython", f"{server.url}/f/mp.json", "the firmware's URL leads to the right")


def test_an_answer_to_http_1_0_that_leaves_its_connection_open_is_named(serve):
    served = files()
    served.files |= documents("")

    def answer(asked):
        return served(asked).replace(b"Connection: close\r\n", b"")

    assert_breaks("micropython", serve(answer).url + "/f/mp.json", "an answer to HTTP/1.0 ends")


# --- Tasmota


def test_a_query_behind_tasmotas_file_name_is_named(serve):
    assert_breaks("tasmota", f"{serve(files()).url}/f/lamp.bin?token=T", "nothing stands behind")


def test_a_url_that_is_too_long_for_tasmota_is_named(serve):
    name = "/" + "x" * 200 + ".bin"

    assert_breaks("tasmota", serve(Files({name: NEW})).url + name, "the URL has at most")


def test_a_page_in_place_of_404_is_named_for_tasmota(serve):
    served = files()

    def answer(asked):
        return served(asked) if asked.path in served.files else reply(200, b"<html>not found")

    assert_breaks("tasmota", f"{serve(answer).url}/f/lamp.bin", "names that are not there")


# --- limits


def test_no_more_is_downloaded_than_was_said(serve, monkeypatch):
    monkeypatch.setattr(probe, "TRY_BYTES_MAX", 100_000)
    server = serve(files())

    findings = examine("esp-idf", f"{server.url}/f/lamp.bin", access())

    assert not [one for one in findings if one.verdict is Verdict.BROKEN]
    assert findings[-1].found == "more than 100000 bytes in all"


def test_a_broken_need_stays_broken():
    notes = Notes(NEEDS)
    notes.broken(NEEDS[0], "no")
    notes.ok(NEEDS[0])
    notes.untried(NEEDS[0], "later")

    assert notes.findings()[0].verdict is Verdict.BROKEN
    with pytest.raises(Stop):
        notes.demand(NEEDS[1], False, "no")
