"""Refusals become answers here, once, for every door: RFC 9457 problem details.

A device answer stays tiny: an ESP-IDF before 5.5 repeats a 401 ten times, and a modem may have
two kilobytes for everything.
"""

import json
import secrets

from ota_http_server.domain import errors
from ota_http_server.http.exchange import REASONS, Headers, Reply

STATUS: dict[type[errors.Refusal], int] = {
    errors.Invalid: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Outdated: 412,
    errors.TooLarge: 413,
    errors.NotJson: 415,
    errors.BeginAnew: 416,
    errors.Unfit: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
    errors.DiskFull: 507,
}

CODES = {status: kind.code for kind, status in STATUS.items()} | {405: "method_not_allowed"}
"""The one code of each status, also where no Refusal of ours was the reason."""

PROBLEM_JSON = "application/problem+json"
UNAVAILABLE_RETRY_SECONDS = range(8, 13)  # not all of a fleet in the same second

# RFC 6750 §3: the error is named only where a credential was shown.
CHALLENGE = ("WWW-Authenticate", 'Bearer realm="ota"')
CHALLENGE_INVALID = ("WWW-Authenticate", 'Bearer realm="ota", error="invalid_token"')

UNAUTHENTICATED_BODY = b'{"status":401,"code":"unauthenticated"}'


def status_of(refusal: errors.Refusal) -> int:
    """The status of the nearest class that has one; a refusal of no known class is a 400."""
    return next((STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS), 400)


def problem(refusal: errors.Refusal) -> Reply:
    """The answer that a refusal is to whoever asked."""
    status = status_of(refusal)
    if isinstance(refusal, errors.Unauthenticated):
        # No reason: whether a token is expired, revoked or forged is nobody's business but ours.
        challenge = CHALLENGE_INVALID if refusal.shown else CHALLENGE
        return plain_problem(status, UNAUTHENTICATED_BODY, (challenge,))
    extra: Headers = ()
    if isinstance(refusal, errors.TooMany):
        extra = (("Retry-After", str(refusal.retry_after_seconds)),)
    elif status == 503:
        extra = (("Retry-After", str(secrets.choice(UNAVAILABLE_RETRY_SECONDS))),)
    return plain_problem(status, body_of(status, refusal.code, refusal.detail), extra)


def body_of(status: int, code: str, detail: str, **more: str) -> bytes:
    """The JSON of a problem; without a `type` it is about:blank (RFC 9457 §4.2.1)."""
    fields = {"title": REASONS.get(status, "Error"), "status": status, "code": code}
    return json.dumps({**fields, "detail": detail, **more}, separators=(",", ":")).encode()


def plain_problem(status: int, body: bytes, extra: Headers = ()) -> Reply:
    headers = (("Content-Type", PROBLEM_JSON), ("Cache-Control", "no-store"), *extra)
    return Reply(status, headers, (body,))
