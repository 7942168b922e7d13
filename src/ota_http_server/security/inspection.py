"""A look at the certificate and key that the server is to use, before it uses them.

What cannot work is refused in one line, and so is a key that every user may change. What works
although somebody should know of it is a warning: an expired certificate too, because ESP-IDF does
not check dates unless it is told to (MBEDTLS_HAVE_TIME_DATE), and a server that refused to start
would cut off boards that accept it.
"""

import os
import shlex
import stat
import sys
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509

from ota_http_server.domain.errors import Misconfigured
from ota_http_server.security.authority import is_authority, is_issued_by, names_of
from ota_http_server.security.pem import read_certificates, read_key, same_key

WARN_DAYS = 30


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    certificate: Path
    key: Path
    subject: str
    issuer: str
    names: tuple[str, ...]
    """Host names and addresses it is for, from its subjectAltName alone."""
    not_before: datetime
    not_after: datetime
    at: datetime
    """The moment of the look; what is "left" counts from here."""
    is_ca: bool
    chain_is_whole: bool
    """Each certificate of the file is signed by the one after it."""
    key_is_open: bool
    """Every user of this machine can read the private key."""

    @property
    def days_left(self) -> int:
        """Whole days, negative once it has expired."""
        return (self.not_after - self.at).days


def inspect_pair(certificate: Path, key: Path, now: datetime) -> CertificateFacts:
    """What a certificate says about itself; `Misconfigured` if the pair cannot serve."""
    chain = read_certificates(certificate)
    public_key = read_key(key).public_key()
    if _lets(key, stat.S_IWOTH):
        raise Misconfigured(
            f"{key}: every user of this machine may change it; mend it with:"
            f" chmod 600 {shlex.quote(str(key))}"
        )
    own = chain[0]
    try:
        matching = [same_key(each.public_key(), public_key) for each in chain]
        names, is_ca = names_of(own), is_authority(own)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Misconfigured(f"{certificate} is damaged: {error}") from error
    if not matching[0]:
        if any(matching):
            raise Misconfigured(f"{certificate}: the certificate that {key} is for must come first")
        raise Misconfigured(f"{key} is not the key of {certificate}")
    return CertificateFacts(
        certificate=certificate,
        key=key,
        subject=own.subject.rfc4514_string(),
        issuer=own.issuer.rfc4514_string(),
        names=names,
        not_before=own.not_valid_before_utc,
        not_after=own.not_valid_after_utc,
        at=now,
        is_ca=is_ca,
        chain_is_whole=all(is_issued_by(one, by) for one, by in pairwise(chain)),
        key_is_open=_lets(key, stat.S_IROTH),
    )


def warnings(facts: CertificateFacts) -> list[str]:
    """What the operator should know, a line each; most urgent first."""
    lines = [_about_dates(facts)]
    if facts.is_ca:
        lines.append(
            f"{facts.certificate} is the certificate of an authority (CA), not of a server: "
            "most clients refuse it, and its key can sign for any host; "
            "`ota_http_server certs` makes a server certificate"
        )
    elif not facts.names:
        lines.append(
            f"{facts.certificate} has no subjectAltName: clients other than old boards refuse it"
        )
    if not facts.chain_is_whole:
        lines.append(f"{facts.certificate}: a certificate in it is not signed by the one after it")
    if facts.key_is_open:
        lines.append(f"{facts.key} can be read by every user of this machine: chmod 600 it")
    return [line for line in lines if line]


def _about_dates(facts: CertificateFacts) -> str:
    until = f"{facts.not_after:%Y-%m-%d %H:%M} UTC"
    if facts.not_after <= facts.at:
        return f"{facts.certificate} expired on {until}: clients that check dates refuse it"
    if facts.not_before > facts.at:
        begins = f"{facts.not_before:%Y-%m-%d %H:%M} UTC"
        return f"{facts.certificate} is not valid before {begins}: is this machine's clock right?"
    if facts.days_left < WARN_DAYS:
        return f"{facts.certificate} expires in {facts.days_left} days, on {until}"
    return ""


def _lets(key: Path, permission: int) -> bool:
    """Whether every user may do that with the file. Windows has no such bits.

    What a group may (Debian's ssl-cert reads keys) is the choice of whoever made the group.
    """
    if sys.platform == "win32" or not key.stat().st_mode & permission:
        return False
    # Mounts of container secrets are read-only, whatever their modes say.
    return permission != stat.S_IWOTH or not os.statvfs(key).f_flag & os.ST_RDONLY
