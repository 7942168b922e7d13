"""What a token must say before we believe it, once its signature holds.

Tokens minted elsewhere with the same secret are welcome, so a good signature proves nothing
about the content: each claim is checked for type and range. Names are those of RFC 7519 §4.1
and of the tokens that this server mints itself; `iss` and `aud` are not asked for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.domain.identity import DEVICE_ROLES, PROJECT_PATTERN, SUBJECT_PATTERN

CLOCK_SKEW_SECONDS_MAX = 60
"""How far ahead of ours the clock of a foreign issuer may go. It prolongs nothing: `exp` has no
leeway."""

TOKEN_ID_PATTERN = re.compile(r"[ -~]{1,128}\Z")
"""Printable ASCII: it is shown in lists, written to logs and typed to revoke."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. Times are Unix seconds."""

    subject: str
    """The device id, as `domain.identity.SUBJECT_PATTERN` allows it."""
    project: str
    expires_at: int
    """The first second in which the token is no longer good."""
    issued_at: int | None
    """None where a foreign issuer left it out; a revocation of the device then covers it."""
    token_id: str | None
    """The `jti`."""


def read_claims(payload: Mapping[str, object], now: int, lifetime_seconds_max: int) -> Claims:
    """The claims of a signed payload, or `Unauthenticated` with the first one that is wrong."""
    issued_at = _issued_at(payload, now)
    _check_not_before(payload, now)
    _check_roles(payload.get("roles"))
    return Claims(
        subject=_text(payload, "sub", SUBJECT_PATTERN),
        project=_text(payload, "project", PROJECT_PATTERN),
        expires_at=_expires_at(payload, now, issued_at, lifetime_seconds_max),
        issued_at=issued_at,
        token_id=_text(payload, "jti", TOKEN_ID_PATTERN) if "jti" in payload else None,
    )


def _issued_at(payload: Mapping[str, object], now: int) -> int | None:
    if "iat" not in payload:
        return None
    issued_at = _seconds(payload, "iat")
    if issued_at > now + CLOCK_SKEW_SECONDS_MAX:
        raise Unauthenticated("the token was issued in the future")
    return issued_at


def _check_not_before(payload: Mapping[str, object], now: int) -> None:
    if "nbf" in payload and _seconds(payload, "nbf") > now + CLOCK_SKEW_SECONDS_MAX:
        raise Unauthenticated("the token is not valid yet")


def _expires_at(
    payload: Mapping[str, object], now: int, issued_at: int | None, lifetime_seconds_max: int
) -> int:
    expires_at = _seconds(payload, "exp")
    if expires_at <= now:
        raise Unauthenticated("the token has expired")
    # Without `iat` nobody knows how long it has lived; what is left of it must still fit.
    begins_at = now if issued_at is None else issued_at
    if expires_at - begins_at > lifetime_seconds_max:
        raise Unauthenticated("the token lives longer than this server allows")
    return expires_at


def _check_roles(roles: object) -> None:
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise Unauthenticated("roles is not a list of words")
    for role in DEVICE_ROLES:
        if role not in roles:
            raise Unauthenticated(f"roles lacks {role}")


def _seconds(payload: Mapping[str, object], name: str) -> int:
    value = payload.get(name)
    # In Python `true` is an int, in JSON it is none. RFC 7519 §2 allows fractions; none of the
    # issuers we serve writes them, and a float has no last second.
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unauthenticated(f"{name} is not a whole number of seconds")
    return value


def _text(payload: Mapping[str, object], name: str, pattern: re.Pattern[str]) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not pattern.match(value):
        raise Unauthenticated(f"{name} is missing or has a form that is not allowed")
    return value
