import json
import warnings
from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as oracle
from joserfc.jwk import OctKey

from ota_http_server.domain.errors import Misconfigured, Unauthenticated
from ota_http_server.security.claims import Claims
from ota_http_server.security.tokens import ALGORITHMS, SECRET_BYTES_MIN, Tokens
from tests.security import forge
from tests.security.forge import CLAIMS, DEVICE, HEADER, NOW, SECRET, unhurried

DAY_SECONDS = 86_400

algorithms = st.sampled_from(ALGORITHMS)
subjects = st.from_regex(r"[A-Za-z0-9:._-]{1,64}", fullmatch=True)
projects = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
lifetimes = st.integers(1, DAY_SECONDS)


def minted(algorithm="HS256", now=NOW):
    return Tokens(SECRET, algorithm).mint(DEVICE, "smart_fan", 1800, "1.0.0", now)


def decoded(part):
    return json.loads(urlsafe_b64decode(part + "=="))


def test_a_token_says_exactly_what_the_first_page_promises_in_that_order():
    token, payload = minted()

    assert list(payload) == ["sub", "project", "roles", "iat", "exp", "jti", "fw_version"]
    assert payload | {"jti": ""} == CLAIMS | {"jti": ""}
    assert decoded(token.split(".")[1]) == payload


def test_a_token_begins_as_the_example_of_the_first_page_does():
    token, _ = minted()

    assert token.startswith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.")


def test_a_thousand_tokens_of_one_second_are_distinct_and_fit_a_stock_board():
    mints = [minted() for _ in range(1000)]

    assert len({payload["jti"] for _, payload in mints}) == 1000
    assert len({token for token, _ in mints}) == 1000
    assert max(len(token) for token, _ in mints) < 340


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_minted_token_holds_until_the_second_it_expires(algorithm):
    tokens = Tokens(SECRET, algorithm)
    token, payload = minted(algorithm)

    claims = tokens.verify(token, NOW + 1799)

    assert claims == Claims(DEVICE, "smart_fan", NOW + 1800, NOW, payload["jti"])
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.verify(token, NOW + 1800)


def test_a_token_of_the_longest_life_holds_and_one_second_more_does_not():
    tokens = Tokens(SECRET, lifetime_seconds_max=3600)

    assert tokens.verify(forge.with_claims(exp=NOW + 3600), NOW)
    with pytest.raises(Unauthenticated, match="longer"):
        tokens.verify(forge.with_claims(exp=NOW + 3601), NOW)


def test_without_iat_what_is_left_of_a_life_must_fit():
    tokens = Tokens(SECRET, lifetime_seconds_max=1800)
    token = forge.without("iat")

    assert tokens.verify(token, NOW).issued_at is None
    with pytest.raises(Unauthenticated, match="longer"):
        tokens.verify(token, NOW - 1)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(forge.without("jti"), id="no jti"),
        pytest.param(forge.without("iat"), id="no iat"),
        pytest.param(forge.without("fw_version"), id="no fw_version"),
        pytest.param(forge.joined({"alg": "HS256"}, CLAIMS), id="no typ"),
        pytest.param(forge.with_header(typ="at+jwt"), id="another typ"),
        pytest.param(forge.with_header(cty="json", who="us"), id="header names without meaning"),
        pytest.param(forge.joined({"typ": "JWT", "alg": "HS256"}, CLAIMS), id="typ first"),
        pytest.param(forge.joined('{ "alg" : "HS256" }', CLAIMS), id="spaces in the header"),
        pytest.param(forge.joined(HEADER, json.dumps(CLAIMS, indent=2)), id="indented payload"),
        pytest.param(forge.with_claims(roles=["x", "ota_client", "device"]), id="more roles"),
        pytest.param(forge.with_claims(iss="elsewhere", aud=["a"]), id="iss and aud"),
        pytest.param(forge.with_claims(iat=NOW + 60, nbf=NOW + 60), id="a clock 60 s ahead"),
        pytest.param(forge.with_claims(nbf=0), id="nbf long ago"),
        pytest.param(forge.with_claims(sub="AA:BB:CC:00:11:22"), id="a MAC address"),
        pytest.param(forge.with_claims(sub="s" * 64, project="P" * 64, jti="j" * 128), id="long"),
    ],
)
def test_a_token_from_elsewhere_with_the_same_secret_holds(token):
    assert Tokens(SECRET).verify(token, NOW).expires_at == NOW + 1800


@pytest.mark.parametrize("algorithm", ["none", "hs256", "RS256", "ES256", "EdDSA", "", "HS256 "])
def test_another_algorithm_is_refused_with_the_list_of_what_works(algorithm):
    with pytest.raises(Misconfigured, match="HS256, HS384, HS512"):
        Tokens(SECRET, algorithm)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        b"",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI\n-----END PUBLIC KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ",
        '{"kty":"oct","k":"c2VjcmV0"}',
        "\ud800",
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_without_being_shown(secret):
    with pytest.raises(Misconfigured, match="jwt_secret") as refusal:
        Tokens(secret)

    assert "kty" not in str(refusal.value)
    assert "BEGIN" not in str(refusal.value)


def test_a_secret_is_the_same_as_text_and_as_bytes_even_if_it_is_no_utf_8():
    token, _ = Tokens(b"\xff caf\xc3\xa9 \x80", "HS512").mint(DEVICE, "lamp", 60, "1", NOW)

    assert Tokens("\udcff café \udc80", "HS512").verify(token, NOW).project == "lamp"


def test_a_short_secret_works_and_prints_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokens = Tokens("supersecret", "HS512")
        token, _ = tokens.mint(DEVICE, "smart_fan", 60, "1.0.0", NOW)

        assert tokens.verify(token, NOW)


def test_what_a_program_shows_of_tokens_is_not_the_secret():
    assert SECRET not in repr(Tokens(SECRET))


@pytest.mark.parametrize("version", ['1.0"}', "\ud800", "1.0\r\n", "é" * 64])
def test_any_firmware_version_survives_in_a_token(version):
    tokens = Tokens(SECRET)

    token, payload = tokens.mint(DEVICE, "smart_fan", 60, version, NOW)

    assert tokens.verify(token, NOW)
    assert decoded(token.split(".")[1])["fw_version"] == payload["fw_version"] == version


@unhurried
@given(algorithms, subjects, projects, lifetimes)
def test_what_we_mint_holds_for_another_library(algorithm, subject, project, lifetime):
    token, payload = Tokens(SECRET, algorithm).mint(subject, project, lifetime, "1.0.0", NOW)

    seen = oracle.decode(token, OctKey.import_key(SECRET), algorithms=[algorithm])

    assert seen.header == {"alg": algorithm, "typ": "JWT"}
    assert seen.claims == payload
    oracle.JWTClaimsRegistry(now=NOW, exp={"essential": True}).validate(seen.claims)


@unhurried
@given(algorithms, subjects, projects, lifetimes, st.booleans())
def test_what_another_library_mints_holds_here(algorithm, subject, project, lifetime, typed):
    claims = CLAIMS | {"sub": subject, "project": project, "exp": NOW + lifetime}
    key = OctKey.import_key(SECRET)
    kind = "JWT" if typed else None

    token = oracle.encode(
        {"alg": algorithm}, claims, key, algorithms=[algorithm], default_type=kind
    )

    assert Tokens(SECRET, algorithm).verify(token, NOW) == Claims(
        subject, project, NOW + lifetime, NOW, "a1b2c3"
    )


def test_the_least_length_of_a_secret_is_known_for_every_algorithm():
    assert SECRET_BYTES_MIN == {"HS256": 32, "HS384": 48, "HS512": 64}
    assert tuple(SECRET_BYTES_MIN) == ALGORITHMS
