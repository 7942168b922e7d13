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


# What each role may: a call, and the lowest role whose key is let through. The answer may be
# another refusal (there is no such device), but never 403.
CALLS = [
    ("GET", "/projects", None, "viewer"),
    ("GET", "/projects/lamp", None, "viewer"),
    ("GET", "/projects/lamp/releases", None, "viewer"),
    ("GET", "/devices", None, "viewer"),
    ("GET", f"/devices/{DEVICE}", None, "viewer"),
    ("GET", "/events", None, "viewer"),
    ("PATCH", "/projects/lamp", {"notes": "x"}, "operator"),
    ("DELETE", "/projects/lamp/settings", None, "operator"),
    ("POST", "/tokens", {"device_id": DEVICE, "project": "lamp"}, "operator"),
    ("GET", "/keys", None, "admin"),
    ("GET", "/keys/nobody", None, "admin"),
    ("POST", "/keys", {"name": "new", "role": "viewer", "project": "lamp"}, "admin"),
    ("DELETE", "/keys/nobody", None, "admin"),
]
ROLES = ["viewer", "publisher", "operator", "admin"]


@pytest.mark.parametrize("scope", [None, "lamp"])
@pytest.mark.parametrize(
    ("method", "path", "said", "least"), CALLS, ids=[f"{c[0]}-{c[1]}" for c in CALLS]
)
def test_a_role_may_what_the_table_says_and_no_more(api, method, path, said, least, scope):
    api.patch("/projects/lamp", {"notes": "there"})

    allowed = {
        role: api.as_key(role, scope).ask(method, path, said).status_code != 403 for role in ROLES
    }

    assert allowed == {role: ROLES.index(role) >= ROLES.index(least) for role in ROLES}


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [(method, path, said) for method, path, said, _ in CALLS if "/lamp" in path],
)
def test_to_a_key_of_another_project_the_project_is_not_there(api, method, path, said):
    api.patch("/projects/lamp", {"notes": "there"})
    stranger = api.as_key("admin", "oven")

    answer = stranger.ask(method, path, said)

    missing = stranger.ask(method, path.replace("lamp", "never"), said)
    assert answer.status_code == 404
    assert (answer.status_code, answer.data) == (missing.status_code, missing.data)
    assert [p["name"] for p in stranger.get("/projects").json["items"]] == []


def test_a_wish_for_another_project_is_forbidden(api):
    stranger = api.as_key("admin", "oven")

    assert stranger.post("/tokens", {"device_id": DEVICE, "project": "lamp"}).status_code == 403
