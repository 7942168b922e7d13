"""A board without a credential comes in: with a claim code, or with a key pair of its own."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_http_server.domain.project import Project
from ota_http_server.operations.claim import ClaimWish
from ota_http_server.security.claim_codes import ClaimCodes
from tests.api.calling import SHELL
from tests.asking import DEVICE
from tests.instance import Instance
from tests.operations.enrolling import KeyPair
from tests.protocols.lamps import drop

DOOR = "/api/device/v1/"
PARTS = ("enroll", "challenge", "key", "token")


@pytest.fixture(name="ota", scope="module")
def an_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as instance:
        drop(instance, "1.4.0")
        yield instance


def say(ota, part, document=None, **headers):
    return ota.client.post(DOOR + part, json=document or {}, headers=headers)


def a_code(ota, devices=1):
    return ota.ota.claims.create(SHELL, ClaimWish.of("lamp", devices)).code


def device_of(ota, device):
    with ota.ota.stores.database.reading() as rows:
        return rows.devices.get(device)


def takes_keys(ota, yes=True):
    ota.ota.stores.database.change(
        lambda tx: tx.projects.put(Project(name="lamp", accepts_keys=yes, edition=1))
    )


def signed(ota, pair, device, **more):
    challenge = say(ota, "challenge").json["challenge"]
    words = pair.words(challenge, device)
    said = {"project": "lamp", "device_id": device, "challenge": challenge}
    return {**said, "signature": words.signature, **more}


def test_a_code_becomes_a_credential_that_opens_everything_of_the_device(ota):
    said = {"code": a_code(ota).lower(), "device_id": DEVICE.upper(), "version": "1.0.0"}

    answer = say(ota, "enroll", {**said, "chip": "ESP32", "made_in": "somewhere"})

    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.data) < 256
    assert {**answer.json, "credential": ""} == {
        "device_id": DEVICE,
        "project": "lamp",
        "credential": "",
    }
    token = answer.json["credential"]
    assert ota.get("/firmware/lamp/lamp-1.4.0.bin", token).status_code == 200
    checked = ota.get(f"{DOOR}check?chip=esp32&version=1.0.0", token)
    assert checked.json["update"] is True
    assert (device_of(ota, DEVICE).chip, device_of(ota, DEVICE).version) == ("esp32", "1.0.0")


def test_a_board_that_lost_the_answer_is_answered_again(ota):
    said = {"code": a_code(ota), "device_id": "lost"}
    first = say(ota, "enroll", said)

    again = say(ota, "enroll", said)

    assert (first.status_code, again.status_code) == (201, 200)
    assert ota.get("/firmware/lamp/latest", again.json["credential"]).status_code == 200
    assert ota.get("/firmware/lamp/latest", first.json["credential"]).status_code == 401


def test_wrong_used_and_revoked_codes_cannot_be_told_apart(ota):
    used, revoked = a_code(ota), a_code(ota)
    say(ota, "enroll", {"code": used, "device_id": "somebody"})
    with ota.ota.stores.database.reading() as rows:
        number = rows.claims.page(None, 0, 999)[-1].id
    ota.ota.claims.revoke(SHELL, number)
    # Ours in form, never given; and no code at all.
    made, strange = ClaimCodes(ota.ota.stores.secrets.devices).new(), "0AB1-2CDE"

    answers = [
        say(ota, "enroll", {"code": code, "device_id": "board"})
        for code in (used, revoked, made, strange, "", None, 5, ["x"])
    ]

    assert {(a.status_code, a.data, tuple(sorted(a.headers))) for a in answers} == {
        (401, b'{"status":401,"code":"unauthenticated"}', tuple(sorted(answers[0].headers)))
    }
    assert device_of(ota, "board") is None


@pytest.mark.parametrize(
    ("part", "document"),
    [
        ("enroll", {"code": "x"}),
        ("enroll", {"code": "x", "device_id": "a b"}),
        ("enroll", {"code": "x", "device_id": f"urn:uuid:{DEVICE}"}),
        ("enroll", {"code": "x", "device_id": DEVICE, "chip": "no chip!"}),
        ("key", {}),
        ("key", {"project": "lamp", "device_id": DEVICE}),
        ("token", {"kind": "everything"}),
        ("token", {"project": 5}),
    ],
)
def test_what_makes_no_sense_is_a_400(ota, part, document):
    assert say(ota, part, document).status_code == 400


@pytest.mark.parametrize("part", ["enroll", "key", "token"])
@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"code":1,"code":2}', "application/json", 400),
        (b"", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b'{"code":"' + b"x" * 4_096 + b'"}', "application/json", 413),
    ],
)
def test_a_body_that_is_none_is_refused(ota, part, body, kind, status):
    answer = ota.client.post(DOOR + part, data=body, content_type=kind)

    assert answer.status_code == status


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_all_of_them_are_post(ota, part, method):
    answer = ota.ask(method, DOOR + part)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_body_in_another_coding_is_refused(ota):
    assert say(ota, "enroll", {"code": "x"}, **{"Content-Encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_a_key_waits_is_accepted_and_has_tokens_made(ota, kind):
    takes_keys(ota)
    pair, device = KeyPair(kind), f"board-with-{kind}"

    asked = say(ota, "key", signed(ota, pair, device, public_key=pair.pem))
    assert asked.status_code == 202
    assert asked.json["state"] == "pending" and asked.json["poll_seconds"] > 0
    assert say(ota, "token", signed(ota, pair, device)).status_code == 401

    ota.ota.admit_key.accept(SHELL, asked.json["fingerprint"])

    again = say(ota, "key", signed(ota, pair, device, public_key=pair.pem))
    assert (again.status_code, again.json["state"]) == (200, "accepted")
    minted = say(ota, "token", signed(ota, pair, device)).json
    assert list(minted) == ["token", "expires_at"]
    lasting = say(ota, "token", signed(ota, pair, device, kind="credential")).json
    assert list(lasting) == ["credential"]
    for token in (minted["token"], lasting["credential"]):
        assert ota.get("/firmware/lamp/latest", token).status_code == 200


def test_without_the_projects_word_a_stranger_writes_nothing(ota):
    takes_keys(ota, yes=False)
    pair = KeyPair()

    answers = [say(ota, "key", signed(ota, pair, "stranger", public_key=pair.pem))]
    said = signed(ota, pair, "stranger", public_key=pair.pem)
    answers.append(say(ota, "key", {**said, "project": "nowhere"}))

    assert {(a.status_code, a.data) for a in answers} == {(404, answers[0].data)}
    with ota.ota.stores.database.reading() as rows:
        assert rows.device_keys.pending_addresses("lamp") == []


def test_a_challenge_is_small_ours_and_good_for_minutes(ota):
    answer = say(ota, "challenge")

    assert answer.status_code == 200
    assert answer.json["expires_in"] == 300
    assert len(answer.json["challenge"]) == 31
    assert answer.headers["Cache-Control"] == "no-store"


def test_codes_and_credentials_are_in_no_line_of_the_audit_or_the_log(ota, caplog):
    caplog.set_level("DEBUG")
    code = a_code(ota)
    credential = say(ota, "enroll", {"code": code, "device_id": "secretive"}).json["credential"]
    say(ota, "enroll", {"code": code, "device_id": "another"})

    written = (ota.folder / "ota_audit.log").read_text() + caplog.text
    assert "device=secretive" in written
    for secret in (code, code.replace("-", ""), credential):
        assert secret not in written


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
names = st.sampled_from(
    ["code", "device_id", "project", "challenge", "signature", "public_key", "kind", "version"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PARTS), st.dictionaries(names, json_values))
def test_any_words_have_an_answer_that_is_no_mistake_of_ours(ota, part, document):
    answer = ota.client.post(
        DOOR + part, data=json.dumps(document), content_type="application/json"
    )

    assert answer.status_code in (200, 400, 401, 404, 429), answer.data
