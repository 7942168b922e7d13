"""Devices over the admin API: found, read, explained."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_http_server.domain.attempt import State
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.storage.devices import Wanted
from tests.api.calling import Api
from tests.api.there import open_attempt
from tests.instance import DEVICE, Instance

MAC = "aa:bb:cc:dd:ee:ff"


def add(ota, *devices):
    def added(tx):
        for device in devices:
            tx.devices.add(device)

    ota.ota.stores.database.change(added)


def a_device(id=DEVICE, project="lamp", **more):
    return Device(id=id, project=project, created_at=5, created_by="shell", **more)


def ids(answer):
    return [device["id"] for device in answer.json["items"]]


def test_a_device_is_told_as_it_is_known(api):
    add(api.ota, a_device(chip="esp32s3", revision=301, tags=("a", "b"), attributes={"hw": "2"}))

    answer = api.get(f"/devices/{DEVICE.upper()}")

    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    told = answer.json
    assert (told["id"], told["chip"], told["revision"]) == (DEVICE, "esp32s3", 301)
    assert (told["tags"], told["attributes"]) == (["a", "b"], {"hw": "2"})
    assert (told["last_seen"], told["created_at"]) == (None, "1970-01-01T00:00:05+00:00")


def test_a_device_that_is_not_there_is_404_and_one_that_cannot_be_is_400(api):
    assert api.get("/devices/nobody").status_code == 404
    assert api.get("/devices/a%20b").status_code == 400


def test_devices_are_found_by_what_they_are(api):
    add(
        api.ota,
        a_device("a", chip="esp32", version="1.0", tags=("test",), last_seen=100),
        a_device("b", chip="esp32s3", channel="beta", blocked=True, board="Big-Board"),
        a_device("c", project="oven", notes="100%_sure", last_seen=200),
    )

    def found(query):
        return ids(api.get(f"/devices?{query}"))

    assert found("") == ["a", "b", "c"]
    assert found("project=oven") == ["c"]
    assert found("chip=ESP32-S3") == ["b"]
    assert found("version=1.0") == ["a"]
    assert found("tag=test") == ["a"]
    assert found("tag=tes") == found("tag=TEST") == found("tag=t%25") == []
    assert found("channel=beta") == ["b"]
    assert found("blocked=true") == ["b"]
    assert found("blocked=false") == ["a", "c"]
    assert found("seen_after=1970-01-01T00:03:20Z") == ["c"]
    assert found("seen_before=1970-01-01T00:03:20Z") == ["a", "b"]
    assert found("text=big-b") == ["b"]
    assert found("text=%25_") == ["c"]
    assert found("project=lamp&blocked=false") == ["a"]


def test_a_key_of_one_project_sees_its_devices_alone(api):
    add(api.ota, a_device("a"), a_device("b", project="oven"))
    mine = api.as_key("viewer", "oven")

    assert ids(mine.get("/devices")) == ["b"]
    assert ids(mine.get("/devices?project=lamp")) == []
    assert mine.get("/devices/b").status_code == 200
    for path in ("", "/attempts", "/attempts/1001", "/explain"):
        foreign, missing = mine.get(f"/devices/a{path}"), mine.get(f"/devices/x{path}")
        assert foreign.status_code == missing.status_code == 404
        assert foreign.data == missing.data


@pytest.fixture(name="crowd", scope="module")
def a_crowd(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        yield ota


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.sets(st.text("abyz019:._-", min_size=1, max_size=5), min_size=1, max_size=15),
    later=st.lists(st.text("abyz019:._-", min_size=1, max_size=5), max_size=10),
    limit=st.integers(1, 6),
)
def test_walking_the_pages_gives_each_device_once_while_others_come(crowd, there, later, limit):
    database = crowd.ota.stores.database
    with database.reading() as rows:
        old = [device.id for device in rows.devices.page(Wanted(), "", 1_000)]
    database.change(lambda tx: [tx.devices.remove(one) for one in old])
    add(crowd, *(a_device(one) for one in there))
    api, coming = Api(crowd), list(later)

    seen, after = [], ""
    while after is not None:
        query = {"limit": limit, "after": after}
        page = crowd.client.get("/api/v1/devices", query_string=query, headers=api.headers).json
        seen += [device["id"] for device in page["items"]]
        after = page["next"]
        if coming:
            add(crowd, a_device(coming.pop()))

    assert there <= set(seen)
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)


def tried(ota, device, states):
    """Attempts of a device at a release from the folder, one for each state."""
    ota.drop("lamp", "lamp-2.0.0.bin", esp_application(version="2.0.0", project="lamp"))
    ota.ota.release_folder.follow("lamp")

    def opened(tx):
        return [open_attempt(tx, device, "2.0.0", state, from_version="1.0.0") for state in states]

    return ota.ota.stores.database.change(opened)


def test_a_devices_updates_are_told_the_latest_first(api):
    add(api.ota, a_device())
    numbers = tried(api.ota, DEVICE, [State.FAILED, State.SILENT, State.VERIFIED])

    walked = api.walk(f"/devices/{DEVICE}/attempts", limit=2)

    assert [attempt["id"] for attempt in walked] == numbers[::-1]
    assert [attempt["state"] for attempt in walked] == ["verified", "silent", "failed"]
    assert walked[0]["version"] == "2.0.0"


def test_one_update_is_told_with_what_the_device_said(api):
    add(api.ota, a_device(), a_device("other"))
    (number,) = tried(api.ota, DEVICE, [State.FAILED])
    api.ota.ota.stores.database.change(lambda tx: tx.attempts.add_lines(number, ["one", "two"], 7))

    answer = api.get(f"/devices/{DEVICE}/attempts/{number}")

    assert answer.status_code == 200
    assert [line["text"] for line in answer.json["lines"]] == ["one", "two"]
    assert api.get(f"/devices/other/attempts/{number}").status_code == 404
    assert api.get(f"/devices/{DEVICE}/attempts/1").status_code == 404
    assert api.get(f"/devices/{DEVICE}/attempts/x").status_code == 400
    assert api.get(f"/devices/{DEVICE}/attempts/{'9' * 30}").status_code == 400


def test_the_server_explains_why_a_device_gets_what_it_gets(api):
    add(api.ota, a_device(chip="esp32", version="1.0.0", version_from=VersionFrom.DEVICE))
    tried(api.ota, DEVICE, [State.FAILED])

    answer = api.get(f"/devices/{DEVICE}/explain")

    assert answer.status_code == 200
    said = answer.json
    assert (said["device"]["id"], said["channel"]) == (DEVICE, "stable")
    assert said["sentences"]
    assert said["decision"]["answer"] in ("offer", "hold")
    assert [release["version"] for release in said["releases"]] == ["2.0.0"]
    assert [attempt["state"] for attempt in said["attempts"]] == ["failed"]


def test_a_device_is_registered_once_and_changed_from_then_on(api):
    first = api.put(f"/devices/{DEVICE.upper()}", {"project": "lamp", "tags": ["b", "a"]})
    again = api.put(f"/devices/{DEVICE}", {"project": "lamp"})
    changed = api.patch(f"/devices/{DEVICE}", {"channel": "Beta", "notes": "x"}, If_Match='"1"')
    outdated = api.patch(f"/devices/{DEVICE}", {"notes": "y"}, If_Match='"1"')

    assert (first.status_code, first.headers["Location"]) == (201, f"/api/v1/devices/{DEVICE}")
    assert (first.json["tags"], first.json["created_by"]) == (["a", "b"], "shared-secret")
    assert again.status_code == 409
    assert (changed.json["channel"], changed.headers["ETag"]) == ("beta", '"2"')
    assert outdated.status_code == 412
    assert api.get(f"/devices/{DEVICE}").json == changed.json


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": None},
        {"project": "-"},
        {"chip": "no chip!"},
        {"revision": 10_000},
        {"board": "x" * 65},
        {"tags": "a"},
        {"tags": ["a b"]},
        {"channel": "no channel"},
        {"notes": "x" * 2_001},
        {"blocked": None},
        {"pinned": "a b"},
        {"last_seen": "2025-10-09T15:34:12Z"},
        {"edition": 5},
        {"id": "other"},
    ],
)
def test_what_makes_no_sense_of_a_device_is_refused(api, wrong):
    add(api.ota, a_device())

    assert api.patch(f"/devices/{DEVICE}", wrong).status_code == 400
    assert api.get(f"/devices/{DEVICE}").json["edition"] == 1


def test_a_device_comes_into_a_project_that_is_named(api):
    assert api.put(f"/devices/{DEVICE}", {}).status_code == 400
    assert api.put("/devices/a%20b", {"project": "lamp"}).status_code == 400
    assert api.put(f"/devices/{DEVICE}", {"project": "lamp", "bored": 1}).status_code == 400


def test_null_says_that_something_is_not_known(api):
    add(api.ota, a_device(chip="esp32", revision=3, board="b", channel="beta", pinned="1.0"))
    nothing = dict.fromkeys(("chip", "revision", "board", "channel", "pinned", "version"))

    told = api.patch(f"/devices/{DEVICE}", nothing).json

    assert {name: told[name] for name in nothing} == nothing


def test_a_device_is_forgotten_with_all_that_it_had(api):
    add(api.ota, a_device())
    tried(api.ota, DEVICE, [State.FAILED])

    assert api.delete(f"/devices/{DEVICE}", If_Match='"7"').status_code == 412
    assert api.delete(f"/devices/{DEVICE}").status_code == 204
    assert api.get(f"/devices/{DEVICE}").status_code == 404
    assert api.delete(f"/devices/{DEVICE}").status_code == 404


def test_an_update_is_called_off(api):
    add(api.ota, a_device())
    assert api.post(f"/devices/{DEVICE}/cancel").status_code == 409
    tried(api.ota, DEVICE, [State.OFFERED])

    answer = api.post(f"/devices/{DEVICE}/cancel")

    assert (answer.status_code, answer.json["state"]) == (200, "canceled")


def test_a_device_may_try_again(api):
    add(api.ota, a_device(chip="esp32", version="1.0.0", version_from=VersionFrom.DEVICE))
    tried(api.ota, DEVICE, [State.FAILED] * 3)
    before = api.get(f"/devices/{DEVICE}/explain").json["decision"]

    answer = api.post(f"/devices/{DEVICE}/retry")

    after = api.get(f"/devices/{DEVICE}/explain").json["decision"]
    assert answer.status_code == 200
    assert (before["answer"], before["reason"]) == ("hold", "failing")
    assert (after["answer"], after["version"]) == ("offer", "2.0.0")
