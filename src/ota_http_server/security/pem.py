"""PEM files: read with one clear line when something is wrong, written whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from ota_http_server.domain.errors import Misconfigured

PEM_BYTES_MAX = 256 * 1024  # a chain of ten RSA-4096 certificates has 25 KB


def read_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates of a file in their order, at least one, or `Misconfigured`."""
    content = _read(path)
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise Misconfigured(f"{path} is not a PEM certificate{_what_else(content, path)}")
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise Misconfigured(f"{path} is damaged: it does not parse as a certificate") from error


def read_key(path: Path) -> PrivateKeyTypes:
    """The private key of a file, or `Misconfigured`."""
    content = _read(path)
    if b"PRIVATE KEY-----" not in content:
        raise Misconfigured(f"{path} is not a PEM private key{_what_else(content, path)}")
    try:
        return serialization.load_pem_private_key(content, password=None)
    except TypeError as error:
        raise Misconfigured(
            f"{path} is locked by a passphrase, and the server starts unattended: "
            f"unlock it with `openssl pkey -in {path} -out unlocked.pem`"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misconfigured(f"{path} is damaged or of a kind not known here") from error


def keep(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole: a crash leaves the old one or the new one, never half of one.

    The temporary name is fixed, so that what a crash left behind is removed by the next try;
    it is created anew and private, so that no one else's file or link is written through.
    """
    partial = path.with_name(f".part.{path.name}")
    try:
        partial.unlink(missing_ok=True)
        with open(partial, "xb", opener=_private) as file:
            file.write(content)
            file.flush()
            partial.chmod(mode)
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise Misconfigured(f"{path} cannot be written: {error.strerror}") from error


def key_bytes(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def certificate_bytes(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def same_key(one: PublicKeyTypes, other: PublicKeyTypes) -> bool:
    return _identity(one) == _identity(other)


def _identity(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(PEM_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise Misconfigured(f"{path} does not exist") from error
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > PEM_BYTES_MAX:
        raise Misconfigured(f"{path} has more than {PEM_BYTES_MAX} bytes: it is no PEM file")
    return content


def _what_else(content: bytes, path: Path) -> str:
    """A guess at the usual mistakes, to follow "is not what it should be"."""
    if not content.strip():
        return ": it is empty"
    if b"PRIVATE KEY-----" in content:
        return " but a private key: are certificate and key swapped?"
    if b"-----BEGIN CERTIFICATE REQUEST-----" in content:
        return " but a request for one: an authority has to sign it first"
    if b"-----BEGIN CERTIFICATE-----" in content:
        return " but a certificate: are certificate and key swapped?"
    if content.startswith(b"\x30"):
        return f" but looks like DER: convert it with `openssl x509 -inform der -in {path}`"
    return ""


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # a folder cannot be opened there; NTFS journals the rename
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
