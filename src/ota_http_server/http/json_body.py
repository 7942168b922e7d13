"""A JSON object from outside, within limits: what passes here is safe to look at."""

import json
from typing import Any, NoReturn, Protocol

from ota_http_server.domain.errors import Invalid, NotJson, TooLarge
from ota_http_server.http.exchange import Request


class Readable(Protocol):
    """A stream that ends where the body ends."""

    def read(self, size: int, /) -> bytes: ...


BODY_BYTES_MAX = 64 * 1024  # the largest thing an admin says has a few hundred bytes
DEVICE_BYTES_MAX = 4_096  # the longest that one says, a key in PEM and a signature, has 500
DEPTH_MAX = 20
DIGITS_MAX = 20  # a 64-bit number; Python itself would take thousands, slowly


def read_bounded(stream: Readable) -> bytes:
    """The body, or one byte more than may be: whoever looks at it then refuses it."""
    body = b""
    while len(body) <= BODY_BYTES_MAX and (block := stream.read(BODY_BYTES_MAX + 1 - len(body))):
        body += block
    return body


def device_body(request: Request) -> bytes:
    """The body of a board, which has little to say; `TooLarge` beyond `DEVICE_BYTES_MAX`."""
    body = request.read_body(DEVICE_BYTES_MAX)
    if len(body) > DEVICE_BYTES_MAX:
        raise TooLarge(f"at most {DEVICE_BYTES_MAX:,} bytes of JSON")
    return body


def json_object(content_type: str | None, body: bytes) -> dict[str, Any]:
    """The object in the body.

    Raises `NotJson` for another media type, `TooLarge`, and `Invalid` for anything that is no
    JSON object: duplicate keys, NaN, numbers of many digits and deep nesting included.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson("Content-Type must be application/json")
    if len(body) > BODY_BYTES_MAX:
        raise TooLarge(f"a JSON body may have at most {BODY_BYTES_MAX:,} bytes")
    try:
        document = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refuse,
        )
    except (ValueError, RecursionError):  # an Invalid of the hooks below passes
        raise Invalid("the body is no valid JSON") from None
    if not isinstance(document, dict):
        raise Invalid("the body must be a JSON object")
    _check_depth(document, DEPTH_MAX)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Invalid("the body names a key twice")
    return document


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise Invalid(f"a number in the body has more than {DIGITS_MAX} digits")
    return int(text)


def _float(text: str) -> float:
    if len(text) > 2 * DIGITS_MAX:
        raise Invalid(f"a number in the body has more than {2 * DIGITS_MAX} digits")
    return float(text)


def _refuse(_text: str) -> NoReturn:
    raise Invalid("NaN and Infinity are no JSON numbers")


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise Invalid(f"the body is nested more than {DEPTH_MAX} deep")
    if isinstance(value, dict):
        for inner in value.values():
            _check_depth(inner, left - 1)
    elif isinstance(value, list):
        for inner in value:
            _check_depth(inner, left - 1)
