"""The certificate that is shown, and how a new one is shown without a new process.

One context is made before the workers are forked: they share its ticket keys, so that a board may
resume its session with any of them. A new certificate is therefore loaded into that context.
"""

import logging
import ssl
from pathlib import Path

from ota_http_server.domain.errors import Misconfigured

logger = logging.getLogger("ota_http_server.server")

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate and key on disk, and the TLS context that shows them."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self._stamp = self._read_stamp()
        try:
            self.context = _new_context(certificate, key)
        except (OSError, ValueError) as error:
            raise Misconfigured(
                f"the certificate {certificate} with the key {key} cannot be used: {error}"
            ) from error

    def reload_if_changed(self) -> bool:
        """Cheap enough for every second: two `stat` calls."""
        return self._read_stamp() != self._stamp and self.reload()

    def reload(self) -> bool:
        """Show what is on disk now, from the next handshake on; keep the old pair if it is bad."""
        self._stamp = self._read_stamp()
        try:
            # A pair that does not match would leave the living context with half of it.
            _new_context(self._certificate, self._key)
            self.context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (OSError, ValueError) as error:
            logger.error(
                "the new certificate %s is not used, the old one stays: %s",
                self._certificate,
                error,
            )
            return False
        return True

    def _read_stamp(self) -> Stamp:
        """What changes when a file is replaced; a missing file has a stamp of its own."""
        stamps = []
        for path in (self._certificate, self._key):
            try:
                status = path.stat()
                stamps.append((status.st_ino, status.st_size, status.st_mtime_ns))
            except OSError:
                stamps.append((0, 0, 0))
        return tuple(stamps)


def _new_context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # AEAD with forward secrecy only; TLS 1.3 has nothing else anyway (RFC 9325 §4.2).
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.set_alpn_protocols(["http/1.1"])
    # One ticket is enough to resume; the default of two costs time and bytes per handshake.
    context.num_tickets = 1
    context.load_cert_chain(certificate, key, password=_no_password)
    return context


def _no_password() -> str:
    """An encrypted key is an error: the server must start without anybody at the keyboard."""
    return ""
