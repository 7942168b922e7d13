"""Keys and signatures of devices, as their libraries write them."""

import hashlib
import subprocess
from base64 import b64encode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid, Unauthenticated
from ota_http_server.security.device_signatures import (
    check_signature,
    fingerprint,
    pem_of,
    public_key,
)

P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
WORDS = b"ota-enroll\nlamp\nboard\n68e7c2f4.x"
SPKI = PublicFormat.SubjectPublicKeyInfo
# The keys are new in each process, and processes that test together must agree on names.
KIND = lambda given: type(given).__name__  # noqa: E731


def der(private):
    return private.public_key().public_bytes(Encoding.DER, SPKI)


def pem(private):
    return private.public_key().public_bytes(Encoding.PEM, SPKI).decode()


def text(data):
    return b64encode(data).decode()


def raw(signature):
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@pytest.mark.parametrize("private", [P256, ED25519], ids=["p256", "ed25519"])
def test_a_key_is_the_same_in_every_writing(private):
    written = [
        pem(private),
        pem(private).replace("\n", "\r\n"),
        f"\n{pem(private)}\n",
        text(der(private)),
        text(der(private)).rstrip("="),
        urlsafe_b64encode(der(private)).decode(),
    ]

    assert {fingerprint(public_key(one)) for one in written} == {
        hashlib.sha256(der(private)).hexdigest()
    }
    assert pem_of(public_key(text(der(private)))) == pem(private)


def test_signatures_of_p256_hold_in_both_forms():
    for _ in range(50):
        signature = P256.sign(WORDS, ec.ECDSA(SHA256()))
        key = public_key(pem(P256))

        check_signature(key, text(signature), WORDS)
        check_signature(key, text(raw(signature)), WORDS)
        check_signature(key, urlsafe_b64encode(raw(signature)).decode().rstrip("="), WORDS)


def test_a_signature_of_ed25519_holds():
    check_signature(public_key(pem(ED25519)), text(ED25519.sign(WORDS)), WORDS)


@pytest.mark.parametrize(
    "signature",
    [
        P256.sign(WORDS + b"\n", ec.ECDSA(SHA256())),
        P256.sign(WORDS, ec.ECDSA(SHA384())),
        ec.generate_private_key(ec.SECP256R1()).sign(WORDS, ec.ECDSA(SHA256())),
        bytes(64),
        b"\xff" * 64,
        bytes(70),
        b"",
        ED25519.sign(WORDS),
    ],
    ids=KIND,
)
def test_another_signature_does_not_hold(signature):
    with pytest.raises((Unauthenticated, Invalid)):
        check_signature(public_key(pem(P256)), text(signature), WORDS)
    with pytest.raises((Unauthenticated, Invalid)):
        check_signature(public_key(pem(ED25519)), text(signature[:-1]), WORDS)


@given(st.binary(max_size=90))
def test_any_bytes_are_no_signature(given):
    for private in (P256, ED25519):
        with pytest.raises((Unauthenticated, Invalid)):
            check_signature(public_key(pem(private)), text(given), WORDS)


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_any_text_is_no_key_and_no_signature(anything):
    with pytest.raises(Invalid):
        public_key(anything)
    with pytest.raises((Invalid, Unauthenticated)):
        check_signature(public_key(pem(P256)), anything, WORDS)


@given(st.binary(min_size=64, max_size=64))
def test_a_point_off_the_curve_is_no_key(point):
    with pytest.raises(Invalid):
        public_key(text(der(P256)[:27] + point))


@pytest.mark.parametrize(
    "written",
    [
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(rsa.generate_private_key(65537, 1024)),
        text(der(P256) + b"\0"),
        text(der(P256)[:-1]),
        text(P256.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)),
        pem(P256) + pem(P256),
        pem(P256).replace("PUBLIC", "PRIVATE"),
        "x" * 100_000,
    ],
    ids=KIND,
)
def test_keys_of_other_kinds_and_forms_are_refused(written):
    with pytest.raises(Invalid):
        public_key(written)


@pytest.mark.needs("openssl")
def test_the_fingerprint_is_what_openssl_says(tmp_path):
    key = tmp_path / "key.pem"
    key.write_text(pem(P256))
    command = ["openssl", "pkey", "-pubin", "-in", str(key), "-outform", "DER"]

    said = subprocess.run(command, capture_output=True, check=True).stdout

    assert fingerprint(public_key(pem(P256))) == hashlib.sha256(said).hexdigest()
