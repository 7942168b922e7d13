"""Public keys of devices and their signatures: ECDSA on P-256 (ES256), and Ed25519.

A key is taken in exactly one DER form, the usual one, so that one key has one fingerprint; the
form is judged before any arithmetic. A signature of ES256 may come in DER (mbedTLS, OpenSSL) or
as r and s side by side (JOSE, PSA, many secure elements).
"""

import binascii
import hashlib
import re
from base64 import b64decode, urlsafe_b64decode

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from ota_http_server.domain.errors import Invalid, Unauthenticated

KEY_CHARACTERS_MAX = 512  # a P-256 key has 178 in PEM
SIGNATURE_CHARACTERS_MAX = 128  # 72 bytes of DER have 96

# SubjectPublicKeyInfo up to the key itself: RFC 5480 (uncompressed point), RFC 8410.
_P256_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_P256_BYTES = len(_P256_HEAD) + 64
_ED25519_HEAD = bytes.fromhex("302a300506032b6570032100")
_ED25519_BYTES = len(_ED25519_HEAD) + 32
_RAW_ES256_BYTES = 64

_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}\Z")

PublicKey = EllipticCurvePublicKey | Ed25519PublicKey


def public_key(text: object) -> PublicKey:
    """The key that PEM, or its DER in base64, writes; anything else is `Invalid`."""
    der = _key_der(text)
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("public_key is not on its curve") from None
    assert isinstance(key, EllipticCurvePublicKey | Ed25519PublicKey)  # its form said so
    return key


def pem_of(key: PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(key: PublicKey) -> str:
    """SHA-256 of its DER form: `openssl pkey -pubin -outform DER | sha256sum` says the same."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def check_signature(key: PublicKey, signature: object, words: bytes) -> None:
    """Raises `Unauthenticated` unless the key signed these words; `Invalid` if unreadable."""
    if not isinstance(signature, str) or len(signature) > SIGNATURE_CHARACTERS_MAX:
        raise Invalid("signature must be base64")
    given = _bytes_of(signature, "signature")
    if isinstance(key, Ed25519PublicKey):
        holds = _holds_ed25519(key, given, words)
    else:
        holds = any(_holds_es256(key, form, words) for form in _es256_forms(given))
    if not holds:
        raise Unauthenticated("the signature does not hold")


def _holds_ed25519(key: Ed25519PublicKey, signature: bytes, words: bytes) -> bool:
    try:
        key.verify(signature, words)
    except InvalidSignature:
        return False
    return True


def _holds_es256(key: EllipticCurvePublicKey, signature: bytes, words: bytes) -> bool:
    try:
        key.verify(signature, words, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _es256_forms(given: bytes) -> list[bytes]:
    """The signature in DER. 64 bytes are r and s; a DER of so few would be a wonder, but valid."""
    if len(given) != _RAW_ES256_BYTES:
        return [given]
    half = _RAW_ES256_BYTES // 2
    r, s = int.from_bytes(given[:half], "big"), int.from_bytes(given[half:], "big")
    return [encode_dss_signature(r, s), given]


def _key_der(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > KEY_CHARACTERS_MAX:
        raise Invalid("public_key must be a key in PEM, or its DER in base64")
    pem = _PEM.match(text)
    der = _bytes_of("".join(pem[1].split()) if pem else text.strip(), "public_key")
    if der.startswith(_P256_HEAD) and len(der) == _P256_BYTES:
        return der
    if der.startswith(_ED25519_HEAD) and len(der) == _ED25519_BYTES:
        return der
    raise Invalid("public_key must be on P-256 (not compressed) or Ed25519, as a public key alone")


def _bytes_of(text: str, name: str) -> bytes:
    """Base64 of either alphabet, padded or not."""
    try:
        if not _BASE64.match(text):
            raise ValueError
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        decode = urlsafe_b64decode if {"-", "_"} & set(text) else b64decode
        return decode(padded)
    except (ValueError, binascii.Error):
        raise Invalid(f"{name} must be base64") from None
