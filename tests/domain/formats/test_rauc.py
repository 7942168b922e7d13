import datetime
import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.image import Damaged, Incomplete
from tests.domain.formats.reading import read
from tests.domain.formats.samples import (
    MANIFEST,
    der,
    rauc,
    signed_message,
    squashfs,
)

ENVELOPED = der(0x30, bytes.fromhex("06092a864886f70d010703") + der(0xA0, b"\0" * 300))


@pytest.fixture(name="signer", scope="module")
def a_signer():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime(2025, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now.replace(year=2045))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def test_a_verity_bundle_says_version_and_compatible_board():
    facts = read(rauc())

    assert (facts.format, facts.kind, facts.version) == ("rauc", "bundle", "2024.05-1")
    assert facts.hardware == ("FooCorp Super BarBazzer",)
    assert facts.length == len(rauc())
    assert facts.header["bundle_format"] == "verity"
    assert facts.header["build"] == "20240501"
    assert facts.header["images"] == "rootfs"


def test_a_message_of_a_real_signer_is_read(signer):
    message = (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(MANIFEST)
        .add_signer(*signer, hashes.SHA256())
        .sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    )

    assert read(rauc(message)).version == "2024.05-1"


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("attached", [True, False])
def test_a_message_of_openssl_is_read(tmp_path, signer, attached):
    certificate, key = signer
    none = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (tmp_path / "cert").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    sign = [shutil.which("openssl"), "cms", "-sign", "-binary", "-outform", "DER"]
    sign += ["-signer", "cert", "-inkey", "key"] + (["-nodetach"] if attached else [])
    message = subprocess.run(
        sign, cwd=tmp_path, input=MANIFEST, check=True, capture_output=True
    ).stdout

    facts = read(rauc(message))

    assert facts.header["bundle_format"] == ("verity" if attached else "plain")
    assert facts.version == ("2024.05-1" if attached else None)


def test_a_plain_bundle_is_recognised_and_leaves_version_and_board_open():
    facts = read(rauc(signed_message(None)))

    assert (facts.format, facts.version, facts.hardware) == ("rauc", None, ())
    assert facts.header["bundle_format"] == "plain"


def test_an_encrypted_manifest_is_not_read():
    assert read(rauc(ENVELOPED)).header["bundle_format"] == "crypt"


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 8,
        (1).to_bytes(8, "big"),
        der(0x30, b"") + (2).to_bytes(8, "big"),
        b"no message" + (10).to_bytes(8, "big"),
        signed_message(MANIFEST) + b"\0" + (len(signed_message(MANIFEST)) + 1).to_bytes(8, "big"),
    ],
)
def test_a_squashfs_without_a_message_behind_it_is_a_file_system(tail):
    facts = read(squashfs() + tail)

    assert (facts.format, facts.kind) == ("squashfs", "filesystem")


def test_a_cut_squashfs_is_incomplete():
    with pytest.raises(Incomplete):
        read(squashfs()[:4100])


def test_a_message_inside_the_squashfs_is_none():
    message = signed_message(MANIFEST)
    inside = squashfs(b"\0" * 3000 + message + len(message).to_bytes(8, "big"))
    end = inside.rindex(len(message).to_bytes(8, "big")) + 8

    assert read(inside[:end]).format == "squashfs"


@pytest.mark.parametrize("manifest", [b"no section", b"\xff\xfe", b"[update\n", b"#" * 70_000])
def test_a_manifest_that_cannot_be_read_is_damage(manifest):
    with pytest.raises(Damaged, match="manifest"):
        read(rauc(signed_message(manifest)))


@pytest.mark.parametrize("manifest", [b"", b"[bundle]\n", b"[update]\nversion=\n"])
def test_a_manifest_may_say_little(manifest):
    facts = read(rauc(signed_message(manifest)))

    assert (facts.version, facts.hardware) == (None, ())


@given(st.binary(max_size=60), st.integers(0, 40), st.sampled_from([MANIFEST, None]))
def test_any_message_is_read_or_none(noise, kept, content):
    message = signed_message(content)[:kept] + noise

    try:
        facts = read(rauc(message))
    except Damaged as refusal:
        assert refusal.detail
    else:
        assert facts.format in ("rauc", "squashfs")


@given(st.text(max_size=80), st.text(alphabet="[]=:#;\n update version", max_size=40))
def test_any_manifest_is_read_or_refused(text, noise):
    try:
        facts = read(rauc(signed_message(f"{noise}\n[update]\nversion={text}\n".encode())))
    except Damaged as refusal:
        assert refusal.detail
    else:
        assert facts.version is None or facts.version.isprintable()
