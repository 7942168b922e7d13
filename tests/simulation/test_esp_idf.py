"""A board with ESP-IDF: it updates over whatever link, and fails in the client's own words."""

import json

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.simulation.board import Behaviour, Did
from ota_http_server.simulation.esp_idf import EspIdf, described_version
from ota_http_server.simulation.failed import Cut, Failed
from tests.simulation.conftest import NEW, OLD, access, board
from tests.simulation.scripted import Files, reply


class Application:
    """Check, report and the image, as the product's own interface has them."""

    def __init__(self, image=NEW, **answer):
        self.files = Files({"/image.bin": image})
        self.answer = {"update": True, "attempt": 1001} | answer
        self.checks, self.reports = [], []

    def __call__(self, asked):
        if asked.path == "/api/device/v1/check":
            self.checks.append(json.loads(asked.body))
            url = f"http://{asked.headers['host']}/image.bin"
            return reply(200, json.dumps({"url": url} | self.answer).encode())
        if asked.path == "/api/device/v1/report":
            self.reports.append(json.loads(asked.body))
            return reply(200, b"{}")
        return self.files(asked)


def device(serve, application, behaviour=Behaviour(), **more):
    url = serve(application).url
    return EspIdf(f"{url}/api/device/v1/check", board(behaviour), access("t" * 40), **more)


@pytest.mark.parametrize("way", [{}, {"partial": True}, {"resumes": True}, {"release": (5, 1)}])
def test_a_check_leads_to_download_report_reboot_and_a_check_as_the_new_one(serve, way):
    application = Application()
    esp = device(serve, application, **way)

    first = esp.step()
    application.answer = {"update": False, "reason": "up-to-date", "poll_seconds": 60}
    second = esp.step()

    assert (first.did, first.version) == (Did.UPDATED, "2.0.0")
    assert (second.did, second.detail) == (Did.NOTHING, "up-to-date")
    assert second.wait_seconds == 60
    assert [one["state"] for one in application.reports] == ["installed"]
    assert [one["version"] for one in application.checks] == ["1.0.0", "2.0.0"]
    assert application.checks[1]["image_sha256"] == NEW[-32:].hex()


@pytest.mark.parametrize(
    ("behaviour", "did", "runs", "says"),
    [
        (Behaviour(rolls_back=True), Did.ROLLED_BACK, "1.0.0", "1.0.0"),
        (Behaviour(loops=True), Did.ROLLED_BACK, "1.0.0", "1.0.0"),
        (Behaviour(says_version="9.9"), Did.UPDATED, "2.0.0", "9.9"),
    ],
)
def test_a_board_misbehaves_as_it_was_told(serve, behaviour, did, runs, says):
    application = Application()
    esp = device(serve, application, behaviour)

    outcome = esp.step()
    esp.step()

    assert (outcome.did, outcome.version) == (did, runs)
    assert application.checks[-1]["version"] == says
    assert {"attempt": 1001, "state": "installed"} in application.reports


def test_a_board_that_rolled_back_does_not_take_that_version_again_and_a_looping_one_does(serve):
    outcomes = {}
    for name in ("rolls_back", "loops"):
        esp = device(serve, Application(), Behaviour(**{name: True}))
        esp.step()
        outcomes[name] = esp.step().did

    assert outcomes == {"rolls_back": Did.NOTHING, "loops": Did.ROLLED_BACK}


def test_a_board_that_falls_silent_downloads_and_is_never_heard_again(serve):
    application = Application()
    esp = device(serve, application, Behaviour(falls_silent=True))

    outcomes = [esp.step().did for _ in range(3)]

    assert outcomes == [Did.SILENT] * 3
    assert (len(application.checks), application.reports) == (1, [])


@pytest.mark.parametrize("partial", [False, True])
def test_a_cut_link_is_resumed_where_it_broke(serve, partial):
    application = Application()
    link = Behaviour(cuts_after_bytes=50_000)
    esp = device(serve, application, link, resumes=True, partial=partial)

    with pytest.raises(Cut, match="errno"):
        esp.step()
    before = esp.line.body_bytes
    outcome = esp.step()

    assert outcome.did is Did.UPDATED
    assert esp.line.body_bytes - before < len(NEW) - 40_000


def test_a_cut_link_without_resumption_costs_the_whole_image_again(serve):
    esp = device(serve, Application(), Behaviour(cuts_after_bytes=50_000, cuts=2))

    for _ in range(2):
        with pytest.raises(Cut):
            esp.step()

    assert esp.step().body_bytes > len(NEW)


def test_the_first_range_of_a_resumed_download_may_be_a_byte_too_long(serve):
    files = Files({"/image.bin": NEW})
    server = serve(files)
    near = len(NEW) // 1024 * 1024 - 20_480
    cut = Behaviour(cuts_after_bytes=near)
    esp = EspIdf(f"{server.url}/image.bin", board(cut), access(), resumes=True, partial=True)
    esp.ota.piece_bytes = len(NEW) + 1
    with pytest.raises(Cut):
        esp.step()
    esp.ota.piece_bytes = 65_536

    assert esp.step().did is Did.UPDATED
    assert server.asked[-1].headers["range"] == f"bytes={near}-{len(NEW)}"


def test_of_an_image_that_runs_already_only_the_beginning_is_read(serve):
    server = serve(Files({"/latest.bin": esp_application(payload_bytes=4_000_000)}))
    esp = EspIdf(f"{server.url}/latest.bin", board(), access())

    outcome = esp.step()

    assert outcome.did is Did.NOTHING
    assert outcome.body_bytes < 1_000_000
    assert described_version(OLD) == "1.0.0"


def test_newer_releases_begin_anew_where_a_range_is_ignored(serve):
    files = Files({"/image.bin": NEW}, ranges="ignored")
    link = Behaviour(cuts_after_bytes=50_000)
    esp = EspIdf(f"{serve(files).url}/image.bin", board(link), access(), resumes=True)
    with pytest.raises(Cut):
        esp.step()

    assert esp.step().did is Did.UPDATED


@pytest.mark.parametrize(
    ("release", "requests"),
    [((5, 1), 11), ((5, 5), 1)],
)
def test_a_401_costs_older_releases_eleven_requests(serve, release, requests):
    server = serve(Files({"/image.bin": NEW}, status=401))
    esp = EspIdf(f"{server.url}/image.bin", board(), access(), release=release)

    with pytest.raises(Failed, match="max_authorization_retries"):
        esp.step()

    assert len(server.asked) == requests


@pytest.mark.parametrize(("release", "connections"), [((5, 1), 5), ((5, 5), 1)])
def test_older_releases_open_a_connection_for_each_range(serve, release, connections):
    server = serve(Files({"/image.bin": NEW}))
    esp = EspIdf(f"{server.url}/image.bin", board(), access(), partial=True, release=release)

    esp.step()

    assert server.connections == connections


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(404), r"File not found\(404\)"),
        (reply(304), "ESP_ERR_HTTP_NOT_MODIFIED"),
        (reply(500), r"Server error \(500\)"),
        (reply(200, b"<html>no"), "invalid magic byte"),
        (reply(200, NEW[:-1] + bytes([NEW[-1] ^ 1])), "ESP_ERR_OTA_VALIDATE_FAILED"),
        (reply(200, esp_application(version="3", chip="esp32s3")), "an image for esp32s3"),
    ],
)
def test_it_fails_in_its_own_words(serve, answer, words):
    esp = EspIdf(f"{serve(lambda _: answer).url}/image.bin", board(), access())

    with pytest.raises(Failed, match=words):
        esp.step()

    assert esp.board.true_version == "1.0.0"


def test_why_it_failed_is_reported(serve):
    application = Application(image=b"<html>not an image</html>")
    esp = device(serve, application)

    with pytest.raises(Failed):
        esp.step()

    assert [one["state"] for one in application.reports] == ["failed"]
    assert "magic byte" in application.reports[0]["detail"]


def test_a_request_that_does_not_fit_the_transmit_buffer_is_never_sent(serve):
    server = serve(Files({"/image.bin": NEW}))
    fits = EspIdf(f"{server.url}/image.bin", board(), access("t" * 485))
    too_long = EspIdf(f"{server.url}/image.bin", board(), access("t" * 486))
    path_fits = EspIdf(f"{server.url}/{'p' * 458}", board(), access())
    path_too_long = EspIdf(f"{server.url}/{'p' * 459}", board(), access())

    fits.step()
    with pytest.raises(Failed, match=r"File not found"):
        path_fits.step()
    for esp in (too_long, path_too_long):
        with pytest.raises(Failed, match="Out of buffer"):
            esp.step()

    assert len(server.asked) == 2


def test_an_answer_to_a_check_that_is_too_long_is_not_understood(serve):
    esp = device(serve, Application(notes="x" * 1024))

    with pytest.raises(Failed, match="do not fit the buffer"):
        esp.step()
