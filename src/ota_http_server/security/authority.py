"""A small private certificate authority (RFC 5280): P-256 and SHA-256 throughout.

P-256 because a board's handshake with RSA-4096 takes seconds, and every TLS stack of every
board has it. The authority signs server certificates and nothing below itself.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.security.pem import same_key

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
VerifyingKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

AUTHORITY_DAYS = 7305  # 20 years: it is burnt into firmware
COMMON_NAME_CHARACTERS_MAX = 64  # RFC 5280, ub-common-name
CLOCK_SLACK = timedelta(days=1)  # clocks of boards and benches are off, some by a time zone
# A clock before this product existed was never set (a single-board computer without a battery):
# what it signs would have ended long ago once the clock is right.
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate
    key: SigningKey

    def issue(
        self, names: Sequence[str], key: VerifyingKey, now: datetime, days: int
    ) -> x509.Certificate:
        """A server certificate for these checked names, ending with the authority at the latest.

        An authority that has `ended` cannot issue: ask first.
        """
        now = max(now, EARLIEST)
        ends = min(now + timedelta(days=days), self.certificate.not_valid_after_utc)
        subject = _name(next(filter(_fits_common_name, names), "ota_http_server"))
        return (
            _builder(subject, self.certificate.subject, key, now - CLOCK_SLACK, ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(self._identifier(), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def ended(self, now: datetime) -> bool:
        return self.certificate.not_valid_after_utc <= max(now, EARLIEST)

    def issued(self, certificate: x509.Certificate) -> bool:
        return is_issued_by(certificate, self.certificate)

    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        """As the authority's certificate has it: other tools may have made it another way."""
        try:
            extension = self.certificate.extensions.get_extension_for_class(
                x509.SubjectKeyIdentifier
            )
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(extension.value)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def found(key: SigningKey, now: datetime) -> Authority:
    """The authority of this key. Its name derives from the key, so it can be founded again."""
    now = max(now, EARLIEST)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = _name(f"ota_http_server CA {identifier.digest.hex()[:16]}")
    ends = now + timedelta(days=AUTHORITY_DAYS)
    builder = _builder(name, name, key.public_key(), now - CLOCK_SLACK, ends)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def authority_of(certificate: x509.Certificate, key: PrivateKeyTypes, where: str) -> Authority:
    """An authority from its two files, `Misconfigured` if they make none; `where` names them."""
    if not isinstance(key, SigningKey):
        raise Misconfigured(f"{where}: the key is neither an EC nor an RSA key")
    if not same_key(certificate.public_key(), key.public_key()):
        raise Misconfigured(f"{where}: the key does not belong to the certificate")
    if not is_authority(certificate):
        raise Misconfigured(f"{where}: the certificate is not one of an authority (CA)")
    return Authority(certificate, key)


def is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The host names and addresses that a certificate is for, in its order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    kept = (name for name in names if isinstance(name, x509.DNSName | x509.IPAddress))
    return tuple(str(name.value) for name in kept)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: VerifyingKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        # The authority's too: without it no TLS 1.2 handshake works where somebody serves with
        # the authority's own certificate, which starts with a warning but must start.
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _fits_common_name(name: str) -> bool:
    return len(name) <= COMMON_NAME_CHARACTERS_MAX


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
