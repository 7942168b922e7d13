"""Who may what: each call with each role, and with a key of another project."""

import pytest

from ota_http_server.api.v1.document import document, operations
from tests.api.calling import Api
from tests.api.there import IMAGE, things
from tests.instance import Instance

UUID = "e6f87d77-4216-4be1-ab83-b5fa6792b747"
ROLES = ["viewer", "publisher", "operator", "admin"]

LEAST = {
    "list_projects": "viewer",
    "get_project": "viewer",
    "change_project": "operator",
    "forget_project": "operator",
    "list_releases": "viewer",
    "get_release": "viewer",
    "draft_release": "publisher",
    "change_release": "publisher",
    "remove_draft": "publisher",
    "publish_release": "publisher",
    "withdraw_release": "operator",
    "restore_release": "operator",
    "add_image": "publisher",
    "add_versioned_image": "publisher",
    "get_image": "viewer",
    "list_rollouts": "viewer",
    "create_rollout": "operator",
    "get_rollout": "viewer",
    "pause_rollout": "operator",
    "resume_rollout": "operator",
    "advance_rollout": "operator",
    "abort_rollout": "operator",
    "list_rollout_devices": "viewer",
    "get_stops": "viewer",
    "stop_offers": "operator",
    "lift_stop": "operator",
    "list_devices": "viewer",
    "get_device": "viewer",
    "register_device": "operator",
    "change_device": "operator",
    "remove_device": "operator",
    "retry_device": "operator",
    "cancel_update": "operator",
    "explain_device": "viewer",
    "list_attempts": "viewer",
    "get_attempt": "viewer",
    "mint_token": "operator",
    "revoke_tokens": "operator",
    "list_credentials": "viewer",
    "issue_credential": "operator",
    "revoke_all_of_device": "operator",
    "revoke_credential": "operator",
    "list_gateway_keys": "viewer",
    "create_gateway_key": "operator",
    "list_claims": "viewer",
    "create_claim": "operator",
    "get_claim": "viewer",
    "revoke_claim": "operator",
    "list_device_keys": "viewer",
    "preauthorize_device_key": "operator",
    "get_device_key": "viewer",
    "accept_device_key": "operator",
    "reject_device_key": "operator",
    "list_keys": "admin",
    "create_key": "admin",
    "get_key": "admin",
    "revoke_key": "admin",
    "list_events": "viewer",
}

SAID = {
    "draft_release": {},
    "change_release": {},
    "withdraw_release": {"reason": "x"},
    "restore_release": {"reason": "x"},
    "change_project": {"notes": "x"},
    "create_rollout": {"version": "1.0.0"},
    "pause_rollout": {"reason": "x"},
    "resume_rollout": {"reason": "x"},
    "advance_rollout": {"stage": 1, "reason": "x"},
    "abort_rollout": {"reason": "x"},
    "stop_offers": {"project": "lamp", "reason": "x"},
    "lift_stop": {"project": "lamp", "reason": "x"},
    "register_device": {"project": "lamp"},
    "change_device": {"notes": "x"},
    "mint_token": {"device_id": UUID, "project": "lamp"},
    "revoke_tokens": {"device_id": "lamp-1"},
    "create_claim": {"project": "lamp"},
    "preauthorize_device_key": {"project": "lamp", "fingerprint": "cd" * 32},
    "create_key": {"name": "new", "role": "viewer", "project": "lamp"},
}

SENT = {"add_image": IMAGE, "add_versioned_image": IMAGE}

ASKED = {"list_rollout_devices": "?what=failed"}

CALLS = {
    o["operationId"]: (method, path + ASKED.get(o["operationId"], ""))
    for method, path, o in operations(document())
}
PATHS = [name for name, (_, path) in CALLS.items() if "{" in path]


@pytest.fixture(name="ota", scope="module")
def an_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        yield ota


@pytest.fixture(name="keys", scope="module")
def a_key_of_each_kind(ota):
    api = Api(ota)
    return {
        (role, scope): api.as_key(role, scope) for role in ROLES for scope in (None, "lamp", "oven")
    }


def test_the_table_has_every_call_as_the_document_says():
    said = {o["operationId"]: o["x-role"] for _, _, o in operations(document())}

    assert said == LEAST


@pytest.mark.parametrize("scope", [None, "lamp"])
@pytest.mark.parametrize("name", LEAST)
def test_a_role_may_what_the_table_says_and_no_more(ota, keys, name, scope):
    method, path = CALLS[name]
    allowed, there = {}, things(ota)
    for role in ROLES:
        answer = keys[role, scope].ask(
            method, path.format(**there), SAID.get(name), data=SENT.get(name)
        )
        there = things(ota) if method != "GET" else there
        assert answer.status_code not in (400, 401, 404), answer.data
        allowed[role] = answer.status_code != 403

    assert allowed == {role: ROLES.index(role) >= ROLES.index(LEAST[name]) for role in ROLES}


@pytest.mark.parametrize("name", PATHS)
def test_to_a_key_of_another_project_nothing_of_this_one_is_there(ota, keys, name):
    method, path = CALLS[name]
    there = things(ota)
    never = {"project": "never", "device": "never-1", "key": "never", "claim": "999999"}
    never |= {
        "rollout": "999999",
        "digest": "00" * 32,
        "fingerprint": "00" * 32,
        "attempt": "999999",
    }
    stranger = keys["admin", "oven"]

    foreign = stranger.ask(method, path.format(**there), SAID.get(name))
    missing = stranger.ask(method, path.format(**there | never), SAID.get(name))

    if name == "register_device":
        assert foreign.status_code == 403  # it names the project itself
        return
    assert foreign.status_code == missing.status_code == 404
    assert foreign.data == missing.data


@pytest.mark.parametrize(
    "name",
    [
        "mint_token",
        "create_claim",
        "preauthorize_device_key",
        "create_key",
        "revoke_tokens",
        "stop_offers",
        "lift_stop",
    ],
)
def test_a_wish_for_another_project_is_forbidden(ota, keys, name):
    things(ota)
    method, path = CALLS[name]

    assert keys["admin", "oven"].ask(method, path, SAID[name]).status_code == 403


@pytest.mark.parametrize("name", [name for name in LEAST if name.startswith("list_")])
def test_lists_hold_only_what_is_of_the_keys_project(ota, keys, name):
    _, path = CALLS[name]
    if "{" in path:
        return  # held by the tests above
    things(ota)
    api = Api(ota)
    api.put("/devices/oven-1", {"project": "oven"})
    api.post("/claims", {"project": "oven"})
    api.post("/device-keys", {"project": "oven", "fingerprint": "ee" * 32})
    api.patch("/projects/oven", {"notes": "x"})
    api.put("/projects/oven/releases/1.0.0")
    api.post("/projects/oven/rollouts", {"version": "1.0.0"})

    for project in ("lamp", "oven"):
        items = keys["admin", project].walk(path)

        of = {i.get("project", i.get("facts", {}).get("project", i.get("name"))) for i in items}
        assert of == {project}
