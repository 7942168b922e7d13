"""Rollouts over the admin API: begun, watched, moved on, ended; and what devices then get."""

import pytest

from ota_http_server.domain.device import Device
from ota_http_server.domain.esp_sample import esp_application
from tests.api.calling import Api
from tests.instance import Instance
from tests.operations.test_roll_out import halves

ROLLOUTS = "/projects/lamp/rollouts"
EVERYBODY = [{"percent": 100}]
HALF = [{"percent": 50}, {"percent": 100}]
PLAN = {"version": "1.4.0"}
AT_ONCE = {"version": "1.4.0", "stages": EVERYBODY, "override": True, "reason": "a desk"}


@pytest.fixture(name="api")
def an_api(tmp_path, monkeypatch):
    """A project with a release, and devices that say who they are."""
    with Instance(tmp_path, no_jwt=True) as ota:
        # A salt of zeros: chance must not decide how far a first stage goes.
        monkeypatch.setattr(ota.ota.begin_rollout, "_salt", bytes)
        api = Api(ota)
        drop(api, "1.4.0")
        yield api


def drop(api, version):
    content = esp_application(version=version, project="lamp")
    api.ota.drop("lamp", f"lamp-{version}.bin", content)
    api.ota.clock.pass_seconds(3)
    assert api.get(f"/projects/lamp/releases/{version}").status_code == 200


def devices(api, count, **more):
    names = [f"board-{number:03}" for number in range(count)]

    def added(tx):
        for name in names:
            tx.devices.add(Device(id=name, project="lamp", created_at=5, **more))

    api.ota.ota.stores.database.change(added)
    return names


def begin(api, **said):
    answer = api.post(ROLLOUTS, PLAN | said)
    assert answer.status_code == 201, answer.data
    return answer.json


def check(api, device, version="1.0.0"):
    """What the device is told: the version that it is offered, or why nothing."""
    said = {"device": device, "project": "lamp", "version": version, "chip": "esp32"}
    answer = api.ota.client.post("/api/device/v1/check", json=said)
    assert answer.status_code == 200, answer.data
    return answer.json["version"] if answer.json["update"] else answer.json["reason"]


def report(api, device, state):
    said = {"device": device, "project": "lamp", "state": state}
    assert api.ota.client.post("/api/device/v1/report", json=said).status_code == 200


def refused(answer, status):
    assert answer.status_code == status, answer.data
    return answer.json["detail"]


def events(api, action):
    return [event["facts"] for event in api.walk("/events", action=action)]


def test_the_plan_without_any_wish_is_the_careful_one_and_counts_its_devices(api):
    devices(api, 200)

    answer = api.post(ROLLOUTS, PLAN)

    assert answer.status_code == 201
    told = answer.json
    assert answer.headers["Location"] == f"/api/v1/rollouts/{told['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert (told["state"], told["stage"], told["version"]) == ("running", 1, "1.4.0")
    assert [stage["percent"] for stage in told["stages"]] == [1, 5, 25, 50, 100]
    sizes = [stage["devices"] for stage in told["stages"]]
    assert sizes == sorted(sizes)
    assert (sizes[0] >= 1, sizes[-1]) == (True, 200)
    assert tuple(stage["verified_min"] for stage in told["stages"]) == halves(sizes)


def test_a_first_stage_is_never_empty(api):
    names = devices(api, 3)

    told = begin(api)

    assert told["stages"][0]["devices"] == 1
    assert (told["percent"], sum(check(api, name) == "1.4.0" for name in names)) == (1, 1)


def test_named_canaries_come_first_and_alone(api):
    names = devices(api, 10)

    told = begin(api, canaries=names[:2])

    assert [stage["percent"] for stage in told["stages"]] == [0, 5, 25, 50, 100]
    assert (told["stages"][0]["devices"], told["canaries"]) == (2, names[:2])
    assert check(api, names[0]) == "1.4.0"
    assert check(api, names[2]) == "not-yet"


def test_all_that_is_wished_is_told_again(api):
    names = devices(api, 4, tags=("site:berlin",))
    wished = {
        "select": "tag==site:*",
        "devices": names[:3],
        "stages": [
            {"percent": 2.5, "dwell_seconds": 60, "verified_min": 3},
            {"percent": 100, "dwell_seconds": 0, "verified_min": 0},
        ],
        "failed_percent_max": 3.25,
        "finished_min": 7,
        "silent_percent_max": 30,
        "silent_seconds": 7_200,
        "rolled_back_percent_max": 0.5,
        "halting_devices_min": 3,
        "counts_installed": True,
        "concurrent_max": 5,
        "offers_max": 6,
        "period_seconds": 60,
        "windows": ["Mon-Fri 22:00-04:00 Europe/Berlin"],
        "site_tag": "site:",
        "site_max": 2,
        "retry_seconds": 0,
        "failures_max": 1,
        "mode": "soft",
        "takes_back": True,
        "reason": "a summer night",
    }

    told = begin(api, **wished)

    policy = told["policy"]
    wished_stages = wished.pop("stages")
    first, last = ({name: stage[name] for name in wished_stages[0]} for stage in told["stages"])
    assert first["percent"] >= 2.5  # so far that it has a device
    assert [first | {"percent": 2.5}, last] == wished_stages
    assert {name: (policy | told)[name] for name in wished} == wished
    assert api.get(f"/rollouts/{told['id']}?counts=true").json == told


def test_stages_are_counted_for_whoever_asks_for_it(api):
    devices(api, 20)
    number = begin(api, stages=HALF, override=True, reason="a desk")["id"]

    plain = api.get(f"/rollouts/{number}").json
    counted = api.get(f"/rollouts/{number}?counts=true").json

    assert {(stage["devices"], stage["tally"]) for stage in plain["stages"]} == {(None, None)}
    assert counted["stages"][1]["devices"] == 20
    assert counted["stages"][0]["tally"] == plain["tally"]


@pytest.mark.parametrize(
    ("said", "status", "detail"),
    [
        ({"version": "9.9.9"}, 404, "lamp has no release 9.9.9"),
        ({"stages": [{"percent": 25}, {"percent": 100}]}, 409, "a first stage of 25 % is more"),
        (
            {"stages": [{"percent": 25}, {"percent": 100}], "override": True},
            400,
            "say why: a reason is needed",
        ),
        ({"takes_back": True}, 400, "say why: a reason is needed"),
        ({"takes_back": True, "reason": "   "}, 400, "say why: a reason is needed"),
        ({"canaries": ["nobody"]}, 400, "nobody cannot be a canary"),
        ({"canaries": ["a b"]}, 400, "device"),
        ({"select": "chip==esp32;"}, 400, "character 13: a name such as tag"),
        ({"select": "colour==red"}, 400, "character 1: colour is no name"),
        ({"stages": [{"percent": 101}]}, 400, "stages.0.percent must be 0 to 100 percent"),
        ({"stages": [{"percent": 1.001}]}, 400, "with two decimals at most"),
        ({"stages": [{"percent": "5"}]}, 400, "stages.0.percent must be a number of percent"),
        (
            {"stages": [{"dwell": 5, "percent": 5}]},
            400,
            "stages.0.dwell means nothing here; known: percent, dwell_seconds",
        ),
        ({"stages": [{}]}, 400, "stages.0.percent is needed"),
        ({"stages": [5]}, 400, "stages.0 must be an object"),
        ({"stages": {}}, 400, "stages must be a list"),
        ({"stages": None}, 400, "stages must not be null"),
        ({"stages": [{"percent": 5}]}, 400, "the last stage must go to 100 percent"),
        ({"stages": [{"percent": 0}, {"percent": 100}]}, 400, "needs canaries that are named"),
        ({"stages": [{"percent": p} for p in (5, 5, 100)]}, 400, "must go further"),
        ({"failed_percent_max": 0}, 400, "failed_percent_max must be 0.01 to 100"),
        ({"failed_percent_max": 0.005}, 400, "with two decimals at most"),
        ({"windows": ["sometimes"]}, 400, "sometimes"),
        ({"mode": "hard"}, 400, "mode must be one of soft, forced, download-only"),
        ({"finished_min": 0}, 400, "finished_min must be a whole number from 1"),
        ({"reason": "x" * 201}, 400, "reason must have at most 200 characters"),
        ({"canary": ["board-000"]}, 400, "did you mean canaries?"),
    ],
)
def test_what_cannot_be_begun_is_refused_with_its_reason(api, said, status, detail):
    devices(api, 1)

    assert detail in refused(api.post(ROLLOUTS, PLAN | said), status)
    assert api.walk("/rollouts") == []


def test_a_big_first_stage_needs_an_override_with_a_reason(api):
    devices(api, 8)

    told = begin(api, **AT_ONCE)

    assert (told["percent"], told["reason"]) == (100, "a desk")
    (facts,) = events(api, "create_rollout")
    assert facts == {
        "IP": "127.0.0.1",
        "project": "lamp",
        "release": "1.4.0",
        "rollout": told["id"],
        "stage": 1,
        "override": "yes",
        "reason": "a desk",
        "actor": "shared-secret",
    }


def test_a_release_has_one_unfinished_rollout(api):
    devices(api, 1)
    first = begin(api)["id"]

    detail = refused(api.post(ROLLOUTS, PLAN), 409)
    api.post(f"/rollouts/{first}/abort", {"reason": "again"})

    assert detail == f"rollout {first} of 1.4.0 is running: finish or abort it"
    assert begin(api)["id"] > first


def test_a_dry_run_says_what_it_would_be_and_writes_nothing(api):
    devices(api, 40)

    answer = api.post(ROLLOUTS, PLAN | {"dry": True})

    assert (answer.status_code, answer.json["id"]) == (200, 0)
    assert "Location" not in answer.headers
    assert answer.json["stages"][-1]["devices"] == 40
    assert (api.walk("/rollouts"), events(api, "create_rollout")) == ([], [])
    assert check(api, "board-000") == "1.4.0"
    assert refused(api.post(ROLLOUTS, PLAN | {"dry": True, "version": "9"}), 404)


def test_a_draft_may_have_a_rollout_and_then_it_stays(api):
    devices(api, 2)
    assert api.put("/projects/lamp/releases/2.0.0", {}).status_code == 201

    begin(api, **AT_ONCE | {"version": "2.0.0"})

    detail = refused(api.delete("/projects/lamp/releases/2.0.0"), 409)
    assert detail == "a rollout waits for 2.0.0: the draft stays"
    assert check(api, "board-000") == "1.4.0"


def test_a_withdrawn_release_gets_none(api):
    api.post("/projects/lamp/releases/1.4.0/withdraw", {"reason": "x"})

    assert "is withdrawn" in refused(api.post(ROLLOUTS, PLAN), 409)


def test_a_device_gets_the_release_when_the_rollout_has_come_to_it(api):
    names = devices(api, 10)
    number = begin(api, canaries=names[:1], reason="careful")["id"]
    before = {name: check(api, name) for name in names}

    for stage in (1, 2, 3, 4):
        said = {"stage": stage, "reason": "go on", "override": True}
        assert api.post(f"/rollouts/{number}/advance", said).status_code == 200

    assert before == {name: "1.4.0" if name == names[0] else "not-yet" for name in names}
    assert {check(api, name) for name in names} == {"1.4.0"}


def test_an_explanation_names_the_rollout_and_so_does_the_attempt(api):
    names = devices(api, 1)
    number = begin(api, **AT_ONCE)["id"]
    check(api, names[0])

    told = api.get(f"/devices/{names[0]}/explain").json

    assert (told["decision"]["answer"], told["decision"]["rollout"]) == ("offer", number)
    assert [attempt["rollout"] for attempt in told["attempts"]] == [number]


def test_paused_resumed_and_aborted_a_rollout_offers_what_it_should(api):
    names = devices(api, 3)
    number = begin(api, **AT_ONCE)["id"]
    seen = {}
    for name, move in zip(names, ("pause", "resume", "abort"), strict=True):
        answer = api.post(f"/rollouts/{number}/{move}", {"reason": f"to {move}"})
        assert answer.status_code == 200, answer.data
        assert answer.json["reason"] == f"to {move}"
        seen[answer.json["state"]] = check(api, name)

    assert seen == {"paused": "paused", "running": "1.4.0", "aborted": "aborted"}
    for move in ("pause", "resume", "abort"):
        (facts,) = events(api, f"{move}_rollout")
        assert (facts["rollout"], facts["reason"]) == (number, f"to {move}")


@pytest.mark.parametrize("move", ["pause", "resume", "advance", "abort"])
def test_every_move_needs_a_reason(api, move):
    devices(api, 1)
    number = begin(api)["id"]
    more = {"stage": 1} if move == "advance" else {}
    path = f"/rollouts/{number}/{move}"

    assert refused(api.post(path, more), 400) == "reason is needed"
    assert refused(api.post(path, more | {"reason": " "}), 400).startswith("say why")
    assert api.get(f"/rollouts/{number}").json["edition"] == 1


def test_an_end_is_an_end(api):
    devices(api, 1)
    number = begin(api)["id"]
    api.post(f"/rollouts/{number}/abort", {"reason": "x"})

    for move, more in (("pause", {}), ("resume", {}), ("advance", {"stage": 1})):
        said = {"reason": "x", **more}
        assert "is aborted" in refused(api.post(f"/rollouts/{number}/{move}", said), 409)
    assert api.post(f"/rollouts/{number}/abort", {"reason": "x"}).status_code == 200


def test_two_who_saw_the_same_stage_make_one_step(api):
    names = devices(api, 3)
    number = begin(api, canaries=names[:1])["id"]
    said = {"stage": 1, "reason": "looks good"}

    first, second = (api.post(f"/rollouts/{number}/advance", said) for _ in range(2))

    assert (first.status_code, first.json["stage"]) == (200, 2)
    assert refused(second, 409) == f"rollout {number} is in stage 2, not 1"
    assert api.get(f"/rollouts/{number}").json["stage"] == 2


def test_what_was_not_canaried_goes_no_further_than_ten_percent_without_an_override(api):
    names = devices(api, 3)
    number = begin(api, canaries=names[:1])["id"]
    path = f"/rollouts/{number}/advance"
    assert api.post(path, {"stage": 1, "reason": "x"}).json["percent"] == 5

    detail = refused(api.post(path, {"stage": 2, "reason": "x"}), 409)
    forced = api.post(path, {"stage": 2, "reason": "known good", "override": True})

    assert "more than 10 % needs an override" in detail
    assert (forced.status_code, forced.json["percent"]) == (200, 25)
    (with_it,) = [one for one in events(api, "advance_rollout") if "override" in one]
    assert (with_it["stage"], with_it["override"], with_it["reason"]) == (3, "yes", "known good")


def test_behind_the_last_stage_it_is_finished(api):
    devices(api, 2)
    number = begin(api, **AT_ONCE)["id"]

    told = api.post(f"/rollouts/{number}/advance", {"stage": 1, "reason": "done"}).json

    assert (told["state"], told["percent"], told["waits_for"]) == ("finished", 100, None)


def test_who_read_an_older_edition_changes_nothing(api):
    devices(api, 1)
    number = begin(api)["id"]
    path = f"/rollouts/{number}"
    read = api.get(path).headers["ETag"]

    first = api.post(f"{path}/pause", {"reason": "x"}, If_Match=read)
    second = api.post(f"{path}/abort", {"reason": "x"}, If_Match=read)

    assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
    assert (second.status_code, second.json["code"]) == (412, "outdated")
    assert api.get(path, If_None_Match='"2"').status_code == 304
    assert api.get(path).json["state"] == "paused"


def test_what_became_of_the_devices_is_counted_and_listed(api):
    names = devices(api, 6)
    number = begin(api, **AT_ONCE)["id"]
    for name in names:
        assert check(api, name) == "1.4.0"
    for name in names[:3]:
        report(api, name, "failed")
    check(api, names[3], version="1.4.0")

    tally = api.get(f"/rollouts/{number}?counts=true").json["stages"][0]["tally"]
    path = f"/rollouts/{number}/devices"

    assert {word: count for word, count in tally.items() if count} == {
        "failed": 3,
        "verified": 1,
        "offered": 2,
    }
    assert api.walk(path, what="failed", limit=2) == names[:3]
    assert api.walk(path, what="verified", limit=1) == names[3:4]
    assert api.walk(path, what="silent") == []
    assert "what is needed" in refused(api.get(path), 400)
    assert "what must be one of offered" in refused(api.get(f"{path}?what=good"), 400)


def test_updates_that_have_begun_are_called_off_if_somebody_says_so(api):
    names = devices(api, 2)
    number = begin(api, **AT_ONCE)["id"]
    for name in names:
        check(api, name)

    api.post(f"/rollouts/{number}/abort", {"reason": "it burns", "call_off": True})

    for name in names:
        (attempt,) = api.get(f"/devices/{name}/attempts").json["items"]
        assert (attempt["state"], attempt["cancel_asked"]) == ("canceled", True)


def test_rollouts_are_listed_the_latest_first_and_by_what_they_are(api):
    devices(api, 1)
    for version in ("1.5.0", "1.6.0"):
        drop(api, version)
    numbers = [begin(api, version=version)["id"] for version in ("1.4.0", "1.5.0", "1.6.0")]
    api.post(f"/rollouts/{numbers[1]}/pause", {"reason": "x"})

    def found(**query):
        return [one["id"] for one in api.walk("/rollouts", **query)]

    assert found(limit=2) == found(limit=1) == numbers[::-1]
    assert found(state="running") == [numbers[2], numbers[0]]
    assert found(state="paused", project="lamp") == [numbers[1]]
    assert found(project="oven") == []
    assert api.get("/rollouts?after=x").status_code == 400
    assert api.get("/rollouts?state=begun").status_code == 400


def test_what_is_another_projects_is_not_there(api):
    devices(api, 1)
    number = begin(api)["id"]
    lamp, oven = api.as_key("operator", "lamp"), api.as_key("operator", "oven")

    assert [one["id"] for one in lamp.walk("/rollouts")] == [number]
    assert oven.walk("/rollouts") == oven.walk("/rollouts", project="lamp") == []
    for path in (f"/rollouts/{number}", f"/rollouts/{number}/devices?what=failed"):
        assert lamp.get(path).status_code == 200
        assert refused(oven.get(path), 404) == "there is no such rollout"
    detail = refused(oven.post(f"/rollouts/{number}/pause", {"reason": "x"}), 404)
    assert detail == "there is no such rollout"
    assert oven.post(ROLLOUTS, PLAN).status_code == 404


def test_whoever_publishes_begins_no_rollout_and_moves_none(api):
    devices(api, 1)
    number = begin(api)["id"]
    ci = api.as_key("publisher", "lamp")

    assert ci.get(f"/rollouts/{number}").status_code == 200
    assert ci.post(ROLLOUTS, PLAN).status_code == 403
    assert ci.post(f"/rollouts/{number}/pause", {"reason": "x"}).status_code == 403


@pytest.mark.parametrize("number", ["0", "-1", "x", "1e3", "9" * 15, "9" * 16])
def test_a_number_that_is_none_is_no_rollout(api, number):
    assert api.get(f"/rollouts/{number}").status_code in (400, 404)


def test_a_project_may_spread_by_rollouts_alone(api):
    names = devices(api, 1)
    told = api.patch("/projects/lamp", {"spread": "by-rollout", "downloads_max": 7}).json

    assert (told["spread"], told["downloads_max"]) == ("by-rollout", 7)
    assert check(api, names[0]) == "no-rollout"
    begin(api, **AT_ONCE)
    assert check(api, names[0]) == "1.4.0"


def test_a_floor_is_not_passed(api):
    names = devices(api, 1)
    drop(api, "2.0.0")
    path = "/projects/lamp/releases/1.4.0"
    assert api.get(path).json["floor"] is False

    assert api.patch(path, {"floor": True}).json["floor"] is True

    assert check(api, names[0]) == "1.4.0"
    assert api.patch(path, {"floor": False}).json["floor"] is False
