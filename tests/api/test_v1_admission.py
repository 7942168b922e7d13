"""Letting devices in over the admin API: credentials, gateway keys, claim codes, key pairs."""

import logging
import re

import pytest

from ota_http_server.api.v1.document import document, operations
from tests.api.there import FINGERPRINT, things

CODE = re.compile(r"([0-9A-Z]{4}-){4}[0-9A-Z]{4}")
DEVICE = "lamp-1"


def register(api, device=DEVICE, project="lamp"):
    answer = api.put(f"/devices/{device}", {"project": project})
    assert answer.status_code == 201, answer.data


def issue(api, device=DEVICE):
    answer = api.post(f"/devices/{device}/credentials")
    assert answer.status_code == 201, answer.data
    return answer.json


def opens(api, credential, project="lamp"):
    return api.ota.get(f"/firmware/{project}/versions", credential).status_code == 200


def test_a_credential_opens_its_project_until_it_is_taken_back(api):
    api.ota.drop_old("lamp", "lamp-1.0.bin", b"firmware")
    register(api)

    given = issue(api)
    worked = opens(api, given["text"])
    api.delete(f"/credentials/{given['credential']['digest'][:12]}")

    assert re.fullmatch(r"[A-Za-z0-9]{32}", given["text"])
    assert worked
    assert not opens(api, given["text"])


def test_credentials_are_listed_the_latest_first_and_revoked_alone(api):
    register(api)
    first, second = issue(api), issue(api)
    answer = api.delete(f"/credentials/{first['credential']['digest']}")

    listed = api.get(f"/devices/{DEVICE}/credentials").json["items"]

    assert answer.json["revoked_at"] is not None
    assert {one["digest"]: one["revoked_at"] is None for one in listed} == {
        first["credential"]["digest"]: False,
        second["credential"]["digest"]: True,
    }


def test_all_that_a_device_has_is_taken_back_at_once(api):
    api.ota.drop_old("lamp", "lamp-1.0.bin", b"firmware")
    register(api)
    texts = [issue(api)["text"] for _ in range(2)]

    answer = api.delete(f"/devices/{DEVICE}/credentials")

    assert answer.json == {"revoked": 2}
    assert not any(opens(api, text) for text in texts)


@pytest.mark.parametrize(("digest", "status"), [("0" * 8, 404), ("0" * 7, 400), ("xyz" * 4, 400)])
def test_a_digest_that_names_no_credential(api, digest, status):
    assert api.delete(f"/credentials/{digest}").status_code == status


def test_a_gateway_key_comes_with_a_warning(api):
    register(api)
    answer = api.post("/projects/lamp/gateway-keys")

    assert answer.status_code == 201
    assert "every device" in answer.json["warning"]
    (listed,) = api.get("/projects/lamp/gateway-keys").json["items"]
    assert (listed["kind"], listed["device"]) == ("gateway", "")
    assert answer.json["text"] not in str(listed)


def test_a_claim_code_is_shown_once_and_may_be_taken_back(api):
    wish = {"project": "lamp", "devices": 5, "label": "first run", "tags": ["b", "a"]}

    answer = api.post("/claims", wish | {"channel": "Beta"})

    assert answer.status_code == 201
    assert CODE.fullmatch(answer.json["code"])
    claim = answer.json["claim"]
    assert (claim["uses"], claim["uses_max"], claim["label"]) == (0, 5, "first run")
    assert (claim["channel"], claim["tags"]) == ("beta", ["a", "b"])
    assert api.get(answer.headers["Location"]).json == claim
    assert api.delete(f"/claims/{claim['id']}").json["revoked_at"] is not None
    assert api.delete(f"/claims/{claim['id']}").status_code == 200
    assert api.delete("/claims/999").status_code == 404


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"project": "-"},
        {"project": "lamp", "devices": 0},
        {"project": "lamp", "devices": 100_001},
        {"project": "lamp", "label": "a\nb"},
        {"project": "lamp", "tags": ["a b"]},
        {"project": "lamp", "tags": None},
        {"project": "lamp", "channel": "no channel"},
        {"project": "lamp", "expires_at": "2000-01-01T00:00:00Z"},
        {"project": "lamp", "code": "AAAA"},
    ],
)
def test_a_wish_for_a_code_that_makes_no_sense_is_refused(api, wish):
    assert api.post("/claims", wish).status_code == 400


def test_claims_come_in_pages(api):
    for _ in range(3):
        api.post("/claims", {"project": "lamp"})

    assert [claim["id"] for claim in api.walk("/claims", limit=2)] == [1, 2, 3]


def test_a_device_that_waits_is_let_in_or_kept_out(api):
    things(api.ota)
    pending = [key["fingerprint"] for key in api.walk("/device-keys", state="pending")]

    accepted = api.post(f"/device-keys/{FINGERPRINT}/accept")
    rejected = api.post(f"/device-keys/{FINGERPRINT}/reject")

    assert pending == [FINGERPRINT]
    assert (accepted.status_code, accepted.json["state"]) == (200, "accepted")
    assert FINGERPRINT[:16] in api.get("/devices/lamp-2").json["created_by"]
    assert (rejected.status_code, rejected.json["state"]) == (200, "rejected")
    assert api.walk("/device-keys", state="pending") == []


def test_a_key_is_announced_before_it_comes(api):
    fingerprint = ":".join(["CD"] * 32)

    answer = api.post("/device-keys", {"project": "lamp", "fingerprint": fingerprint})

    assert (answer.status_code, answer.json["state"]) == (200, "announced")
    assert answer.json["fingerprint"] == "cd" * 32
    assert api.get(f"/device-keys/{fingerprint}").json == answer.json
    assert api.post(f"/device-keys/{'cd' * 32}/accept").status_code == 409
    assert (
        api.post("/device-keys", {"project": "oven", "fingerprint": "cd" * 32}).status_code == 409
    )
    assert api.get("/device-keys/xyz").status_code == 400
    assert api.post(f"/device-keys/{'00' * 32}/accept").status_code == 404


def test_what_is_shown_once_is_in_no_other_answer_no_log_and_no_file(api, caplog):
    caplog.set_level(logging.DEBUG)
    there = things(api.ota)
    secrets = [
        api.post("/keys", {"name": "canary", "role": "admin"}).json["text"],
        issue(api)["text"],
        api.post("/projects/lamp/gateway-keys").json["text"],
        api.post("/claims", {"project": "lamp"}).json["code"],
        api.post(
            "/tokens", {"device_id": "e6f87d77-4216-4be1-ab83-b5fa6792b747", "project": "lamp"}
        )
        .json["token"]
        .split(".")[2],
    ]
    for secret in secrets:  # a careless caller puts it where it does not belong
        api.get(f"/devices/{secret}")
        api.get(f"/keys/{secret}")
    answers = [
        api.get(path.format(**there)).get_data(as_text=True)
        for method, path, _ in operations(document())
        if method == "GET"
    ]
    api.ota.close()

    kept = [path.read_bytes() for path in api.ota.folder.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not any(secret in answer for answer in answers)
        assert not any(secret.encode() in content for content in kept)
        # The code without its marks as well.
        assert not any(secret.replace("-", "").encode() in content for content in kept)
