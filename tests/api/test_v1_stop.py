"""The stop over the admin API: at once, by project too, and while the database is away."""

from contextlib import contextmanager

import pytest

from ota_http_server.domain.errors import DiskFull
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.storage.secret_tries import SecretTries
from tests.api.calling import Api
from tests.instance import Instance

WHY = {"reason": "it burns"}


def instance(folder):
    return Instance(folder, no_jwt=True)


@pytest.fixture(name="api")
def an_api(tmp_path):
    with instance(tmp_path) as ota:
        for project in ("lamp", "oven"):
            content = esp_application(version="1.4.0", project=project)
            ota.drop(project, f"{project}-1.4.0.bin", content)
        yield Api(ota)


def check(api, project="lamp"):
    """Whether the project's device is offered its release, or why not."""
    said = {"device": f"{project}-1", "project": project, "version": "1.0.0", "chip": "esp32"}
    answer = api.ota.client.post("/api/device/v1/check", json=said)
    assert answer.status_code == 200, answer.data
    return answer.json["update"] or answer.json["reason"]


def download(api, project="lamp"):
    return api.ota.get(f"/firmware/{project}/{project}-1.4.0.bin").status_code


@contextmanager
def database_away(api):
    """The file is gone: nothing can be read or written. It comes back as it was."""
    path = api.ota.folder / "data" / "ota.sqlite"
    away = path.with_name("away")
    path.rename(away)
    try:
        yield
    finally:
        assert not path.exists()
        away.rename(path)


def standing(api):
    answer = api.get("/stop")
    assert answer.status_code == 200, answer.data
    return {one["project"]: one for one in answer.json["items"]}


def test_after_a_stop_nothing_is_offered_until_it_is_lifted(api):
    assert check(api) is True

    stopped = api.post("/stop", WHY)
    during = check(api), check(api, "oven"), standing(api)
    lifted = api.post("/stop/lift", {"reason": "put out"})

    told = {"project": None, "reason": "it burns", "downloads": False, "everywhere": True}
    assert (stopped.status_code, stopped.json) == (200, told)
    assert during == ("stopped", "stopped", {None: told})
    assert (lifted.status_code, lifted.json) == (200, {"items": []})
    assert (check(api), check(api, "oven")) == (True, True)


def test_a_stop_of_one_project_leaves_the_others_alone(api):
    api.post("/stop", WHY | {"project": "lamp"})

    assert (check(api), check(api, "oven")) == ("stopped", True)
    assert list(standing(api)) == ["lamp"]


def test_each_stop_is_lifted_by_itself(api):
    api.post("/stop", WHY)
    api.post("/stop", WHY | {"project": "lamp"})

    left = api.post("/stop/lift", {"reason": "x"}).json["items"]

    assert [one["project"] for one in left] == ["lamp"]
    assert (check(api), check(api, "oven")) == ("stopped", True)


def test_lifting_what_is_not_there_is_no_error_and_no_event(api):
    answer = api.post("/stop/lift", {"reason": "x", "project": "lamp"})

    assert (answer.status_code, answer.json) == (200, {"items": []})
    assert api.walk("/events", action="lift_stop") == []


def test_what_was_done_and_why_is_in_the_audit(api):
    api.post("/stop", WHY | {"project": "lamp", "downloads": True})
    api.post("/stop/lift", {"reason": "put out", "project": "lamp"})

    (stop,) = api.walk("/events", action="stop_offers")
    (lift,) = api.walk("/events", action="lift_stop")
    who = {"IP": "127.0.0.1", "project": "lamp", "actor": "shared-secret"}
    assert stop["facts"] == who | {"downloads": "yes", "reason": "it burns"}
    assert lift["facts"] == who | {"reason": "put out"}


def test_downloads_go_on_unless_told_otherwise(api):
    assert check(api) is True
    api.post("/stop", WHY)
    going_on = download(api)
    api.post("/stop", WHY | {"downloads": True})

    assert (going_on, download(api)) == (200, 503)
    assert standing(api)[None]["downloads"] is True


def test_a_second_stop_leaves_downloads_stopped_and_says_so(api):
    api.post("/stop", WHY | {"downloads": True})

    again = api.post("/stop", {"reason": "still"})

    assert (again.json["reason"], again.json["downloads"]) == ("still", True)
    assert download(api) == 503


def test_a_stop_by_a_file_is_seen_and_can_be_lifted(api):
    path = api.ota.folder / "data" / "STOP.lamp"
    path.write_text("by hand\n")

    seen = standing(api)
    stopped = check(api)
    api.post("/stop/lift", {"reason": "x", "project": "lamp"})

    assert seen["lamp"] == {
        "project": "lamp",
        "reason": "by hand",
        "downloads": False,
        "everywhere": False,
    }
    assert (stopped, check(api), path.exists()) == ("stopped", True, False)
    assert len(api.walk("/events", action="lift_stop")) == 1


def test_the_background_tells_the_audit_of_a_file(api):
    # pylint: disable-next=protected-access  # no chore runs by itself here
    chores = {chore.name: chore for chore in api.ota.app.extensions["background"]._chores}
    path = api.ota.folder / "data" / "STOP.txt"

    for change in (lambda: path.write_text("by hand\n"), path.unlink):
        change()
        chores["looking for the stop"].work()
        chores["noting stop files"].work()

    told = {"actor": "file", "reason": "by hand"}
    for action in ("stop_offers", "lift_stop"):
        assert [one["facts"] for one in api.walk("/events", action=action)] == [told]


def test_a_stop_by_row_and_by_file_is_told_once(api):
    api.post("/stop", WHY)
    (api.ota.folder / "data" / "STOP").write_text("by hand\ndownloads\n")

    (one,) = api.get("/stop").json["items"]

    assert (one["reason"], one["everywhere"], one["downloads"]) == ("it burns", True, True)


@pytest.mark.parametrize("path", ["/stop", "/stop/lift"])
def test_without_a_reason_nothing_is_stopped_and_nothing_lifted(api, path):
    api.post("/stop", WHY | {"project": "oven"})

    for said in ({}, {"reason": "  "}, {"reason": "x" * 201}, {"reason": "x", "project": "a b"}):
        assert api.post(path, said).status_code == 400
    assert list(standing(api)) == ["oven"]


def test_a_key_of_one_project_stops_its_own_and_sees_what_concerns_it(api):
    lamp, oven = api.as_key("operator", "lamp"), api.as_key("viewer", "oven")

    assert lamp.post("/stop", WHY).status_code == 403
    assert lamp.post("/stop", WHY | {"project": "oven"}).status_code == 403
    assert lamp.post("/stop", WHY | {"project": "lamp"}).status_code == 200
    assert (list(standing(lamp)), list(standing(oven))) == (["lamp"], [])
    api.post("/stop", WHY)
    assert (list(standing(lamp)), list(standing(oven))) == ([None, "lamp"], [None])
    assert lamp.post("/stop/lift", WHY).status_code == 403
    assert oven.post("/stop/lift", WHY | {"project": "oven"}).status_code == 403


def test_another_instance_knows_within_two_seconds(api):
    with Instance(api.ota.folder, api.ota.clock, no_jwt=True) as other:
        there = Api(other)
        assert check(there) is True

        api.post("/stop", WHY)
        api.ota.clock.pass_seconds(2)

        assert check(there) == "stopped"


@pytest.mark.parametrize("way", ["key", "secret"])
def test_with_the_database_away_a_file_stops(api, way):
    caller = api.as_key("operator") if way == "key" else api
    assert caller.get("/projects").status_code == 200
    assert check(api) is True

    with database_away(api):
        answer = caller.post("/stop", WHY | {"downloads": True})
        seen, fetched = standing(caller), download(api)
        lifted = caller.post("/stop/lift", WHY)
    after = check(api)

    assert (answer.status_code, answer.json["everywhere"]) == (200, False)
    assert (seen[None]["everywhere"], fetched) == (False, 503)
    assert lifted.status_code == 503
    assert after == "stopped"
    assert caller.post("/stop/lift", WHY).json == {"items": []}
    assert check(api) is True


def test_a_key_that_was_never_shown_here_stops_with_the_database_away(api):
    key = api.as_key("operator")
    api.ota.ota.key_verifier.refresh()

    with database_away(api):
        assert key.post("/stop", WHY).status_code == 200
    assert check(api) == "stopped"


def test_a_stop_that_was_known_is_told_with_the_database_away(api):
    api.post("/stop", WHY | {"project": "lamp"})
    api.ota.ota.brake.refresh()

    with database_away(api):
        assert standing(api)["lamp"]["everywhere"] is True
        assert api.ota.ota.brake.of("lamp") is not None


def test_whoever_heard_of_a_stop_keeps_to_it_when_the_database_goes_away(api):
    with Instance(api.ota.folder, api.ota.clock, no_jwt=True) as other:
        assert check(Api(other)) is True
        api.post("/stop", WHY)
        other.ota.news.refresh()
        other.ota.brake.refresh()  # what the chores do in half a second

        with database_away(api):
            assert other.ota.brake.of("lamp").reason == "it burns"


def test_a_wrong_secret_stops_nothing_with_the_database_away_and_guessing_is_slow(api):
    with database_away(api):
        statuses = [
            Api(api.ota, {"X-Admin-Secret": "wrong"}).post("/stop", WHY).status_code
            for _ in range(8)
        ]
        slowed = api.post("/stop", WHY).status_code
        api.ota.clock.pass_seconds(1)
        right = api.post("/stop", WHY).status_code

    assert statuses == [401] * 6 + [429] * 2
    assert (slowed, right) == (429, 200)


def test_with_a_full_disk_the_secret_still_stops(api, monkeypatch):
    def no_room(*_):
        raise DiskFull("the disk of the database is full")

    monkeypatch.setattr(SecretTries, "put", no_room)
    monkeypatch.setattr("ota_http_server.storage.stops.Stops.put", no_room)

    answer = api.post("/stop", WHY)

    assert (answer.status_code, answer.json["everywhere"]) == (200, False)
    assert check(api) == "stopped"
