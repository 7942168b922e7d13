"""Applications ask in JSON whether there is something new, and tell what became of it."""

import json
from dataclasses import replace
from hashlib import md5, sha256
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.device import VersionFrom
from ota_http_server.domain.project import Project, Registering
from ota_http_server.protocols.json_check import ANSWER_BYTES_MAX
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
    states_of,
)

CHECK = "/api/device/v1/check"
REPORT = "/api/device/v1/report"
FACTS = {"version": "1.0.0", "chip": "esp32", "revision": 301, "free_bytes": 1_310_720}


@pytest.fixture(name="ota")
def an_instance(tmp_path):
    with Instance(tmp_path) as instance:
        drop(instance, "1.0.0")
        yield instance


@pytest.fixture(name="token")
def a_token(ota):
    return a_credential(ota)


def post(ota, path, token, document, **headers):
    said = {"Authorization": f"Bearer {token}"} if token else {}
    return ota.client.post(path, json=document, headers=said | headers)


def check(ota, token, **facts):
    answer = post(ota, CHECK, token, FACTS | facts)
    assert answer.status_code == 200, answer.data
    assert len(answer.data) <= ANSWER_BYTES_MAX
    return answer.json


def report(ota, token, state, **more):
    answer = post(ota, REPORT, token, {"state": state, **more})
    assert answer.status_code == 200, answer.data
    return answer.json


def test_a_board_that_is_up_to_date_is_told_so_and_when_to_come_again(ota, token):
    answer = check(ota, token)

    assert answer == {
        "update": False,
        "reason": "up-to-date",
        "detail": "it runs 1.0.0",
        "poll_seconds": answer["poll_seconds"],
    }
    assert 240 <= answer["poll_seconds"] <= 360


def test_its_first_check_registers_it_with_all_that_it_says(ota, token):
    check(ota, token, board="lamp-v2")

    device = device_of(ota)
    assert (device.project, device.version, device.version_from) == (
        "lamp",
        "1.0.0",
        VersionFrom.DEVICE,
    )
    assert (device.chip, device.revision, device.board) == ("esp32", 301, "lamp-v2")
    assert device.free_bytes == 1_310_720


def test_an_offer_says_all_that_a_board_checks(ota, token):
    image = drop(ota, "1.1.0", secure_version=2)

    answer = check(ota, token)

    digest = sha256(image).hexdigest()
    assert answer == {
        "update": True,
        "attempt": 1001,
        "version": "1.1.0",
        "url": f"http://localhost/firmware/lamp/sha256-{digest[:16]}/lamp-1.1.0.bin",
        "size": len(image),
        "sha256": digest,
        "md5": md5(image).hexdigest(),
        "image_sha256": image[-32:].hex(),
        "secure_version": 2,
        "rule": "version",
        "poll_seconds": answer["poll_seconds"],
    }


def test_the_url_gives_these_very_bytes(ota, token):
    image = drop(ota, "1.1.0")

    answer = ota.get(urlsplit(check(ota, token)["url"]).path, token)

    assert (answer.status_code, answer.data) == (200, image)


def test_a_get_says_the_same_in_its_query(ota, token):
    drop(ota, "1.1.0")

    answer = ota.get(f"{CHECK}?version=1.0.0&chip=ESP32-D0&chip=ESP32&revision=301", token)
    digest = lamp("1.0.0")[-32:].hex()
    by_digest = ota.get(f"{CHECK}?image_sha256={digest.upper()}", token)

    assert answer.status_code == 200
    assert by_digest.json["version"] == "1.1.0"


def test_who_showed_no_header_gets_a_ticket_in_the_url_that_opens_it_alone(ota, token):
    image = drop(ota, "1.1.0")

    url = ota.get(f"{CHECK}?version=1.0.0&chip=esp32&token={token}").json["url"]
    path = urlsplit(url).path

    assert token not in url
    assert ota.get(path).data == image
    assert ota.get(path.replace("lamp-1.1.0", "lamp-1.0.0")).status_code == 404


def test_a_ticket_names_the_device_so_that_its_download_is_its_progress(ota, token):
    drop(ota, "1.1.0")
    url = ota.get(f"{CHECK}?version=1.0.0&chip=esp32&token={token}").json["url"]
    ticket = urlsplit(url).path.split("/")[3]

    read = ota.ota.opaque.read_ticket(
        ticket, "lamp", url.partition("sha256-")[2][:16], ota.clock.second
    )

    assert read.device == BOARD


def test_looking_by_head_begins_no_attempt(ota, token):
    drop(ota, "1.1.0")
    check(ota, token, version="1.1.0")

    answer = ota.ask("HEAD", f"{CHECK}?version=1.0.0&chip=esp32", token)

    assert (answer.status_code, answer.data, states_of(ota)) == (200, b"", [])


def test_what_is_not_known_holds_the_offer_with_its_reason(ota, token):
    drop(ota, "1.1.0")

    assert post(ota, CHECK, token, {}).json["reason"] == "unknown-version"
    assert post(ota, CHECK, token, {"version": "1.0.0"}).json["reason"] == "unknown-chip"
    assert post(ota, CHECK, token, None).json["reason"] == "unknown-chip"


def test_a_release_for_another_chip_is_never_offered(ota, token):
    drop(ota, "1.1.0", chip="esp32s3")

    assert check(ota, token)["reason"] == "up-to-date"
    assert check(ota, token, version="0.9.0")["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("facts", "said", "reason"),
    [
        ({"payload_bytes": 9_000}, {"free_bytes": 4_000}, "too-big"),
        ({"min_chip_revision": 400}, {"revision": 301}, "up-to-date"),
        ({"chip": "esp32c3"}, {}, "up-to-date"),
    ],
)
def test_what_does_not_fit_the_board_is_not_offered(ota, token, facts, said, reason):
    drop(ota, "1.1.0", **facts)

    assert check(ota, token, **said)["reason"] == reason


def test_notes_are_cut_so_that_the_answer_fits_a_kilobyte(ota, token):
    publish(ota, "1.1.0", ("lamp.bin", lamp("1.1.0")), notes="Schönes neues Licht. " * 150)

    answer = check(ota, token)

    assert answer["notes"].startswith("Schönes neues Licht. Schönes")
    assert len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()) > 1_000


def test_a_security_release_says_so(ota, token):
    publish(ota, "1.1.0", ("lamp.bin", lamp("1.1.0")), security=True)

    assert check(ota, token)["security"] is True


@given(notes=st.text(max_size=3_000))
def test_any_notes_fit(tmp_path_factory, notes):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        notes = notes.encode("utf-8", "replace").decode().replace("\0", "")
        publish(ota, "1.1.0", ("lamp.bin", lamp("1.1.0")), notes=notes)

        answer = check(ota, a_credential(ota))

        assert notes.startswith(answer.get("notes", ""))
        assert answer["version"] == "1.1.0"


def test_a_blocked_device_gets_nothing(ota, token):
    drop(ota, "1.1.0")
    check(ota, token, version="1.1.0")
    change_device(ota, lambda device: replace(device, blocked=True))

    assert check(ota, token)["reason"] == "blocked"


def test_a_project_may_take_in_nobody_by_itself(ota, token):
    project = Project(name="lamp", registering=Registering.INVITED, edition=1)
    ota.ota.stores.database.change(lambda tx: tx.projects.put(project))
    ota.ota.news.refresh()

    assert check(ota, token)["reason"] == "not-registered"


def test_a_life_from_the_offer_to_the_proof(ota, token):
    drop(ota, "1.1.0")
    attempt = check(ota, token)["attempt"]
    states = [
        report(ota, token, state, attempt=attempt)["state"]
        for state in ("downloading", "downloaded", "installed")
    ]
    waiting = check(ota, token)
    after = check(ota, token, version="1.1.0")

    assert states == ["downloading", "downloaded", "installed"]
    assert waiting["reason"] == "awaiting-restart"
    assert after["reason"] == "up-to-date"
    assert states_of(ota) == ["verified"]


def test_late_and_repeated_reports_are_fine_and_change_nothing(ota, token):
    drop(ota, "1.1.0")
    attempt = check(ota, token)["attempt"]
    report(ota, token, "installed", attempt=attempt)
    check(ota, token, version="1.1.0")

    late = [
        report(ota, token, state, attempt=attempt)
        for state in ("downloading", "installed", "failed", "installed")
    ]

    assert late == [{"attempt": attempt, "state": "verified"}] * 4


def test_installed_with_the_old_version_before_the_restart_is_no_roll_back(ota, token):
    drop(ota, "1.1.0")
    check(ota, token)
    report(ota, token, "installed", version="1.0.0")
    ota.clock.pass_seconds(3_000)

    again = report(ota, token, "installed", version="1.0.0")

    assert again["state"] == "installed"


def test_installed_with_the_new_version_is_no_proof(ota, token):
    drop(ota, "1.1.0")
    check(ota, token)

    assert report(ota, token, "installed", version="1.1.0")["state"] == "installed"
    assert device_of(ota).version == "1.0.0"


@pytest.mark.parametrize(
    "said", [{"version": "1.1.0"}, {"image_sha256": lamp("1.1.0")[-32:].hex()}]
)
def test_running_the_new_one_is_the_proof(ota, token, said):
    drop(ota, "1.1.0")
    attempt = check(ota, token)["attempt"]
    report(ota, token, "installed", attempt=attempt)

    answer = report(ota, token, "running", attempt=attempt, **said)

    assert answer["state"] == "verified"
    assert device_of(ota).version == "1.1.0"


def test_running_the_old_one_again_was_a_roll_back(ota, token):
    drop(ota, "1.1.0")
    check(ota, token)
    report(ota, token, "installed")
    ota.clock.pass_seconds(61)

    assert report(ota, token, "running", version="1.0.0")["state"] == "rolled-back"


def test_a_failure_is_kept_with_its_words_and_three_are_enough(ota, token):
    drop(ota, "1.1.0")
    for _ in range(3):
        check(ota, token)
        answer = report(ota, token, "failed", detail="no room in the slot \ud800\0")
        assert answer["state"] == "failed"

    assert check(ota, token)["reason"] == "failing"
    with ota.ota.stores.database.reading() as rows:
        assert rows.attempts.latest_of(BOARD).detail == "no room in the slot ?"


def test_another_boards_attempt_is_none(ota, token):
    drop(ota, "1.1.0")
    attempt = check(ota, token)["attempt"]
    other = a_credential(ota, "24:0a:c4:00:00:02")

    answer = post(ota, REPORT, other, {"attempt": attempt, "state": "failed"})

    assert answer.status_code == 404
    assert states_of(ota) == ["offered"]


@pytest.mark.parametrize(
    "document",
    [
        {"state": "done"},
        {},
        {"state": ["installed"]},
        {"state": "installed", "attempt": -1},
        {"state": "installed", "attempt": 2**70},
        {"state": "installed", "attempt": True},
        {"state": "installed", "attempt": 1.5},
        {"state": "installed", "detail": 5},
        {"state": "running", "image_sha256": "nonsense"},
    ],
)
def test_a_report_that_cannot_be_understood_is_refused(ota, token, document):
    assert post(ota, REPORT, token, document).status_code == 400


def test_reports_are_posts(ota, token):
    answer = ota.get(f"{REPORT}?state=installed", token)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_another_name_is_not_there(ota, token):
    assert ota.get("/api/device/v1/nonsense", token).status_code == 404
    assert ota.client.put(CHECK).status_code == 405


def test_a_post_takes_no_token_from_its_url(ota, token):
    assert ota.client.post(f"{CHECK}?token={token}", json=FACTS).status_code == 401


def test_a_stranger_is_told_nothing(ota):
    answer = ota.client.post(CHECK, json=FACTS)

    assert (answer.status_code, len(answer.data) < 64) == (401, True)


def test_a_body_is_a_json_object(ota, token):
    assert post(ota, CHECK, token, ["1.0.0"]).status_code == 400
    form = ota.client.post(CHECK, data="version=1", headers={"Authorization": f"Bearer {token}"})
    assert form.status_code == 415


def test_a_body_of_many_bytes_is_refused(ota, token):
    assert post(ota, CHECK, token, {"board": "x" * 5_000}).status_code == 413


def test_a_gateway_says_for_which_device_it_asks(ota):
    key = a_credential(ota, kind=Kind.GATEWAY)

    assert post(ota, CHECK, key, FACTS).status_code == 400
    assert check(ota, key, device="sensor-7")["reason"] == "up-to-date"
    assert device_of(ota, "sensor-7").version == "1.0.0"


def test_a_token_cannot_speak_for_another_device_or_project(ota, token):
    check(ota, token, device="sensor-7", project="fan")

    assert device_of(ota, "sensor-7") is None
    assert device_of(ota).project == "lamp"


def test_with_tokens_off_the_board_says_who_it_is(tmp_path):
    with Instance(tmp_path, no_jwt=True) as ota:
        image = drop(ota, "1.1.0")
        said = {"project": "lamp", "device": BOARD}
        answer = check(ota, None, **said)

        assert post(ota, CHECK, None, FACTS | {"device": BOARD}).status_code == 400
        assert post(ota, CHECK, None, FACTS | {"project": "lamp"}).status_code == 400
        url = urlsplit(answer["url"])
        assert ota.get(f"{url.path}?{url.query}").data == image
        assert report(ota, None, "installed", **said)["state"] == "installed"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("version", "image_sha256", "chip", "revision", "board", "free_bytes", "device", "project")


@pytest.fixture(scope="module", name="shared")
def a_shared_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as instance:
        drop(instance, "1.1.0")
        yield instance, a_credential(instance), a_credential(instance, kind=Kind.GATEWAY)


@given(
    facts=st.dictionaries(st.sampled_from(NAMES), anything),
    report_too=st.dictionaries(st.sampled_from(("attempt", "state", "detail")), anything),
    gateway=st.booleans(),
)
def test_whatever_is_said_the_answer_is_one(shared, facts, report_too, gateway):
    ota, token, key = shared
    shown = key if gateway else token
    checked = post(ota, CHECK, shown, facts)
    reported = post(ota, REPORT, shown, {"state": "running", **report_too, **facts})

    assert checked.status_code in (200, 400, 404, 413)
    assert reported.status_code in (200, 400, 404, 413)


@given(query=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=200))
def test_whatever_stands_in_a_query_the_answer_is_one(shared, query):
    ota, token, _ = shared

    assert ota.get(f"{CHECK}?{query.replace('#', '')}", token).status_code in (200, 400, 401)
