"""The head of the chain, kept apart from the rows: a chain alone cannot see that its tail is cut.

The file holds how many events there are and the hash of the last, sealed by a key. It never goes
back. Whoever changes rows *and* head needs the key, or a copy kept elsewhere shows it.
"""

import hashlib
import hmac
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ota_http_server.storage.events import canonical

HEAD_BYTES_MAX = 1_024  # ours has some 170


class SpoiltHead(Exception):
    """The file is there but is not what this server wrote; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Head:
    """There were `count` events, and the last one had this hash."""

    count: int
    hash: str


def read_head(path: Path, key: bytes) -> Head | None:
    """The head in this file, None if there is no file; `SpoiltHead` if its seal does not hold."""
    try:
        with path.open("rb") as file:
            text = file.read(HEAD_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SpoiltHead(f"{path} cannot be read: {error.strerror}") from error
    try:
        content = json.loads(text)
        head = Head(content["count"], content["hash"])
        sealed = content["hmac"].encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SpoiltHead(f"{path} is not a head of the audit chain") from error
    if not hmac.compare_digest(sealed, _seal(head, key).encode()):
        raise SpoiltHead(f"the seal of {path} does not hold: it was changed, or the key was")
    return head


class AuditHead:
    """The head as the running processes advance it."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key

    def read(self) -> Head | None:
        return read_head(self.path, self._key)

    def advance(self, head: Head) -> None:
        """Moves the head there, unless another process already moved it further.

        Called under the `AuditLock`. Raises `OSError` if it cannot be written and `SpoiltHead` if
        there is a spoilt one: that is evidence, and stays.
        """
        known = self.read()
        if known is None or known.count < head.count:
            self._write(head)

    def _write(self, head: Head) -> None:
        text = canonical({"count": head.count, "hash": head.hash, "hmac": _seal(head, self._key)})
        partial = self.path.with_name(self.path.name + ".partial")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(partial, flags, 0o600), "w", encoding="ascii") as file:
            _keep_owner(file.fileno(), self.path)
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)


def _keep_owner(descriptor: int, path: Path) -> None:
    """A head that root moves on stays its owner's, or the owner's server could move it no more."""
    if sys.platform != "win32" and os.geteuid() == 0 and path.exists():
        status = path.stat()
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _seal(head: Head, key: bytes) -> str:
    return hmac.new(key, canonical([head.count, head.hash]).encode(), hashlib.sha256).hexdigest()
