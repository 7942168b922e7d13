"""Claim codes: a device turns one into its first credential, without any secret of the server.

A code is 20 characters of Crockford's base32, in groups of four: no two of its letters are mixed
up when a person reads one out. One code is for one device, or for a batch with a count.
"""

import re
from dataclasses import dataclass

CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_CHARACTERS = 20
GROUP_CHARACTERS = 4
CODE_PATTERN = re.compile(rf"[{CODE_ALPHABET}]{{{CODE_CHARACTERS}}}\Z")
TYPED_CHARACTERS_MAX = 64  # what is longer was not read off a label

DEVICES_MAX = 100_000  # a production run; a larger one gets several codes
LABEL_CHARACTERS_MAX = 128
EXPIRES_SECONDS_MIN = 60
EXPIRES_SECONDS_MAX = 366 * 24 * 3600
EXPIRES_SECONDS_USUAL = 7 * 24 * 3600

_AS_READ = str.maketrans("OIL", "011", " -\t")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is known of a code, but for the code itself. Times are unix seconds."""

    id: int
    digest: str
    """SHA-256 of the code, in hexadecimal."""
    project: str
    label: str
    uses: int = 0
    """How many devices it has let in."""
    uses_max: int
    expires_at: int
    channel: str | None = None
    """What its devices follow; None: nothing of their own."""
    tags: tuple[str, ...] = ()
    created_at: int
    created_by: str
    revoked_at: int | None = None

    @property
    def name(self) -> str:
        """Who lets its devices in, as the registry and the audit call it."""
        return f"claim:{self.id}"  # no API key can be called so

    def holds(self, now: int) -> bool:
        """Whether it is good for anything; places may be taken nevertheless."""
        return self.revoked_at is None and now < self.expires_at

    @property
    def has_room(self) -> bool:
        return self.uses < self.uses_max


def plain_code(typed: str) -> str | None:
    """The code without marks, as a person may have typed it; None if it cannot be one."""
    if len(typed) > TYPED_CHARACTERS_MAX:
        return None
    plain = typed.strip().upper().translate(_AS_READ)
    return plain if CODE_PATTERN.match(plain) else None


def grouped(code: str) -> str:
    """The code as it is shown."""
    starts = range(0, len(code), GROUP_CHARACTERS)
    return "-".join(code[at : at + GROUP_CHARACTERS] for at in starts)
