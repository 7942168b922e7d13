"""Making tokens by hand, good ones and others, without the code under test."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

from hypothesis import settings

unhurried = settings(deadline=None)
"""For properties: a slow machine is no failure."""

SECRET = "b1946ac92492d2347c6235b4d2611184-591785b794601e212b260e25925636fd"
NOW = 1_760_023_452
"""2025-10-09T15:24:12Z"""
DEVICE = "e6f87d77-4216-4be1-ab83-b5fa6792b747"
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS: dict[str, object] = {
    "sub": DEVICE,
    "project": "smart_fan",
    "roles": ["device", "ota_client"],
    "iat": NOW,
    "exp": NOW + 1800,
    "jti": "a1b2c3",
    "fw_version": "1.0.0",
}

HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def encoded(content: object) -> str:
    """Base64url of these bytes, this JSON text, or this value as JSON."""
    if not isinstance(content, str | bytes):
        content = json.dumps(content, separators=(",", ":"))
    data = content.encode() if isinstance(content, str) else content
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def joined(header: object, payload: object, *, secret: str = SECRET, hashed: str = "HS256") -> str:
    """A token that is signed well, whatever it says."""
    signed = f"{encoded(header)}.{encoded(payload)}"
    return f"{signed}.{signature(signed, secret=secret, hashed=hashed)}"


def signature(signed: str, *, secret: str = SECRET, hashed: str = "HS256") -> str:
    return encoded(hmac.new(secret.encode(), signed.encode(), HASHES[hashed]).digest())


def with_header(**changes: object) -> str:
    return joined(HEADER | changes, CLAIMS)


def with_claims(**changes: object) -> str:
    return joined(HEADER, CLAIMS | changes)


def without(*names: str) -> str:
    return joined(HEADER, {name: value for name, value in CLAIMS.items() if name not in names})


def with_claim_text(name: str, text: str) -> str:
    """A token whose payload holds this claim as JSON text that `json.dumps` would not write."""
    claims = {other: value for other, value in CLAIMS.items() if other != name}
    return joined(HEADER, json.dumps(claims)[:-1] + f', "{name}": {text}}}')
