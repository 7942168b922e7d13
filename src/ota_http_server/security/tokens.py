"""The tokens that devices carry: minted here, or elsewhere with the same secret.

A token is a JWS in compact form (RFC 7515 §7.1): `header.payload.signature`, each base64url
without padding, signed with HMAC. PyJWT prepares the key (it refuses public keys and JWKs given
as a secret) and signs and compares; taking the text apart is done here, because every library
forgives something: padding, duplicate claims, `exp` as text, a key named by the header.
One algorithm is bound to the key. The header is never asked which one to use, only required to
agree (RFC 8725 §3.1). While one secret follows another, tokens of either are accepted; which it was
is found out by trying.
"""

import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NoReturn

from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

from ota_http_server.domain.errors import Misconfigured, Unauthenticated
from ota_http_server.domain.identity import DEVICE_ROLES
from ota_http_server.security.claims import Claims, read_claims

_SIGNERS = {
    "HS256": HMACAlgorithm(HMACAlgorithm.SHA256),
    "HS384": HMACAlgorithm(HMACAlgorithm.SHA384),
    "HS512": HMACAlgorithm(HMACAlgorithm.SHA512),
}
ALGORITHMS = tuple(_SIGNERS)
SECRET_BYTES_MIN = {"HS256": 32, "HS384": 48, "HS512": 64}
"""A secret shorter than the hash makes the hash pointless (RFC 7518 §3.2)."""

TOKEN_CHARACTERS_MAX = 4096
"""Checked before anything is parsed. Ours have about 320; half of what a header line may hold."""
HEADER_CHARACTERS_MAX = 512
"""`alg` and `typ` need 36. This much is parsed before the signature is known to be good."""
TOKEN_ID_BYTES = 16
"""128 random bits, 22 characters: a stock ESP32 sends at most 485 characters of token."""

_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\Z")

# Each of these would let the header choose or bring the key, or change what is signed
# (RFC 7515 §4.1, RFC 7797). We have one key and no extensions.
_HEADER_NAMES_REFUSED = frozenset(
    {"kid", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64"}
)


class Tokens:
    """Mints with one secret and one algorithm, and verifies with that and perhaps another."""

    __slots__ = ("_algorithm", "_header", "_keys", "_lifetime_seconds_max", "_signer")

    def __init__(
        self,
        secret: str | bytes,
        algorithm: str = "HS256",
        lifetime_seconds_max: int = 1440 * 60,
        also: str | None = None,
    ) -> None:
        """Raise `Misconfigured` for an unknown algorithm or a secret that cannot be one.

        `also`: tokens signed with this secret hold, too; none is minted with it.
        """
        if algorithm not in _SIGNERS:
            raise Misconfigured(f"jwt_alg must be one of {', '.join(ALGORITHMS)}")
        self._algorithm = algorithm
        self._signer = _SIGNERS[algorithm]
        self._keys = [_key(secret, self._signer)]
        if also:
            self._keys.append(_key(also, self._signer))
        self._lifetime_seconds_max = lifetime_seconds_max
        self._header = _encoded(_COMPACT.encode({"alg": algorithm, "typ": "JWT"}).encode())

    def mint(
        self, device_id: str, project: str, lifetime_seconds: int, firmware_version: str, now: int
    ) -> tuple[str, dict[str, object]]:
        """A new token and its payload. The caller has validated all of it.

        `now` is in Unix seconds. Two tokens of one device in one second differ in `jti`.
        """
        payload: dict[str, object] = {
            "sub": device_id,
            "project": project,
            "roles": list(DEVICE_ROLES),
            "iat": now,
            "exp": now + lifetime_seconds,
            "jti": secrets.token_urlsafe(TOKEN_ID_BYTES),
            "fw_version": firmware_version,
        }
        signed = f"{self._header}.{_encoded(_COMPACT.encode(payload).encode())}"
        signature = self._signer.sign(signed.encode(), self._keys[0])
        return f"{signed}.{_encoded(signature)}", payload

    def verify(self, token: str, now: int) -> Claims:
        """The claims of a token that holds at `now` (Unix seconds).

        Whatever else the string is: `Unauthenticated`, with a reason for our log that repeats
        nothing of it. Nothing of the payload is read before the signature was found good.
        """
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Unauthenticated("the token is too long")
        shape = _SHAPE.match(token)
        if shape is None:
            raise Unauthenticated("the token is not three parts of base64url")
        header, payload, signature = shape.groups()
        if header != self._header:
            self._check_header(header)
        signed, given = token[: shape.end(2)].encode(), _decoded(signature, "signature")
        if not any(self._signer.verify(signed, key, given) for key in self._keys):
            raise Unauthenticated("the signature does not hold")
        return read_claims(_json_object(payload, "payload"), now, self._lifetime_seconds_max)

    def _check_header(self, encoded: str) -> None:
        if len(encoded) > HEADER_CHARACTERS_MAX:
            raise Unauthenticated("the header is too long")
        header = _json_object(encoded, "header")
        if header.get("alg") != self._algorithm:
            raise Unauthenticated(f"the header does not say {self._algorithm}")
        if not _HEADER_NAMES_REFUSED.isdisjoint(header):
            raise Unauthenticated("the header names a key or an extension")


def _key(secret: str | bytes, signer: HMACAlgorithm) -> bytes:
    try:
        # Environment variables that are not UTF-8 reach us with surrogates (PEP 383).
        given = secret.encode("utf-8", "surrogateescape") if isinstance(secret, str) else secret
        return signer.prepare_key(given)
    except UnicodeEncodeError:
        raise Misconfigured("jwt_secret is not text that UTF-8 can write") from None
    except InvalidKeyError:
        raise Misconfigured(
            "jwt_secret must be neither empty nor a public key, a certificate or a JWK"
        ) from None


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(part: str, what: str) -> bytes:
    """The bytes of base64url text; only its one canonical spelling counts (RFC 4648 §3.5)."""
    try:
        data = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise Unauthenticated(f"the {what} is not base64url") from None
    # The last character may hold spare bits: a second spelling of one token could slip past
    # a revocation of the first.
    if _encoded(data) != part:
        raise Unauthenticated(f"the {what} is not canonical base64url")
    return data


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _refuse_constant(_text: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


_COMPACT = json.JSONEncoder(separators=(",", ":"))
_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _json_object(part: str, what: str) -> dict[str, object]:
    try:
        value = _STRICT.decode(_decoded(part, what).decode())
    except (ValueError, RecursionError):
        raise Unauthenticated(f"the {what} is not strict JSON") from None
    if not isinstance(value, dict):
        raise Unauthenticated(f"the {what} is not a JSON object")
    return value
