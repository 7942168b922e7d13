"""Where a request begins and ends, and what its head says (RFC 9112), read strictly.

Two parties that disagree about framing can be played against each other (request smuggling), so
whatever could be read in two ways is refused and the connection ends. What passes here is a
subset of what gunicorn's own parser lets through; a test compares the two.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

REQUEST_LINE_BYTES_MAX = 4_096
"""The longest URL that a device needs is under 600 bytes; proxies commonly stop at 8 KB."""
FIELDS_BYTES_MAX = 16_384
FIELDS_MAX = 100
HEAD_BYTES_MAX = REQUEST_LINE_BYTES_MAX + FIELDS_BYTES_MAX

REQUEST_LINE = re.compile(r"([A-Z][A-Z-]{2,19}) ([!-~]+) HTTP/1\.([01])")
ABSOLUTE = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://([^/?@]+)(/[^?]*)?(\?.*)?")
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
LENGTH = re.compile(r"[0-9]{1,15}")

# Controls have no place in a head (RFC 9110 §5.5); the line ends are counted on their own.
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\r\n")) + b"\x7f"

# A second one cannot be merged with the first, so the two contradict each other.
_SINGLE = frozenset({"HTTP_HOST", "CONTENT_LENGTH", "CONTENT_TYPE", "HTTP_TRANSFER_ENCODING"})

_DROPPED = ""
_KEYS_MAX = 1_024
_keys: dict[str, str] = {}
"""Field name as written → its environ key. Strangers choose names, so it is bounded."""


REASONS = {
    400: "Bad Request",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
}


class Refused(Exception):
    """A request that is not served; the connection ends after the answer."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Head:
    """A request line and its fields, as the environ of PEP 3333 and what framing needs."""

    __slots__ = ("chunked", "environ", "expects_continue", "http11", "keep_alive", "length")

    def __init__(self, environ: dict[str, Any], http11: bool) -> None:
        self.environ = environ
        self.http11 = http11
        self.length = _length(environ.get("CONTENT_LENGTH"))
        self.chunked = False
        self.expects_continue = False
        connection = environ.get("HTTP_CONNECTION")
        self.keep_alive = http11 if connection is None else _keep_alive(connection, http11)


def parse(head: bytes, base: dict[str, Any]) -> Head:
    """What a head (without its final empty line) says, or `Refused`. `base` is copied."""
    lines = head.decode("latin-1").split("\r\n")
    breaks = len(lines) - 1
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        raise Refused(400, "a line ends in something else than CRLF")
    if len(head.translate(None, _CONTROLS)) != len(head):
        raise Refused(400, "control characters in the head")
    if len(lines[0]) > REQUEST_LINE_BYTES_MAX:
        raise Refused(414, f"the request line has more than {REQUEST_LINE_BYTES_MAX} bytes")
    if breaks > FIELDS_MAX or len(head) - len(lines[0]) > FIELDS_BYTES_MAX:
        raise Refused(431, f"more than {FIELDS_MAX} fields or {FIELDS_BYTES_MAX} bytes of them")
    line = REQUEST_LINE.fullmatch(lines[0])
    if line is None:
        raise Refused(400, "not a request line")
    environ = base.copy()
    method, target, minor = line.groups()
    environ["REQUEST_METHOD"] = method
    environ["SERVER_PROTOCOL"] = "HTTP/1." + minor
    del lines[0]
    _read_fields(lines, environ)
    _read_target(method, target, environ)
    http11 = minor == "1"
    if http11 and "HTTP_HOST" not in environ:
        raise Refused(400, "HTTP/1.1 without Host")
    result = Head(environ, http11)
    if "HTTP_TRANSFER_ENCODING" in environ:
        _read_transfer_encoding(result, environ)
    if "HTTP_EXPECT" in environ:
        if environ["HTTP_EXPECT"].lower() != "100-continue":
            raise Refused(417, "an expectation that is not 100-continue")
        result.expects_continue = http11
    return result


def check_unfinished(data: bytes) -> None:
    """Refuse what can no longer become a head, rather than wait for its end."""
    if data[0] not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ\r":
        raise Refused(400, "not a request line")
    if data.count(b"\n") != data.count(b"\r\n"):
        raise Refused(400, "a line ends in something else than CRLF")
    line_bytes = data.find(b"\r\n")
    if line_bytes > REQUEST_LINE_BYTES_MAX or (
        line_bytes < 0 and len(data) > REQUEST_LINE_BYTES_MAX
    ):
        raise Refused(414, f"the request line has more than {REQUEST_LINE_BYTES_MAX} bytes")
    if len(data) - line_bytes > FIELDS_BYTES_MAX + len("\r\n\r\n"):
        raise Refused(431, f"more than {FIELDS_BYTES_MAX} bytes of fields")


def _read_fields(lines: list[str], environ: dict[str, Any]) -> None:
    for line in lines:
        name, colon, value = line.partition(":")
        key = _keys.get(name)
        if key is None:
            key = _environ_key(name)
        if not colon:
            raise Refused(400, "a field without a colon")
        if key == _DROPPED:
            continue
        value = value.strip(" \t")
        if key in environ:
            if key in _SINGLE:
                raise Refused(400, "a field that may stand once stands twice")
            value = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value
        environ[key] = value


def _environ_key(name: str) -> str:
    """The CGI key of a field name; "" for those that must not reach the application.

    An underscore reads like a hyphen in the environ, so `X_Forwarded_For` could pose as the real
    one; `Proxy` would be read as a proxy setting by careless libraries (httpoxy).
    """
    if not TOKEN.fullmatch(name):
        raise Refused(400, "not a field name")
    upper = name.upper()
    if "_" in upper or upper == "PROXY":
        key = _DROPPED
    elif upper in ("CONTENT-TYPE", "CONTENT-LENGTH"):
        key = upper.replace("-", "_")
    else:
        key = "HTTP_" + upper.replace("-", "_")
    if len(_keys) < _KEYS_MAX:
        _keys[name] = key
    return key


def _read_target(method: str, target: str, environ: dict[str, Any]) -> None:
    """Origin form, absolute form (RFC 9112 §3.2.2: its host wins) or `OPTIONS *`."""
    environ["RAW_URI"] = target
    if target[0] != "/":
        absolute = ABSOLUTE.fullmatch(target)
        if absolute is not None:
            environ["HTTP_HOST"] = absolute[1]
            target = (absolute[2] or "/") + (absolute[3] or "")
        elif method != "OPTIONS" or target != "*":
            raise Refused(400, "not a request target that a server takes")
    if "#" in target or method == "CONNECT":
        raise Refused(400, "not a request target that a server takes")
    path, _, environ["QUERY_STRING"] = target.partition("?")
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path


def _length(value: str | None) -> int:
    if value is None:
        return 0
    if not LENGTH.fullmatch(value):
        raise Refused(400, "not a Content-Length")
    return int(value)


def _keep_alive(connection: str, http11: bool) -> bool:
    options = [option.strip(" \t") for option in connection.lower().split(",")]
    if "close" in options:
        return False
    return http11 or "keep-alive" in options


def _read_transfer_encoding(head: Head, environ: dict[str, Any]) -> None:
    """Only `chunked`, only in HTTP/1.1, never beside a Content-Length (RFC 9112 §6.1, §6.3)."""
    if not head.http11 or "CONTENT_LENGTH" in environ:
        raise Refused(400, "Transfer-Encoding in HTTP/1.0 or beside Content-Length")
    if environ["HTTP_TRANSFER_ENCODING"].lower() != "chunked":
        raise Refused(400, "a Transfer-Encoding other than chunked")
    head.chunked = True
