"""Tokens and events over the admin API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.storage import events as stored
from tests.instance import DEVICE, Instance

WISH = {"device_id": DEVICE, "project": "lamp", "expires_minutes": 15, "current_fw": "1.2.3"}


def test_a_minted_token_works(api):
    api.ota.drop_old("lamp", "lamp-1.0.bin", b"firmware")

    answer = api.post("/tokens", WISH)

    assert (answer.status_code, answer.json["warning"]) == (201, None)
    assert answer.json["payload"]["fw_version"] == "1.2.3"
    token = answer.json["token"]
    assert api.ota.get("/firmware/lamp/lamp-1.0.bin", token).status_code == 200


def test_a_token_lives_as_long_as_the_settings_say_unless_asked_otherwise(api):
    payload = api.post("/tokens", {"device_id": DEVICE, "project": "lamp"}).json["payload"]

    assert payload["exp"] - payload["iat"] == 30 * 60
    assert api.post("/tokens", WISH | {"expires_minutes": 1_441}).status_code == 400


@pytest.mark.parametrize("what", ["jti", "token", "device_id"])
def test_a_token_is_taken_back_in_three_ways(api, what):
    minted = api.post("/tokens", WISH).json
    by = {"jti": minted["payload"]["jti"], "token": minted["token"], "device_id": DEVICE}

    answer = api.post("/tokens/revoke", {what: by[what]})

    assert (answer.status_code, answer.json["revoked"]) == (200, what)
    assert api.ota.get("/firmware/lamp/versions", minted["token"]).status_code == 401


@pytest.mark.parametrize("wrong", [{}, {"jti": "a", "token": "b"}, {"jti": None}, {"jti": ""}])
def test_a_revocation_names_exactly_one_thing(api, wrong):
    assert api.post("/tokens/revoke", wrong).status_code == 400


def test_events_are_told_newest_first_or_oldest_first(api):
    for _ in range(3):
        api.post("/tokens", WISH)

    newest = [event["id"] for event in api.walk("/events", limit=2)]
    oldest = [event["id"] for event in api.walk("/events", limit=2, first="oldest")]

    assert newest == [3, 2, 1]
    assert oldest == [1, 2, 3]
    event = api.get("/events?limit=1").json["items"][0]
    assert (event["action"], event["facts"]["device"]) == ("generate_token", DEVICE)
    assert event["facts"]["actor"] == "shared-secret"


def test_events_are_found_by_action_device_and_project(api):
    api.post("/tokens", WISH)
    api.post("/tokens", WISH | {"project": "oven"})
    api.patch("/projects/lamp", {"notes": "x"})

    def found(**query):
        return [event["id"] for event in api.walk("/events", **query)]

    assert found(action="settle_project") == [3]
    assert found(device=DEVICE) == [2, 1]
    assert found(project="lamp") == [3, 1]
    assert found(project="lamp", action="generate_token") == [1]
    assert found(project="la") == found(project="%25") == found(project="l_mp") == []


def test_a_key_of_one_project_sees_the_events_that_name_it(api):
    api.post("/tokens", WISH)
    api.post("/tokens", WISH | {"project": "oven"})
    mine = api.as_key("viewer", "oven")

    assert {e["facts"]["project"] for e in mine.walk("/events")} == {"oven"}
    assert mine.walk("/events", project="lamp") == []


def test_a_value_cannot_pass_for_another_fact(api):
    forged = 'x","project":"lamp'
    api.post("/tokens/revoke", {"jti": forged})

    assert api.walk("/events", project="lamp") == []
    assert len(api.walk("/events", action="revoke_token")) == 1


def test_a_long_search_goes_on_page_by_page(api, monkeypatch):
    monkeypatch.setattr(stored, "LOOKED_AT_MAX", 4)
    api.patch("/projects/lamp", {"notes": "x"})
    for _ in range(9):
        api.post("/tokens", WISH)

    first = api.get("/events?action=settle_project").json

    assert (first["items"], first["next"] is None) == ([], False)
    assert [event["id"] for event in api.walk("/events", action="settle_project")] == [1]


@pytest.fixture(name="many", scope="module")
def many_events(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:

        def add(tx):
            for number in range(60):
                tx.events.add("generate_token" if number % 3 else "other", project=f"p{number % 4}")

        ota.ota.stores.database.change(add)
        yield ota


@given(
    window=st.integers(1, 70),
    limit=st.integers(1, 70),
    newest=st.booleans(),
    project=st.sampled_from([None, "p1", "none"]),
    action=st.sampled_from([None, "other"]),
)
def test_walking_gives_each_event_once_whatever_the_window(
    many, window, limit, newest, project, action
):
    wanted = [
        number
        for number in range(1, 61)
        if (project is None or f"p{(number - 1) % 4}" == project)
        and (action is None or (number - 1) % 3 == 0)
    ]
    sought = stored.Sought(project=project, action=action)
    before, stored.LOOKED_AT_MAX = stored.LOOKED_AT_MAX, window
    try:
        walked, behind = [], None
        with many.ota.stores.database.reading() as rows:
            while True:
                found, behind = rows.events.find(sought, behind, limit, newest_first=newest)
                walked += [event.id for event in found]
                if behind is None:
                    break
    finally:
        stored.LOOKED_AT_MAX = before

    assert walked == (wanted[::-1] if newest else wanted)


@pytest.mark.parametrize("cursor", ["x", "-1", "1" * 19, "٣"])
def test_a_cursor_that_is_none_is_refused(api, cursor):
    assert api.get(f"/events?after={cursor}").status_code == 400
