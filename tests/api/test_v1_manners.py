"""What holds for every call of the admin API: who may come in, and the form of every answer."""

import pytest

from tests.api.calling import Api
from tests.instance import ADMIN_SECRET, Instance


def test_without_a_key_the_answer_is_401_with_its_own_challenge(api):
    answer = api.nobody().get("/projects")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ota-admin"'
    assert answer.content_type == "application/problem+json"
    assert (answer.json["code"], answer.json["status"]) == ("unauthenticated", 401)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer otak_" + "A" * 43},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic Zm9vOmJhcg=="},
        {"X-API-Key": ""},
        {"X-API-Key": "é" * 48},
        {"X-Admin-Secret": "wrong"},
        {"X-Admin-Secret": ""},
    ],
)
def test_a_wrong_key_or_secret_is_401_too(api, headers):
    assert Api(api.ota, headers).get("/projects").status_code == 401


def test_a_key_may_come_in_three_headers(api):
    bearer = api.as_key("viewer").headers["Authorization"]
    key = bearer.removeprefix("Bearer ")

    for headers in (
        {"Authorization": bearer},
        {"Authorization": f"bearer  {key}"},
        {"X-API-Key": key},
        {"X-Admin-Secret": ADMIN_SECRET},
    ):
        assert Api(api.ota, headers).get("/projects").status_code == 200


def test_a_device_token_opens_nothing_here(api):
    token = api.ota.mint("lamp")

    assert Api(api.ota, {"Authorization": f"Bearer {token}"}).get("/projects").status_code == 401
    assert api.nobody().get(f"/projects?token={token}").status_code == 401


def test_guessing_the_admin_secret_is_slowed_down_here_as_well(api):
    guesser = Api(api.ota, {"X-Admin-Secret": "wrong"})

    statuses = [guesser.get("/projects").status_code for _ in range(8)]

    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_a_switched_off_secret_is_401(tmp_path):
    with Instance(tmp_path, shared_secret=False) as ota:
        assert Api(ota).get("/projects").status_code == 401
        assert Api(ota).as_key("viewer").get("/projects").status_code == 200


def test_who_asks_is_looked_at_before_what_is_asked(api):
    assert api.nobody().post("/keys", {"nonsense": 1}).status_code == 401
    assert api.nobody().get("/devices?nonsense=1").status_code == 401


@pytest.mark.parametrize("path", ["/nope", "/projects/lamp/nope", "/keys/a/b"])
def test_what_is_not_there_is_a_problem(api, path):
    answer = api.get(path)

    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_wrong_method_is_a_problem_that_names_the_right_ones(api):
    answer = api.put("/projects", {})

    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
    assert api.ask("OPTIONS", "/projects").status_code == 405


def test_no_answer_is_kept_or_carries_a_cookie_or_opens_the_door_to_other_sites(api):
    for answer in (api.get("/projects"), api.get("/projects/x"), api.nobody().get("/keys")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_field_that_is_not_known_is_refused_with_the_nearest_one(api):
    answer = api.patch("/projects/lamp", {"note": "x"})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert answer.json["detail"] == "note means nothing here; did you mean notes?"


def test_a_parameter_that_is_not_known_is_refused_as_well(api):
    answer = api.get("/devices?projekt=lamp")

    assert answer.status_code == 400
    assert answer.json["detail"] == "projekt means nothing here; did you mean project?"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b'{"notes": "a", "notes": "b"}', "application/json", 400),
        (b'{"notes": "\\ud800"}', "application/json", 400),
        (b'{"notes": "a\\u0000b"}', "application/json", 400),
        (b'{"notes": null}', "application/json", 400),
        (b'{"notes": 5}', "application/json", 400),
        (b'{"revision": 1e999}', "application/json", 400),
        (b'{"revision": 301.5}', "application/json", 400),
        (b'{"revision": true}', "application/json", 400),
        (b'{"accepts_keys": "true"}', "application/json", 400),
        (b'{"accepts_keys": 1}', "application/json", 400),
        (b'{"tag_channels": {"a": 5}}', "application/json", 400),
        (b'{"tag_channels": ["a"]}', "application/json", 400),
        (b'{"chip": "' + b"x" * 65 + b'"}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'{"notes": "' + b"x" * 70_000 + b'"}', "application/json", 413),
        (b"notes=a", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(api, body, content_type, status):
    answer = api.ask("PATCH", "/projects/lamp", data=body, Content_Type=content_type)

    assert answer.status_code == status, answer.data
    assert answer.content_type == "application/problem+json"


def test_a_compressed_body_is_not_unpacked(api):
    answer = api.patch("/projects/lamp", {}, Content_Encoding="gzip")

    assert answer.status_code == 415


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=ten",
        "limit=1&limit=2",
        "limit=",
        "limit=" + "9" * 5_000,
        "limit=٣",
        "blocked=1",
        "blocked=TRUE",
        "seen_before=yesterday",
        "seen_before=2025-10-09",
        "seen_before=2025-10-09T15:34:12",
        "seen_before=9999-12-31T23:59:59-14:00",
        "text=%00",
    ],
)
def test_a_query_that_makes_no_sense_is_refused(api, query):
    assert api.get(f"/devices?{query}").status_code == 400


def test_a_time_in_a_query_may_have_its_plus_unescaped(api):
    assert api.get("/devices?seen_before=2025-10-09T15:34:12+02:00").status_code == 200
    assert api.get("/devices?seen_before=2025-10-09T15:34:12Z").status_code == 200


def test_while_the_database_is_away_the_answer_is_503(api):
    viewer = api.as_key("viewer")
    api.ota.ota.stores.database.close()
    path = api.ota.folder / "data" / "ota.sqlite"
    path.rename(path.with_name("away"))
    try:
        answer = viewer.get("/projects")
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    finally:
        path.unlink(missing_ok=True)
        path.with_name("away").rename(path)
