"""API keys over the admin API, and what each role may."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.api.calling import Api

DEVICE = "e6f87d77-4216-4be1-ab83-b5fa6792b747"
KEY = re.compile(r"otak_[A-Za-z0-9_-]{43}")


def test_a_new_key_is_shown_once_and_works(api):
    answer = api.post("/keys", {"name": "ci", "role": "publisher", "project": "lamp"})

    assert answer.status_code == 201
    assert KEY.fullmatch(answer.json["text"])
    assert answer.headers["Location"] == "/api/v1/keys/ci"
    ci = Api(api.ota, {"X-API-Key": answer.json["text"]})
    assert ci.get("/projects").status_code == 200
    told = [api.get("/keys").data, api.get("/keys/ci").data, api.get("/events").data]
    assert not any(answer.json["text"].encode() in one for one in told)


def test_a_key_is_kept_nowhere(api):
    text = api.post("/keys", {"name": "ci", "role": "admin"}).json["text"]
    Api(api.ota, {"X-API-Key": text}).patch("/projects/lamp", {"notes": "x"})
    Api(api.ota, {"X-API-Key": text}).get("/nope")
    api.ota.close()

    for path in api.ota.folder.rglob("*"):
        if path.is_file():
            assert text.encode() not in path.read_bytes(), path


def test_what_is_known_of_a_key_is_told_and_times_are_in_utc(api):
    end = datetime.fromtimestamp(api.ota.clock.second + 86_400, UTC)
    elsewhere = end.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
    api.post("/keys", {"name": "ci", "role": "viewer", "expires_at": elsewhere})

    told = api.get("/keys/ci").json

    assert (told["name"], told["role"], told["project"]) == ("ci", "viewer", None)
    assert told["expires_at"] == end.isoformat()
    assert (told["created_by"], told["revoked_at"]) == ("shared-secret", None)


def test_a_key_ends_in_time_or_when_it_is_taken_back(api):
    end = api.ota.clock().replace(microsecond=0).isoformat().replace("+00:00", "Z")
    assert api.post("/keys", {"name": "a", "role": "viewer", "expires_at": end}).status_code == 400
    text = api.post("/keys", {"name": "b", "role": "viewer"}).json["text"]

    answer = api.delete("/keys/b")

    assert (answer.status_code, answer.json["name"]) == (200, "b")
    assert answer.json["revoked_at"] is not None
    assert Api(api.ota, {"X-API-Key": text}).get("/projects").status_code == 401
    assert api.delete("/keys/b").json == answer.json
    assert api.delete("/keys/nobody").status_code == 404
    assert api.post("/keys", {"name": "b", "role": "viewer"}).status_code == 409


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"name": "a"},
        {"role": "viewer"},
        {"name": "a", "role": "root"},
        {"name": "a b", "role": "viewer"},
        {"name": "shell", "role": "viewer"},
        {"name": "a", "role": "viewer", "project": "-"},
        {"name": "a", "role": "viewer", "expires_at": "soon"},
        {"name": "a", "role": "viewer", "text": "otak_mine"},
    ],
)
def test_a_wish_for_a_key_that_makes_no_sense_is_refused(api, wish):
    assert api.post("/keys", wish).status_code == 400
    assert api.get("/keys").json["items"] == []


def test_keys_come_in_pages(api):
    for name in ("c", "a", "b"):
        api.post("/keys", {"name": name, "role": "viewer"})

    assert [key["name"] for key in api.walk("/keys", limit=2)] == ["a", "b", "c"]


def test_the_admin_of_a_project_sees_and_gives_keys_of_it_alone(api):
    mine = api.as_key("admin", "lamp")
    api.as_key("viewer", "oven")
    api.as_key("viewer")

    assert [key["name"] for key in mine.get("/keys").json["items"]] == ["admin-of-lamp"]
    assert mine.get("/keys/viewer-of-oven").status_code == 404
    assert mine.delete("/keys/viewer-of-oven").status_code == 404
    assert mine.post("/keys", {"name": "a", "role": "viewer"}).status_code == 403
    wish = {"name": "a", "role": "admin", "project": "lamp"}
    assert mine.post("/keys", wish).status_code == 201
