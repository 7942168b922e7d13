"""Everything that is not a good token, and that none of it does more than be refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws as oracle
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.security.tokens import Tokens
from tests.security import forge
from tests.security.forge import CLAIMS, DEVICE, HEADER, NOW, SECRET, unhurried

GOOD = forge.joined(HEADER, CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")
OTHER_BODY = forge.encoded(CLAIMS | {"project": "door_lock"})
PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI\n-----END PUBLIC KEY-----\n"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def unsigned(header):
    return f"{forge.encoded(header)}.{BODY}."


def other_spelling(part):
    """The same bytes with a spare bit of the last character set."""
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) ^ 1]


def padded_to(characters):
    """A well signed token of exactly so many characters, by a claim that nobody reads."""
    about = (characters - len(GOOD)) * 3 // 4
    tokens = (forge.with_claims(x="x" * room) for room in range(about - 10, about + 1))
    return next(token for token in tokens if len(token) == characters)


FORGERIES = {
    # No token at all, or not in three parts.
    "nothing": "",
    "dots": "..",
    "one part": HEAD,
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "five parts, as an encrypted one has": f"{HEAD}.{BODY}.{BODY}.{BODY}.{SIGNATURE}",
    "no header": f".{BODY}.{SIGNATURE}",
    "no payload": f"{HEAD}..{SIGNATURE}",
    "no signature": f"{HEAD}.{BODY}.",
    "a blank before": f" {GOOD}",
    "a blank after": f"{GOOD} ",
    "a newline after": f"{GOOD}\n",
    "a newline within": f"{HEAD}.\n{BODY}.{SIGNATURE}",
    "a NUL after": f"{GOOD}\0",
    "two tokens": f"{GOOD},{GOOD}",
    "the scheme once more": f"Bearer {GOOD}",
    "letters beyond ASCII": f"{HEAD}.{BODY}é.{SIGNATURE}",
    "full-width digits": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}１",
    "a lone surrogate": f"{HEAD}.{BODY}.\ud800",
    "too long by one": padded_to(4097),
    "a megabyte": "A" * 2**20,
    "a megabyte of dots": "." * 2**20,
    # Base64url in another spelling.
    "padding": f"{GOOD}=",
    "padding on the payload": f"{HEAD}.{BODY}==.{SIGNATURE}",
    "standard base64": forge.with_claims(x="???>>>").replace("-", "+").replace("_", "/"),
    "spare bits in the signature": f"{HEAD}.{BODY}.{other_spelling(SIGNATURE)}",
    "a length that base64 cannot have": f"{HEAD}.{BODY}.{SIGNATURE}AA",
    # Signatures.
    "another secret": forge.joined(HEADER, CLAIMS, secret="b" * 64),
    "an empty secret": forge.joined(HEADER, CLAIMS, secret=""),
    "a changed payload": f"{HEAD}.{OTHER_BODY}.{SIGNATURE}",
    "a cut signature": f"{HEAD}.{BODY}.{SIGNATURE[:-4]}",
    "a longer signature": f"{GOOD}AAAA",
    "the signature of something else": f"{HEAD}.{BODY}.{forge.signature(BODY)}",
    "the hash of another algorithm": forge.joined(HEADER, CLAIMS, hashed="HS512"),
    # Algorithms.
    "alg none": unsigned({"alg": "none"}),
    "alg None": unsigned({"alg": "None"}),
    "alg nOnE": unsigned({"alg": "nOnE"}),
    "alg none, and yet signed": forge.with_header(alg="none"),
    "alg of the same family": forge.joined({"alg": "HS512"}, CLAIMS, hashed="HS512"),
    "alg of the same family, our hash": forge.with_header(alg="HS384"),
    "alg RS256 with the secret as key": forge.with_header(alg="RS256"),
    "alg ES256": forge.with_header(alg="ES256"),
    "signed with a public key": forge.joined(HEADER, CLAIMS, secret=PUBLIC_KEY),
    "alg in small letters": forge.with_header(alg="hs256"),
    "alg with a blank": forge.with_header(alg="HS256 "),
    "alg as a list": forge.with_header(alg=["HS256"]),
    "alg as an object": forge.with_header(alg={"HS256": 1}),
    "alg null": forge.with_header(alg=None),
    "alg a number": forge.with_header(alg=256),
    "no alg": forge.joined({"typ": "JWT"}, CLAIMS),
    "alg twice": forge.joined('{"alg":"none","alg":"HS256"}', CLAIMS),
    "alg twice, turned": forge.joined('{"alg":"HS256","alg":"none"}', CLAIMS),
    # Headers that bring or name a key, or change the rules.
    "kid": forge.with_header(kid="1"),
    "kid empty": forge.with_header(kid=""),
    "kid null": forge.with_header(kid=None),
    "kid as a path": forge.with_header(kid="../../../dev/null"),
    "kid as SQL": forge.with_header(kid="x' UNION SELECT 'secret"),
    "jwk": forge.with_header(jwk={"kty": "oct", "k": forge.encoded(SECRET)}),
    "jku": forge.with_header(jku="https://attacker.example/keys"),
    "x5u": forge.with_header(x5u="https://attacker.example/cert"),
    "x5c": forge.with_header(x5c=["MIIB"]),
    "x5t": forge.with_header(x5t="AAAA"),
    "crit": forge.with_header(crit=["exp"]),
    "crit empty": forge.with_header(crit=[]),
    "b64 false": forge.with_header(b64=False, crit=["b64"]),
    "b64 true": forge.with_header(b64=True),
    # Headers that are none.
    "a header that is a list": forge.joined(["HS256"], CLAIMS),
    "a header that is text": forge.joined('"HS256"', CLAIMS),
    "a header that is null": forge.joined("null", CLAIMS),
    "a header that is no JSON": forge.joined("alg=HS256", CLAIMS),
    "a header in quotes of another sort": forge.joined("{'alg':'HS256'}", CLAIMS),
    "a header that is no UTF-8": forge.joined(b'{"alg":"HS256","x":"\xff"}', CLAIMS),
    "a header in UTF-16": forge.joined('{"alg":"HS256"}'.encode("utf-16"), CLAIMS),
    "a header with a byte order mark": forge.joined(b'\xef\xbb\xbf{"alg":"HS256"}', CLAIMS),
    "a header with more behind it": forge.joined('{"alg":"HS256"}{}', CLAIMS),
    "a header that is long": forge.with_header(typ="J" * 400),
    "a header that is deep": forge.joined('{"alg":"HS256","x":' + "[" * 300, CLAIMS),
    "a header 50,000 deep": forge.joined("[" * 50_000, CLAIMS),
    # Payloads that are none, though well signed.
    "a payload that is a list": forge.joined(HEADER, [CLAIMS]),
    "a payload that is text": forge.joined(HEADER, '"sub"'),
    "a payload that is a number": forge.joined(HEADER, "1"),
    "a payload that is null": forge.joined(HEADER, "null"),
    "a payload that is no JSON": forge.joined(HEADER, "sub=1"),
    "a payload that is no UTF-8": forge.joined(HEADER, b'{"sub":"\xff"}'),
    "a payload that is empty": forge.joined(HEADER, {}),
    "a payload that is deep": forge.joined(HEADER, "[" * 2900),
    "a payload deep in objects": forge.joined(HEADER, '{"a":' * 580),
    "a payload 50,000 deep": forge.joined(HEADER, "[" * 50_000 + "]" * 50_000),
    "a number of 5,000 digits": forge.with_claim_text("exp", "9" * 5000),
    "a number of 2,700 digits": forge.with_claim_text("exp", "9" * 2700),
    "a control character in text": forge.with_claim_text("x", '"\n"'),
    "NaN where nobody reads it": forge.with_claims(x=float("nan")),
    # exp
    "no exp": forge.without("exp"),
    "exp now": forge.with_claims(exp=NOW),
    "exp a second ago": forge.with_claims(exp=NOW - 1, iat=NOW - 60),
    "exp nought": forge.with_claims(exp=0),
    "exp negative": forge.with_claims(exp=-NOW),
    "exp as text": forge.with_claims(exp=str(NOW + 60)),
    "exp with a fraction": forge.with_claims(exp=NOW + 60.5),
    "exp as a float": forge.with_claims(exp=float(NOW + 60)),
    "exp with an exponent": forge.with_claim_text("exp", "1.7600235e9"),
    "exp NaN": forge.with_claims(exp=float("nan")),
    "exp Infinity": forge.with_claims(exp=float("inf")),
    "exp minus Infinity": forge.with_claims(exp=float("-inf")),
    "exp 1e999": forge.with_claim_text("exp", "1e999"),
    "exp true": forge.with_claims(exp=True),
    "exp null": forge.with_claims(exp=None),
    "exp in a list": forge.with_claims(exp=[NOW + 60]),
    "exp huge": forge.with_claims(exp=2**63),
    "exp a second beyond the longest life": forge.with_claims(exp=NOW + 86_401),
    "exp twice": forge.with_claim_text("project", f'"smart_fan","exp":{NOW + 60}'),
    "exp too far, without iat": forge.joined(
        HEADER, {n: v for n, v in CLAIMS.items() if n != "iat"} | {"exp": NOW + 86_401}
    ),
    # iat and nbf
    "iat 61 s ahead": forge.with_claims(iat=NOW + 61),
    "iat nought": forge.with_claims(iat=0),
    "iat as text": forge.with_claims(iat=str(NOW)),
    "iat as a float": forge.with_claims(iat=float(NOW)),
    "iat NaN": forge.with_claims(iat=float("nan")),
    "iat true": forge.with_claims(iat=True),
    "iat null": forge.with_claims(iat=None),
    "iat minus huge": forge.with_claims(iat=-(2**63)),
    "nbf 61 s ahead": forge.with_claims(nbf=NOW + 61),
    "nbf as text": forge.with_claims(nbf="0"),
    "nbf false": forge.with_claims(nbf=False),
    "nbf null": forge.with_claims(nbf=None),
    # roles
    "no roles": forge.without("roles"),
    "roles null": forge.with_claims(roles=None),
    "roles empty": forge.with_claims(roles=[]),
    "roles half": forge.with_claims(roles=["device"]),
    "roles the other half": forge.with_claims(roles=["ota_client"]),
    "roles as text": forge.with_claims(roles="device ota_client"),
    "roles as an object": forge.with_claims(roles={"device": 1, "ota_client": 1}),
    "roles with a number": forge.with_claims(roles=["device", "ota_client", 1]),
    "roles with a list": forge.with_claims(roles=[["device", "ota_client"]]),
    "roles in capitals": forge.with_claims(roles=["DEVICE", "OTA_CLIENT"]),
    # sub
    "no sub": forge.without("sub"),
    "sub empty": forge.with_claims(sub=""),
    "sub null": forge.with_claims(sub=None),
    "sub a number": forge.with_claims(sub=1),
    "sub a list": forge.with_claims(sub=[DEVICE]),
    "sub with a line end": forge.with_claims(sub=f"{DEVICE}\r\nAction=x"),
    "sub ending in a newline": forge.with_claims(sub=f"{DEVICE}\n"),
    "sub with a blank": forge.with_claims(sub="my board"),
    "sub with a NUL": forge.with_claims(sub="a\0b"),
    "sub in braces": forge.with_claims(sub=f"{{{DEVICE}}}"),
    "sub in another script": forge.with_claims(sub="устройство"),
    "sub with a lone surrogate": forge.with_claim_text("sub", r'"\ud800"'),
    "sub of 65": forge.with_claims(sub="s" * 65),
    "sub twice": forge.with_claim_text("sub", '"a","sub":"b"'),
    # project
    "no project": forge.without("project"),
    "project empty": forge.with_claims(project=""),
    "project null": forge.with_claims(project=None),
    "project a list": forge.with_claims(project=["smart_fan"]),
    "project with a slash": forge.with_claims(project="smart_fan/../door_lock"),
    "project above": forge.with_claims(project=".."),
    "project any": forge.with_claims(project="*"),
    "project ending in a newline": forge.with_claims(project="smart_fan\n"),
    "project of 65": forge.with_claims(project="p" * 65),
    "project twice": forge.with_claim_text("project", '"a","project":"b"'),
    # jti
    "jti null": forge.with_claims(jti=None),
    "jti a number": forge.with_claims(jti=1),
    "jti empty": forge.with_claims(jti=""),
    "jti of 129": forge.with_claims(jti="j" * 129),
    "jti with a line end": forge.with_claims(jti="a\r\nb"),
    "jti ending in a newline": forge.with_claims(jti="j\n"),
    "jti in another script": forge.with_claims(jti="жтн"),
    "a claim within a claim twice": forge.with_claim_text("x", '{"a":1,"a":2}'),
}


@pytest.mark.parametrize("token", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_token_is_refused_and_nothing_of_it_is_repeated(token):
    with pytest.raises(Unauthenticated) as refusal:
        Tokens(SECRET).verify(token, NOW)

    assert refusal.value.shown
    assert refusal.value.detail.isascii()
    assert len(refusal.value.detail) < 80
    assert not (token.strip(". \n") and token in refusal.value.detail)


def test_the_token_that_the_forgeries_are_made_from_is_good():
    assert Tokens(SECRET).verify(GOOD, NOW).subject == DEVICE
    assert Tokens(SECRET).verify(padded_to(4096), NOW).subject == DEVICE


@pytest.mark.parametrize("configured", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("named", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("hashed", ["HS256", "HS384", "HS512"])
def test_the_configured_algorithm_alone_counts(configured, named, hashed):
    token = forge.joined({"alg": named}, CLAIMS, hashed=hashed)

    if configured == named == hashed:
        assert Tokens(SECRET, configured).verify(token, NOW)
    else:
        with pytest.raises(Unauthenticated):
            Tokens(SECRET, configured).verify(token, NOW)


@pytest.mark.parametrize("depth", [10, 500, 900, 990, 1000, 1300])
def test_a_deep_claim_that_nobody_reads_is_taken_or_refused_but_breaks_nothing(depth):
    # How deep JSON may be depends on the Python that reads it.
    token = forge.with_claim_text("x", "[" * depth + "]" * depth)

    try:
        assert Tokens(SECRET).verify(token, NOW).subject == DEVICE
    except Unauthenticated as refusal:
        assert "JSON" in refusal.detail


def test_no_character_of_a_token_can_be_another():
    tokens = Tokens(SECRET)
    taken = []

    for position, right in enumerate(GOOD):
        for wrong in set(ALPHABET) - {right}:
            try:
                tokens.verify(GOOD[:position] + wrong + GOOD[position + 1 :], NOW)
                taken.append((position, wrong))
            except Unauthenticated:
                pass

    assert not taken


def test_an_unsigned_payload_is_not_even_read():
    deep_and_expired = f"{HEAD}.{forge.encoded('[' * 2900)}.{SIGNATURE}"

    with pytest.raises(Unauthenticated, match="signature"):
        Tokens(SECRET).verify(deep_and_expired, NOW)


@unhurried
@given(st.text(max_size=300))
def test_any_text_is_refused(text):
    with pytest.raises(Unauthenticated):
        Tokens(SECRET).verify(text, NOW)


@unhurried
@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=64))
def test_any_bytes_in_three_parts_are_refused(header, payload, signature):
    token = ".".join(map(forge.encoded, (header, payload, signature)))

    with pytest.raises(Unauthenticated):
        Tokens(SECRET).verify(token, NOW)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([NOW, NOW + 60, "device", "ota_client", "smart_fan", DEVICE]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@unhurried
@given(st.dictionaries(st.sampled_from(sorted(CLAIMS)) | st.just("nbf"), json_values, min_size=1))
def test_claims_of_any_type_give_good_claims_or_a_refusal(changes):
    token = forge.joined(HEADER, json.dumps(CLAIMS | changes))

    try:
        claims = Tokens(SECRET).verify(token, NOW)
    except Unauthenticated:
        return

    assert NOW < claims.expires_at <= NOW + 86_460
    assert type(claims.expires_at) is int  # pylint: disable=unidiomatic-typecheck
    assert {"device", "ota_client"} <= set((CLAIMS | changes)["roles"])


@unhurried
@given(st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "x"]), json_values))
def test_a_header_of_any_content_holds_only_with_our_algorithm_and_no_key(header):
    token = forge.joined(json.dumps(header), CLAIMS)

    try:
        Tokens(SECRET).verify(token, NOW)
    except Unauthenticated:
        return

    assert header["alg"] == "HS256"
    assert header.keys() <= {"alg", "typ", "x"}


@unhurried
@given(st.integers(0, len(GOOD) - 1), st.sampled_from(ALPHABET + ".=+/ \n\0é"))
def test_one_changed_character_is_refused_whenever_another_library_refuses(position, character):
    token = GOOD[:position] + character + GOOD[position + 1 :]
    try:
        oracle.deserialize_compact(token, OctKey.import_key(SECRET), algorithms=["HS256"])
        holds = True
    except (JoseError, ValueError):
        holds = False

    if holds:
        assert token == GOOD
        assert Tokens(SECRET).verify(token, NOW)
    else:
        with pytest.raises(Unauthenticated):
            Tokens(SECRET).verify(token, NOW)
