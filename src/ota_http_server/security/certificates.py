"""The server's own certificate: made at the first start, kept, renewed by itself.

A private authority (CA) is made once, and boards are built with its certificate; the server's
certificate may then change as often as it likes. What is missing is made, what is there is never
overwritten but for a server certificate that this authority signed. Each key is written before
its certificate, so that whatever a crash leaves is completed by the next call.

`server_cert.pem` holds the one certificate without the authority's: whoever trusts the authority
has it already (RFC 8446 §4.4.2 lets it out), and each handshake is 600 bytes shorter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from ota_http_server.domain.errors import Conflict, Misconfigured
from ota_http_server.logs import logger
from ota_http_server.security.authority import (
    EARLIEST,
    Authority,
    SigningKey,
    authority_of,
    found,
    names_of,
    new_key,
)
from ota_http_server.security.hosts import certificate_name
from ota_http_server.security.pem import (
    certificate_bytes,
    keep,
    key_bytes,
    read_certificates,
    read_key,
    same_key,
)

LOG = logger("certificates")

OWN_DAYS = 397  # what public authorities may give at most; here only the renewal's rhythm
RENEW_DAYS = 30
# The certificate keeps the names that it had, and some networks give a new address each day.
NAMES_MAX = 64
PRIVATE, PUBLIC = 0o600, 0o644


@dataclass(frozen=True, slots=True)
class TlsFiles:
    ca_cert: Path
    ca_key: Path
    server_cert: Path
    server_key: Path


def own_files(tls_dir: Path) -> TlsFiles:
    names = ("ca_cert.pem", "ca_key.pem", "server_cert.pem", "server_key.pem")
    return TlsFiles(*(tls_dir / name for name in names))


def ensure_own(
    tls_dir: Path, names: Sequence[str], now: datetime, *, may_found: bool = True
) -> TlsFiles:
    """Make what is missing, renew what ends within 30 days or lacks one of `names`.

    Call it under a lock that all processes share; it is cheap when there is nothing to do.
    `Misconfigured` where a file is damaged or comes from elsewhere, or cannot be written.

    An authority is founded at a start alone (`may_found`). While a server runs, its folder may be
    away for a moment (a volume, a backup coming back): what is made then cuts off every board.
    """
    files = own_files(tls_dir)
    now = max(now, EARLIEST)
    if may_found:
        _make_folder(tls_dir, 0o700)
    held = _held(files)
    if held is not None and files.ca_cert.exists() and not files.ca_key.exists():
        return files  # its operator took the key away: nothing can be renewed, all else works
    authority = _ensure_authority(files, now, PRIVATE, may_found=may_found)
    if held is not None and not authority.issued(held):
        raise Misconfigured(
            f"{files.server_cert} was not signed by {files.ca_cert}: remove it to have a new one, "
            "or name your own certificate with --cert and --key"
        )
    key = _ensure_server_key(files)
    if held is None or _is_due(held, key, names, authority, now):
        renewed = _signed(files, authority, key, _merged(names, held), now, OWN_DAYS)
        keep(files.server_cert, certificate_bytes(renewed), PRIVATE)
        until = renewed.not_valid_after_utc.strftime("%Y-%m-%d")
        LOG.info("a new certificate was made, %s, until %s", files.server_cert, until)
    return files


def make_set(
    folder: Path, names: Sequence[str], now: datetime, days: int, *, replace: bool
) -> tuple[TlsFiles, x509.Certificate]:
    """The four files for an operator, in a folder of theirs; an authority in it is used again.

    A server certificate that is there is a `Conflict`, unless `replace` gives it a new key too.
    """
    files = own_files(folder)
    checked = list(dict.fromkeys(map(certificate_name, names)))
    now = max(now, EARLIEST)
    if files.server_cert.exists() and not replace:
        raise Conflict(f"{files.server_cert} is already there; --force replaces it and its key")
    _make_folder(folder, 0o755)
    authority = _ensure_authority(files, now, PUBLIC, may_found=True)
    key = new_key() if replace else _ensure_server_key(files)
    certificate = _signed(files, authority, key, checked, now, days)
    if replace:
        keep(files.server_key, key_bytes(key), PRIVATE)
    keep(files.server_cert, certificate_bytes(certificate), PUBLIC)
    return files, certificate


def _is_due(
    held: x509.Certificate,
    key: SigningKey,
    names: Sequence[str],
    authority: Authority,
    now: datetime,
) -> bool:
    if not same_key(held.public_key(), key.public_key()):
        return True  # a crash between key and certificate
    if authority.ended(now):
        return False  # nothing it could sign would be better
    ends, last = held.not_valid_after_utc, authority.certificate.not_valid_after_utc
    ends_soon = ends < min(now + timedelta(days=RENEW_DAYS), last)
    begins_later = held.not_valid_before_utc > now  # the clock was wrong when it was made
    lacks_one = not set(map(certificate_name, names)) <= set(names_of(held))
    return ends_soon or begins_later or lacks_one


def _merged(names: Sequence[str], held: x509.Certificate | None) -> list[str]:
    """The wanted names first, then those it had, the latest first, up to a limit."""
    wanted = list(dict.fromkeys(map(certificate_name, names)))
    kept = [name for name in (names_of(held) if held else ()) if name not in wanted]
    return wanted + kept[: max(0, NAMES_MAX - len(wanted))]


def _signed(
    files: TlsFiles,
    authority: Authority,
    key: SigningKey,
    names: Sequence[str],
    now: datetime,
    days: int,
) -> x509.Certificate:
    if authority.ended(now):
        raise Misconfigured(f"{files.ca_cert} has expired: it can sign no certificate any more")
    return authority.issue(names, key.public_key(), now, days)


def _ensure_authority(files: TlsFiles, now: datetime, mode: int, *, may_found: bool) -> Authority:
    if files.ca_cert.exists():
        if not files.ca_key.exists():
            # A new authority in its place would cut off every board built with the old one.
            raise Misconfigured(
                f"{files.ca_key} is gone while {files.ca_cert} is there: restore it"
            )
        where = f"{files.ca_cert} and {files.ca_key}"
        return authority_of(read_certificates(files.ca_cert)[0], read_key(files.ca_key), where)
    if not may_found:
        raise Misconfigured(f"{files.ca_cert} is gone: restore it")
    if not files.ca_key.exists():
        keep(files.ca_key, key_bytes(new_key()), PRIVATE)
    authority = found(_signing(files.ca_key), now)
    keep(files.ca_cert, certificate_bytes(authority.certificate), mode)
    LOG.info("a new authority (CA) was founded: %s", files.ca_cert)
    return authority


def _ensure_server_key(files: TlsFiles) -> SigningKey:
    if not files.server_key.exists():
        keep(files.server_key, key_bytes(new_key()), PRIVATE)
    return _signing(files.server_key)


def _signing(path: Path) -> SigningKey:
    key = read_key(path)
    if not isinstance(key, SigningKey):
        raise Misconfigured(f"{path} is neither an EC nor an RSA key")
    return key


def _held(files: TlsFiles) -> x509.Certificate | None:
    return read_certificates(files.server_cert)[0] if files.server_cert.exists() else None


def _make_folder(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be made: {error.strerror}") from error
