"""Who calls, and what they may see."""

import re
from dataclasses import dataclass

from ota_http_server.domain.errors import Invalid

PROJECT_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
FILE_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
SUBJECT_PATTERN = re.compile(r"[A-Za-z0-9:._-]{1,64}\Z")
UUID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
MAC_PATTERN = re.compile(
    r"[0-9a-f]{2}(?P<mark>[:-])(?:[0-9a-f]{2}(?P=mark)){4}[0-9a-f]{2}\Z"
    r"|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}\Z"
)
BARE_MAC_PATTERN = re.compile(r"[0-9a-f]{12}\Z")

DEVICE_ROLES = ("device", "ota_client")


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose credential was verified (or everybody, where tokens are off)."""

    subject: str
    """The device id, or "" for everybody."""
    project: str | None
    """The one project this caller may see; None sees all."""
    credential: bytes
    """SHA-256 of the credential: names it in memory and rows without holding it."""

    sha256_start: str | None = None
    """A download ticket opens this image and no other: the beginning of its digest."""
    is_gateway: bool = False
    """Speaks for every device of its project, and says for which."""

    def may_see(self, project: str) -> bool:
        return self.project is None or self.project == project


ANYONE = Identity(subject="", project=None, credential=b"")
"""The caller while tokens are switched off (`--no-jwt`)."""


def canonical_device_id(text: str) -> str:
    """The lower-case UUID that names a device; anything else is `Invalid`.

    Braces, `urn:uuid:`, blanks and missing hyphens are refused: two spellings of one device
    would be two devices to revoke.
    """
    lowered = text.lower()
    if not UUID_PATTERN.match(lowered):
        raise Invalid("device_id must be a UUID such as e6f87d77-4216-4be1-ab83-b5fa6792b747")
    return lowered


def mac_address(text: str) -> str | None:
    """A MAC address in lower case with colons, however it is written; None if it is none."""
    plain = text.lower()
    if not MAC_PATTERN.match(plain) and not BARE_MAC_PATTERN.match(plain):
        return None
    digits = re.sub(r"[:.-]", "", plain)
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def device_key(text: str) -> str:
    """What a device is known by: a UUID or a MAC in its one spelling, any other id as written.

    Twelve digits without marks between them may as well be a serial number: they stay. Tokens
    minted elsewhere may name devices otherwise than by UUID; `Invalid` if it cannot be the
    subject of a token at all.
    """
    plain = text.lower()
    if UUID_PATTERN.match(plain):
        return plain
    if MAC_PATTERN.match(plain):
        return mac_address(plain) or plain
    if not SUBJECT_PATTERN.match(text):
        raise Invalid("device_id must be 1 to 64 of A-Z a-z 0-9 : . _ -, a UUID as a rule")
    return text


def enrolled_id(value: object) -> str:
    """The same for a device that comes into the registry, where a slip would stay for good.

    A UUID in any other spelling than its usual one is `Invalid` too: it would be a second device.
    """
    if not isinstance(value, str):
        raise Invalid("device_id is needed, as text")
    device = device_key(value)
    plain = device.lower()
    if plain.startswith("urn:"):
        raise Invalid("write a UUID without urn:uuid:")
    digits = re.sub(r"[_-]", "", plain.removeprefix("uuid:"))
    # Without any mark it is the id of a Linux machine (machine-id(5)), not a UUID.
    if re.fullmatch(r"[0-9a-f]{32}", digits) and plain not in (digits, _hyphened(digits)):
        raise Invalid(f"write the UUID as {_hyphened(digits)}")
    return device


def _hyphened(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def project_name(text: str) -> str:
    """A project's name as written, or `Invalid`."""
    if not PROJECT_PATTERN.match(text):
        raise Invalid(
            "project must be 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or digit"
        )
    return text
