"""Public keys of devices: what each is for, and how far it has come.

A device that makes a key pair of its own never shares a secret with anybody. It asks to be let in
with the public half; an operator accepts it, or announced its fingerprint before.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from ota_http_server.domain.errors import Invalid

FINGERPRINT_PATTERN = re.compile(r"[0-9a-f]{64}\Z")
ANY_DEVICE = ""
"""An announced key may be for whichever device comes with it."""


class KeyState(StrEnum):
    PENDING = "pending"
    """A device asked; it gets nothing yet."""
    ANNOUNCED = "announced"
    """An operator expects it: it is accepted as soon as it comes."""
    ACCEPTED = "accepted"
    """It gets tokens for its device."""
    REJECTED = "rejected"
    """It gets nothing, however often it asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKey:
    """Times are unix seconds."""

    fingerprint: str
    """SHA-256 of the key's DER form, in hexadecimal."""
    project: str
    device: str
    """`ANY_DEVICE` while it is announced for whichever comes with it."""
    public_key: str = ""
    """In PEM; empty while only its fingerprint was announced."""
    state: KeyState
    address: str | None = None
    """Where it came from."""
    created_at: int
    decided_at: int | None = None
    decided_by: str | None = None

    @property
    def name(self) -> str:
        """What the audit calls a device that comes with it."""
        return f"device-key:{self.fingerprint[:16]}"


def fingerprint_of(value: object) -> str:
    """A fingerprint in lower case without colons, or `Invalid`."""
    plain = value.replace(":", "").strip().lower() if isinstance(value, str) else ""
    if not FINGERPRINT_PATTERN.match(plain):
        raise Invalid("a fingerprint is a SHA-256: 64 hexadecimal digits")
    return plain


def signed_words(project: str, device: str, challenge: str) -> bytes:
    """The exact bytes that a device signs: who it wants to be, and a fresh challenge."""
    return f"ota-enroll\n{project}\n{device}\n{challenge}".encode()
