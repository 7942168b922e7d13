"""Projects over the admin API: listed, settled, taken back to the defaults."""

import pytest

from tests.instance import Instance

DEFAULTS = {
    "name": "lamp",
    "folder": "publish",
    "chip": None,
    "revision": None,
    "unknown_version": "hold",
    "registering": "check-in",
    "accepts_keys": False,
    "tag_channels": {},
    "notes": "",
    "edition": 0,
}


def test_a_project_with_a_folder_is_there_with_the_safe_defaults(api):
    (api.ota.firmware / "lamp").mkdir()

    answer = api.get("/projects/lamp")

    assert answer.status_code == 200
    assert DEFAULTS.items() <= answer.json.items()
    assert answer.json["created_at"] is None
    assert [project["name"] for project in api.get("/projects").json["items"]] == ["lamp"]


def test_a_project_that_nobody_speaks_of_is_not_there(api):
    assert api.get("/projects/lamp").status_code == 404


def test_what_is_said_changes_and_the_rest_stays(api):
    api.patch("/projects/lamp", {"notes": "a lamp", "chip": "ESP32-S3"})

    answer = api.patch("/projects/lamp", {"revision": 301, "tag_channels": {"test": "Beta"}})

    assert answer.status_code == 200
    assert answer.json["notes"] == "a lamp"
    assert (answer.json["chip"], answer.json["revision"]) == ("esp32s3", 301)
    assert answer.json["tag_channels"] == {"test": "beta"}
    assert (answer.json["edition"], answer.headers["ETag"]) == (2, '"2"')


def test_null_takes_a_setting_back(api):
    api.patch("/projects/lamp", {"chip": "esp32", "revision": 0})

    answer = api.patch("/projects/lamp", {"chip": None, "revision": None})

    assert (answer.json["chip"], answer.json["revision"]) == (None, None)


def test_what_is_so_already_is_no_change(api):
    api.patch("/projects/lamp", {"notes": "a"})

    assert api.patch("/projects/lamp", {"notes": "a"}).json["edition"] == 1
    assert api.patch("/projects/lamp", {}).json["edition"] == 1
    lines = (api.ota.folder / "ota_audit.log").read_text().splitlines()
    assert len([line for line in lines if "Action=settle_project" in line]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"folder": "sometimes"},
        {"chip": "no chip!"},
        {"revision": 10_000},
        {"revision": -1},
        {"unknown_version": None},
        {"registering": "never"},
        {"tag_channels": {"a b": "beta"}},
        {"tag_channels": {"a": "be ta"}},
        {"tag_channels": {str(n): "beta" for n in range(33)}},
        {"notes": "x" * 2_001},
        {"name": "oven"},
        {"edition": 7},
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(api, wrong):
    assert api.patch("/projects/lamp", wrong).status_code == 400
    assert api.get("/projects/lamp").status_code == 404


@pytest.mark.parametrize("name", ["-lamp", "a b", "x" * 65, "%C3%A9", "a%00"])
def test_a_name_that_no_project_can_have_is_refused(api, name):
    assert api.get(f"/projects/{name}").status_code in (400, 404)
    assert api.patch(f"/projects/{name}", {}).status_code in (400, 404)


def test_a_change_of_an_edition_that_is_no_longer_there_is_refused(api):
    api.patch("/projects/lamp", {"notes": "a"})

    first = api.patch("/projects/lamp", {"notes": "b"}, If_Match='"1"')
    second = api.patch("/projects/lamp", {"notes": "c"}, If_Match='"1"')

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.json["code"] == "outdated"
    assert api.get("/projects/lamp").json["notes"] == "b"


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        ('"1"', 200),
        ('"9", "1"', 200),
        ('W/"1"', 412),
        ('"2"', 412),
        ('"x"', 412),
        ("1", 412),
        ("", 412),
        ('"' + "9" * 4_000 + '"', 412),
    ],
)
def test_if_match_names_editions(api, if_match, status):
    api.patch("/projects/lamp", {"notes": "a"})

    assert api.patch("/projects/lamp", {"notes": "b"}, If_Match=if_match).status_code == status


@pytest.mark.parametrize(
    ("if_none_match", "status"), [('"1"', 304), ('W/"1"', 304), ("*", 304), ('"0"', 200)]
)
def test_a_read_of_what_is_known_is_304(api, if_none_match, status):
    api.patch("/projects/lamp", {"notes": "a"})

    answer = api.get("/projects/lamp", If_None_Match=if_none_match)

    assert (answer.status_code, answer.headers["ETag"]) == (status, '"1"')
    assert bool(answer.data) == (status == 200)


def test_settings_are_forgotten_and_all_else_stays(api):
    (api.ota.firmware / "lamp").mkdir()
    api.patch("/projects/lamp", {"notes": "a"})

    outdated = api.delete("/projects/lamp/settings", If_Match='"7"')
    answer = api.delete("/projects/lamp/settings", If_Match='"1"')

    assert (outdated.status_code, answer.status_code, answer.data) == (412, 204, b"")
    assert DEFAULTS.items() <= api.get("/projects/lamp").json.items()
    assert api.delete("/projects/lamp/settings").status_code == 204


def test_another_instance_knows_the_settings(api, tmp_path):
    with Instance(tmp_path, api.ota.clock) as other:
        api.patch("/projects/lamp", {"notes": "a"})
        api.ota.clock.pass_seconds(2)

        assert other.ota.catalog.of("lamp").project.notes == "a"
    assert api.ota.ota.catalog.of("lamp").project.notes == "a"


def test_projects_come_in_pages(api):
    for name in ("c", "a", "b"):
        api.patch(f"/projects/{name}", {"notes": name})

    assert [project["name"] for project in api.walk("/projects", limit=1)] == ["a", "b", "c"]


def test_while_the_folder_is_away_the_rows_tell(api):
    api.patch("/projects/lamp", {"notes": "a"})
    api.ota.firmware.rename(api.ota.firmware.with_name("away"))

    assert [project["name"] for project in api.get("/projects").json["items"]] == ["lamp"]
