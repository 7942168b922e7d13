"""API keys: named ones of people and programs, each with a role and perhaps one project.

A key is `otak_` and 43 characters of base64url: 256 random bits, so its SHA-256 needs no salt.
"""

import re
from dataclasses import dataclass

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.operator import Role

KEY_PREFIX = "otak_"
KEY_PATTERN = re.compile(r"otak_[A-Za-z0-9_-]{43}\Z")
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
TAKEN_NAMES = frozenset({"shared-secret", "shell", "folder", "tidy", "server"}) | frozenset(
    {"token", "check-in", "simulate"}
)
"""What the audit and the registry call those who come without a key."""
LIFE_DAYS_MAX = 3_660  # ten years; a key that should live longer is one without an end


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key, but for the key itself. Times are unix seconds."""

    name: str
    digest: str
    """SHA-256 of its text, in hexadecimal."""
    role: Role
    project: str | None
    """The one project that it may see and change; None: all."""
    created_at: int
    created_by: str
    expires_at: int | None = None
    revoked_at: int | None = None

    def holds(self, now: int) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def key_name(value: object) -> str:
    """A name for a key, or `Invalid`."""
    if not isinstance(value, str) or not NAME_PATTERN.match(value):
        raise Invalid("name must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit")
    if value.lower() in TAKEN_NAMES:
        raise Invalid(f"a key cannot be called {value}: the audit log calls others so")
    return value


def role_of(value: object) -> Role:
    """The role of this name, or `Invalid`."""
    for role in Role:
        if value == role.word:
            return role
    raise Invalid(f"role must be one of {', '.join(role.word for role in Role)}")
