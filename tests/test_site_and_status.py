"""The favicon, and whether the server lives, is ready, and what time it has."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ota_http_server.app import Host, create_app
from ota_http_server.settings import Settings

ROOT = Path(__file__).parents[1]
NOON = datetime(2025, 10, 9, 15, 34, 12, 500_000, UTC)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "www" / "firmware" / "lamp").mkdir(parents=True)
    return Settings(
        www_dir=tmp_path / "www",
        data_dir=tmp_path / "data",
        ota_audit_log=tmp_path / "audit.log",
    )


@pytest.fixture
def application(settings):
    """Makes the application; its work between requests ends with the test."""
    made = []

    def make(**host):
        made.append(create_app(settings, Host(**host)))
        return made[-1]

    yield make
    for app in made:
        app.extensions["background"].stop()


@pytest.fixture
def client(application):
    return application(clock=lambda: NOON).test_client()


def test_the_favicon_of_the_www_folder_is_served(client, settings):
    icon = (ROOT / "www" / "favicon.ico").read_bytes()
    (settings.www_dir / "favicon.ico").write_bytes(icon)

    answer = client.get("/favicon.ico")

    assert (answer.status_code, answer.data) == (200, icon)
    assert answer.content_type in ("image/vnd.microsoft.icon", "image/x-icon")
    assert "max-age=86400" in answer.headers["Cache-Control"]


def test_the_shipped_favicon_is_an_icon_of_two_sizes():
    icon = (ROOT / "www" / "favicon.ico").read_bytes()

    assert icon[:6] == b"\0\0\1\0\2\0"
    assert [icon[6 + 16 * n] for n in range(2)] == [16, 32]


def test_without_a_favicon_it_is_a_problem_404(client):
    answer = client.get("/favicon.ico")

    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
    assert answer.get_json(force=True)["code"] == "not_found"


def test_a_favicon_that_leads_elsewhere_is_not_followed(client, settings, tmp_path):
    (tmp_path / "private").write_text("private")
    (settings.www_dir / "favicon.ico").symlink_to(tmp_path / "private")

    assert client.get("/favicon.ico").status_code == 404


def test_a_favicon_that_is_a_folder_or_a_pipe_is_none(client, settings):
    icon = settings.www_dir / "favicon.ico"
    icon.mkdir()
    as_folder = client.get("/favicon.ico").status_code
    icon.rmdir()
    os.mkfifo(icon)

    assert (as_folder, client.get("/favicon.ico").status_code) == (404, 404)


@pytest.mark.parametrize("path", ["/", "/index.html", "/firmware.txt", "/www/index.html"])
def test_nothing_else_of_the_www_folder_is_served(client, settings, path):
    for name in ("index.html", "firmware.txt"):
        (settings.www_dir / name).write_text("private")

    assert client.get(path).status_code == 404


def test_status_says_ok_and_the_time(client):
    answer = client.get("/status")

    assert answer.data == b'{"status":"ok","time":"2025-10-09T15:34:12+00:00"}\n'
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_healthz_says_that_the_process_answers(client):
    assert client.get("/healthz").get_json() == {"status": "ok"}


def test_readyz_says_what_it_looked_at(client):
    answer = client.get("/readyz")

    assert answer.status_code == 200
    looked_at = {"database": "ok", "disk": "ok", "firmware": "ok"}
    assert answer.get_json() == {"status": "ready"} | looked_at


def test_a_stopping_server_is_not_ready_but_lives(application):
    client = application(stopping=lambda: True).test_client()

    assert client.get("/readyz").status_code == 503
    assert client.get("/readyz").get_json() == {"status": "stopping"}
    assert client.get("/healthz").status_code == 200


def test_a_server_without_its_database_is_not_ready(application, settings):
    app = application()
    app.extensions["ota"].stores.database.close()
    (settings.data_dir / "ota.sqlite").unlink()
    (settings.data_dir / "ota.sqlite").mkdir()

    answer = app.test_client().get("/readyz")

    assert (answer.status_code, answer.get_json()["status"]) == (503, "not ready")


@pytest.mark.parametrize("path", ["/status", "/healthz", "/readyz", "/favicon.ico"])
def test_they_are_for_reading(client, path):
    answer = client.post(path)

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
