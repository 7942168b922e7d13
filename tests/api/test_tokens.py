"""Minting over HTTP: the brief's claims and answers, and every way to be refused."""

import base64
import io
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.instance import ADMIN_SECRET, DEVICE, Instance

MINT = "/admin/generate_token"
REVOKE = "/admin/revoke_token"
WISH = {"device_id": DEVICE, "project": "projectA", "expires_minutes": 15, "current_fw": "1.2.3"}


@pytest.fixture(name="ota", scope="module")
def an_instance(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota")) as ota:
        (ota.firmware / "projectA").mkdir(parents=True)
        yield ota


def claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_a_minted_token_carries_exactly_the_claims_of_the_brief(ota):
    before = ota.clock.second

    answer = ota.admin(MINT, WISH)

    document = answer.json
    payload = document["payload"]
    assert answer.status_code == 200
    assert list(document) == ["token", "expires_at", "payload"]
    assert list(payload) == ["sub", "project", "roles", "iat", "exp", "jti", "fw_version"]
    assert payload == claims(document["token"])
    assert (payload["sub"], payload["project"]) == (DEVICE, "projectA")
    assert payload["roles"] == ["device", "ota_client"]
    assert payload["fw_version"] == "1.2.3"
    assert before <= payload["iat"] <= before + 60
    assert payload["exp"] - payload["iat"] == 15 * 60


def test_the_expiry_is_said_as_a_date_with_its_zone(ota):
    document = ota.admin(MINT, WISH).json

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", document["expires_at"])
    said = datetime.fromisoformat(document["expires_at"])
    assert said == datetime.fromtimestamp(document["payload"]["exp"], UTC)


def test_an_answer_with_a_token_is_kept_by_nobody(ota):
    answer = ota.admin(MINT, WISH)

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"


def test_what_is_left_out_has_its_default(ota):
    payload = ota.admin(MINT, {"device_id": DEVICE, "project": "projectA"}).json["payload"]

    assert payload["exp"] - payload["iat"] == 30 * 60
    assert payload["fw_version"] == "1.0.0"


def test_null_is_as_good_as_left_out(ota):
    wish = WISH | {"expires_minutes": None, "current_fw": None}

    payload = ota.admin(MINT, wish).json["payload"]

    assert (payload["exp"] - payload["iat"], payload["fw_version"]) == (1800, "1.0.0")


def test_every_token_has_its_own_id(ota):
    ids = {ota.admin(MINT, WISH).json["payload"]["jti"] for _ in range(20)}

    assert len(ids) == 20


def test_a_device_is_named_in_one_way(ota):
    payload = ota.admin(MINT, WISH | {"device_id": DEVICE.upper()}).json["payload"]

    assert payload["sub"] == DEVICE


def test_with_the_names_of_the_brief_a_token_stays_short(ota):
    assert len(ota.mint("projectA", current_fw="01.00.01")) < 340


def test_a_project_without_a_folder_gets_its_token_and_a_warning(ota):
    document = ota.admin(MINT, WISH | {"project": "not-yet"}).json

    assert "token" in document
    assert "not-yet" in document["warning"]


def test_a_key_that_means_nothing_is_warned_of(ota):
    document = ota.admin(MINT, WISH | {"expire_minutes": 5}).json

    assert "expire_minutes" in document["warning"]
    assert "expires_minutes" in document["warning"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"device_id": None},
        {"device_id": 5},
        {"device_id": ""},
        {"device_id": "lamp-7"},
        {"device_id": f"{{{DEVICE}}}"},
        {"device_id": f"urn:uuid:{DEVICE}"},
        {"device_id": DEVICE.replace("-", "")},
        {"device_id": f" {DEVICE}"},
        {"device_id": f"{DEVICE}\n"},
        {"device_id": "é6f87d77-4216-4be1-ab83-b5fa6792b747"},
        {"project": None},
        {"project": ["projectA"]},
        {"project": ""},
        {"project": ".."},
        {"project": "../projectA"},
        {"project": "a/b"},
        {"project": "a b"},
        {"project": "projectA\n"},
        {"project": "x" * 65},
        {"expires_minutes": 0},
        {"expires_minutes": -1},
        {"expires_minutes": 1441},
        {"expires_minutes": 10**19},
        {"expires_minutes": 15.0},
        {"expires_minutes": 1.5},
        {"expires_minutes": "15"},
        {"expires_minutes": True},
        {"expires_minutes": False},
        {"expires_minutes": []},
        {"current_fw": 1},
        {"current_fw": ""},
        {"current_fw": "x" * 65},
        {"current_fw": "1.0\n"},
        {"current_fw": "1.0é"},
    ],
)
def test_a_wish_that_is_out_of_range_is_refused(ota, wrong):
    answer = ota.admin(MINT, WISH | wrong)

    assert answer.status_code == 400
    assert answer.json["code"] == "invalid"
    assert "token" not in answer.json


@pytest.mark.parametrize("minutes", [1, 1440])
def test_lifetimes_reach_from_a_minute_to_the_maximum(ota, minutes):
    payload = ota.admin(MINT, WISH | {"expires_minutes": minutes}).json["payload"]

    assert payload["exp"] - payload["iat"] == minutes * 60


@pytest.mark.parametrize("path", [MINT, REVOKE])
def test_a_missing_and_a_wrong_secret_look_the_same(tmp_path, path):
    with Instance(tmp_path) as ota:
        missing = ota.client.post(path, json=WISH)
        wrong = [
            ota.admin(path, WISH, X_Admin_Secret=secret)
            for secret in ("", "wrong", ADMIN_SECRET + " x", ADMIN_SECRET.upper())
        ]

    assert missing.status_code == 403
    assert {answer.status_code for answer in wrong} == {403}
    assert {answer.data for answer in wrong} == {missing.data}


def test_the_secret_is_asked_for_before_anything_else(tmp_path):
    with Instance(tmp_path) as ota:
        answer = ota.client.post(MINT, data=b"not json", content_type="text/plain")

    assert answer.status_code == 403


def test_who_guesses_is_told_to_wait(tmp_path):
    with Instance(tmp_path) as ota:
        answers = [ota.admin(MINT, WISH, X_Admin_Secret=f"wrong {n}") for n in range(12)]

    refused = answers[-1]
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "text/json"]
)
def test_another_media_type_is_not_read(ota, content_type):
    answer = post(ota, json.dumps(WISH).encode(), content_type)

    assert answer.status_code == 415


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_say_its_charset(ota, content_type):
    assert post(ota, json.dumps(WISH).encode(), content_type).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"{}{}",
        b'{"device_id": NaN}',
        b'{"device_id": Infinity}',
        b'{"device_id": 1, "device_id": 2}',
        b'{"expires_minutes": 1' + b"0" * 20 + b"}",
        b'{"expires_minutes": 1.' + b"0" * 60 + b"}",
        b'{"a":' * 25 + b"1" + b"}" * 25,
        b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b"[" * 60_000,
        json.dumps(WISH).encode("utf-16"),
        b'{"device_id": "\\ud800"}',
        b'{"expires_minutes": 1e999}',
    ],
)
def test_json_that_is_none_or_beyond_the_limits_is_a_bad_request(ota, body):
    assert post(ota, body).status_code == 400


def test_a_body_may_have_64_kib_and_not_a_byte_more(ota):
    full = json.dumps(WISH).encode().ljust(64 * 1024)

    assert post(ota, full).status_code == 200
    too_much = post(ota, full + b" ")
    assert (too_much.status_code, too_much.json["code"]) == (413, "too_large")


def post(ota, body, content_type="application/json"):
    headers = {"X-Admin-Secret": ADMIN_SECRET}
    return ota.client.post(MINT, data=body, content_type=content_type, headers=headers)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_mints_and_revokes(ota, method):
    for path in (MINT, REVOKE):
        answer = ota.ask(method, path, X_Admin_Secret=ADMIN_SECRET)
        assert answer.status_code == 405
        assert "POST" in answer.headers["Allow"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
keys = st.sampled_from(["device_id", "project", "expires_minutes", "current_fw", "jti", "token"])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.sampled_from([MINT, REVOKE]),
    document=values | st.dictionaries(keys | st.text(max_size=5), values, max_size=5),
)
def test_any_json_is_answered_without_a_mistake(ota, path, document):
    body = json.dumps(document).encode()
    headers = {"X-Admin-Secret": ADMIN_SECRET}

    answer = ota.client.post(path, data=body, content_type="application/json", headers=headers)

    assert answer.status_code < 500


@settings(deadline=None, max_examples=100)
@given(body=st.binary(max_size=200))
def test_any_bytes_are_answered_without_a_mistake(ota, body):
    assert post(ota, body).status_code in (400, 415)


def test_problems_are_problem_json(ota):
    for answer in (
        post(ota, b"{"),
        ota.get("/nothing"),
        ota.get(MINT),
        ota.client.post(MINT, json=WISH),
        ota.get("/firmware/x/y"),
    ):
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert json.loads(answer.data)["status"] == answer.status_code


def test_the_audit_log_has_one_line_in_the_form_of_the_brief(tmp_path):
    with Instance(tmp_path) as ota:
        document = ota.admin(MINT, WISH).json

    line = (tmp_path / "ota_audit.log").read_text().splitlines()[-1]
    pattern = (
        r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] \[AUDIT\] Action=generate_token IP=127\.0\.0\.1"
        rf" device={DEVICE} project=projectA exp={document['payload']['exp']}"
        r" actor=shared-secret"
    )
    assert re.fullmatch(pattern, line)


def test_a_token_whose_row_cannot_be_written_is_not_issued(tmp_path):
    with Instance(tmp_path) as ota:
        ota.mint("projectA")
        with ota.ota.stores.database.reading() as rows:
            rows.connection.exec_driver_sql("ALTER TABLE events RENAME TO gone")
            rows.connection.commit()
        answer = ota.admin(MINT, WISH)

    assert answer.status_code == 503
    assert b"eyJ" not in answer.data


class Board:
    """ESP-IDF's transmit buffer as measured: so much of a token and of a path fits."""

    bearer_max = 485
    path_max = 459

    @classmethod
    def can_send(cls, document, file):
        token, project = document["token"], document["payload"]["project"]
        in_query = len(f"/firmware/{project}/{file}?token={token}")
        return len(token) <= cls.bearer_max, in_query <= cls.path_max


@pytest.mark.parametrize("project", ["projectA", "p" * 32, "p" * 64])
@pytest.mark.parametrize("file", ["projectA-01.00.02.bin", "f" * 60 + ".bin", "f" * 124 + ".bin"])
@pytest.mark.parametrize("firmware", ["1.0.0", "v" * 31, "v" * 64])
def test_a_token_that_a_stock_board_cannot_send_comes_with_a_warning(
    tmp_path, project, file, firmware
):
    with Instance(tmp_path) as ota:
        ota.drop(project, file, b"x")
        document = ota.admin(MINT, WISH | {"project": project, "current_fw": firmware}).json

    as_header, in_query = Board.can_send(document, file)
    assert ("warning" in document) == (not (as_header and in_query))
    if not in_query:
        length = len(f"/firmware/{project}/{file}?token={document['token']}")
        needed = length - Board.path_max + 512
        assert f"buffer_size_tx to {needed}" in document["warning"]


def test_with_the_names_of_the_brief_token_and_url_fit_a_stock_board(tmp_path):
    with Instance(tmp_path) as ota:
        ota.drop("projectA", "projectA-01.00.02.bin", b"x")
        document = ota.admin(MINT, WISH).json

    assert Board.can_send(document, "projectA-01.00.02.bin") == (True, True)
    assert "warning" not in document


@pytest.mark.parametrize("excess", [b" ", b"GARBAGE", b" " * 1_000_000])
def test_a_body_without_a_length_has_the_same_limit(tmp_path, excess):
    wish = json.dumps({"device_id": DEVICE, "project": "lamp"}).encode().ljust(65_536)
    with Instance(tmp_path) as instance:
        answer = instance.client.post(
            "/admin/generate_token",
            input_stream=io.BytesIO(wish + excess),
            content_type="application/json",
            headers={"X-Admin-Secret": ADMIN_SECRET},
            environ_overrides={"wsgi.input_terminated": True},
        )

    assert (answer.status_code, answer.json["code"]) == (413, "too_large")


def test_a_compressed_body_is_not_taken(tmp_path):
    with Instance(tmp_path) as instance:
        answer = instance.admin(
            "/admin/generate_token",
            {"device_id": DEVICE, "project": "lamp"},
            Content_Encoding="gzip",
        )

    assert (answer.status_code, answer.json["code"]) == (415, "not_json")
