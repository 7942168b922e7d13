"""Where a token may stand, which one counts, and what a caller without a good one learns."""

import base64
import json
import time

import jwt
import pytest

from tests.instance import DEVICE, JWT_SECRET, Instance
from tests.protocols.conftest import LAMP, PLUG

PATH = "/firmware/lamp/lamp-1.4.0.bin"
BAD = "not-a-token"


def basic(password, user="anybody"):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
def test_a_bearer_token_opens_in_any_case(ota, token, scheme):
    assert ota.get(PATH, Authorization=f"{scheme} {token}").data == LAMP


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_token_in_the_query_opens(ota, token, method):
    assert ota.ask(method, f"{PATH}?token={token}").status_code == 200
    assert ota.ask(method, f"{PATH}?device_id={DEVICE}&token={token}&x=1").status_code == 200


@pytest.mark.parametrize("user", ["", "esp", DEVICE, "ü"])
def test_a_token_as_basic_password_opens(ota, token, user):
    assert ota.get(PATH, Authorization=basic(token, user)).data == LAMP


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_basic_is_known_in_any_case(ota, token, scheme):
    assert ota.get(PATH, Authorization=basic(token).replace("Basic", scheme)).status_code == 200


@pytest.mark.parametrize(
    "rest",
    ["lamp-1.4.0.bin", "versions", "latest", "lamp-1.4.0.bin.md5", "lamp-1.4.0.bin.sha256"],
)
def test_a_token_may_stand_in_the_path_before_anything(ota, token, rest):
    assert ota.get(f"/firmware/lamp/{token}/{rest}").status_code == 200


def test_a_token_may_stand_in_the_path_before_an_immutable_name(ota, token):
    digest = ota.get(PATH, token).headers["x-SHA256"][:16]

    assert ota.get(f"/firmware/lamp/{token}/sha256-{digest}/lamp-1.4.0.bin").data == LAMP


def test_what_the_server_puts_into_urls_carries_no_token(ota, token):
    for path in (f"/firmware/lamp/{token}/latest", f"/firmware/lamp/latest?token={token}"):
        assert "eyJ" not in ota.get(path).text


@pytest.mark.parametrize(
    "header", [f"Bearer {BAD}", basic(BAD), "", "Digest x", "Bearer", "Bearer "]
)
def test_the_header_counts_before_query_and_path_and_decides_alone(ota, token, header):
    for path in (PATH, f"{PATH}?token={token}", f"/firmware/lamp/{token}/lamp-1.4.0.bin"):
        assert ota.get(path, Authorization=header).status_code == 401


def test_a_good_header_is_not_spoilt_by_a_bad_query_or_path(ota, token):
    assert ota.get(f"{PATH}?token={BAD}", token).status_code == 200
    assert ota.get(f"/firmware/lamp/a.b.c/lamp-1.4.0.bin?token={BAD}", token).status_code == 200


def test_the_query_counts_before_the_path(ota, token):
    assert ota.get(f"/firmware/lamp/{token}/lamp-1.4.0.bin?token={BAD}").status_code == 401
    assert ota.get(f"/firmware/lamp/{token}/lamp-1.4.0.bin?token=").status_code == 401
    assert ota.get(f"/firmware/lamp/a.b.c/lamp-1.4.0.bin?token={token}").status_code == 200


def test_of_two_tokens_in_the_query_the_first_decides(ota, token):
    assert ota.get(f"{PATH}?token={BAD}&token={token}").status_code == 401
    assert ota.get(f"{PATH}?token={token}&token={BAD}").status_code == 200


def test_an_admin_endpoint_takes_no_token_from_the_query(ota, token):
    answer = ota.client.post(f"/admin/revoke_token?token={token}", json={"jti": "x"})

    assert answer.status_code == 403


@pytest.mark.parametrize("path", [PATH, "/firmware/lamp/versions", "/firmware/", "/firmware/x"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_without_a_credential_the_challenge_names_no_error(ota, path, method):
    answer = ota.ask(method, path)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ota"'
    assert int(answer.headers["Content-Length"]) < 64


def foreign(**changed):
    now = int(time.time())
    claims = {
        "sub": DEVICE,
        "project": "lamp",
        "roles": ["device", "ota_client"],
        "iat": now,
        "exp": now + 600,
        "jti": "elsewhere",
    }
    claims |= changed
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims, secret=JWT_SECRET, **header):
    return jwt.encode(claims, secret, "HS256", headers=header or None)


@pytest.mark.parametrize(
    "made",
    [
        BAD,
        "a.b.c",
        "x" * 5000,
        signed(foreign(), "another secret, just as long as the right one"),
        signed(foreign(exp=int(time.time()) - 5)),
        signed(foreign(), kid="1"),
        signed(foreign(roles=["device"])),
        signed(foreign(exp=None)),
        signed(foreign(sub=None)),
        signed(foreign(exp=int(time.time()) + 10**6)),
    ],
)
def test_every_bad_token_gets_the_same_tiny_401(ota, made):
    answers = [
        ota.get(PATH, made),
        ota.get(PATH, Authorization=basic(made)),
        ota.get(f"{PATH}?token={made}"),
    ]

    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="ota", error="invalid_token"'
        assert answer.data == b'{"status":401,"code":"unauthenticated"}'


@pytest.mark.parametrize(
    "claims",
    [
        foreign(),
        foreign(iat=None, jti=None),
        foreign(sub="sensor:7"),
        foreign(roles=["ota_client", "admin", "device"]),
        foreign(iss="us", aud="them"),
    ],
)
def test_a_token_minted_elsewhere_with_the_same_secret_opens(ota, claims):
    assert ota.get(PATH, signed(claims)).data == LAMP


PROJECTS = ["plug", "no-such-project"]
RESTS = [
    "plug.bin",
    "versions",
    "latest",
    "plug.bin.md5",
    "plug.bin.sha256",
    f"sha256-{'0' * 16}/plug.bin",
    "",
    "a/b/c/d/e",
    ".hidden",
]


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_a_foreign_project_looks_exactly_like_none_at_all(ota, token, method, rest):
    def answers(project):
        ranged = {"Range": "bytes=5-9"}
        return [
            seen(ota.ask(method, f"/firmware/{project}/{rest}", token)),
            seen(ota.ask(method, f"/firmware/{project}/{rest}", token, **ranged)),
            seen(ota.ask(method, f"/firmware/{project}/{rest}?token={token}")),
            seen(ota.ask(method, f"/firmware/{project}/{rest}", Authorization=basic(token))),
            seen(ota.ask(method, f"/firmware/{project}/{token}/{rest}")),
        ]

    foreign_project, no_project = (answers(project) for project in PROJECTS)

    assert foreign_project == no_project
    assert {status for status, _, _ in foreign_project} <= {404, 405}


def test_the_own_project_without_a_folder_looks_like_a_foreign_one(ota, token):
    lost = ota.mint("lost")

    assert seen(ota.get("/firmware/lost/x.bin", lost)) == seen(
        ota.get("/firmware/plug/x.bin", token)
    )


def seen(answer):
    headers = sorted((k, v) for k, v in answer.headers.items() if k != "Date")
    return answer.status_code, headers, answer.data


def test_a_token_of_the_other_project_opens_that_one(ota):
    assert ota.get("/firmware/plug/plug.bin", ota.mint("plug")).data == PLUG


@pytest.fixture(name="no_query", scope="module")
def without_query_tokens(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota"), query_token=False) as instance:
        instance.drop("lamp", "lamp-1.4.0.bin", LAMP)
        yield instance


def test_tokens_in_the_query_can_be_switched_off(no_query):
    token = no_query.mint("lamp")

    assert no_query.get(f"{PATH}?token={token}").status_code == 401
    assert no_query.get(f"/firmware/lamp/{token}/lamp-1.4.0.bin?token={BAD}").status_code == 200


@pytest.fixture(name="tokenless", scope="module")
def without_tokens(tmp_path_factory):
    with Instance(tmp_path_factory.mktemp("ota"), no_jwt=True) as instance:
        instance.drop("lamp", "lamp-1.4.0.bin", LAMP)
        yield instance


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {BAD}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Nonsense"},
        {"Authorization": ""},
    ],
)
def test_with_tokens_off_nobody_needs_one_and_one_is_ignored(tokenless, headers):
    for path in (PATH, f"{PATH}?token={BAD}", "/firmware/lamp/a.b.c/lamp-1.4.0.bin"):
        assert tokenless.get(path, **headers).data == LAMP


def test_with_tokens_off_minting_works_as_before(tokenless):
    token = tokenless.mint("lamp")

    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["project"] == "lamp"
    assert tokenless.get(PATH, token).data == LAMP
