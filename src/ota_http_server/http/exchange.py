"""What comes in and what goes out, free of any framework.

A `Request` is a view on a WSGI environ (PEP 3333): nothing is copied or parsed before it is
asked for, because the device lane is the hot path. A `Reply` is a status, headers and a body
made of bytes and *this file from here to there*, so that whoever transfers it can let the
kernel do the copying.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

Headers = tuple[tuple[str, str], ...]

CONNECTION = "ota_http_server.connection"
"""Where our own server puts the connection into the environ; other servers put nothing."""

REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    206: "Partial Content",
    302: "Found",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}


@lru_cache(maxsize=256)
def _environ_key(name: str) -> str:
    """The CGI name of a header; which ones are asked for stands in our code, so they are few."""
    return "HTTP_" + name.upper().replace("-", "_")


class Request:
    """One request as the dialects see it."""

    __slots__ = ("address", "base_url", "environ", "method", "path", "query")

    def __init__(self, environ: Mapping[str, Any], address: str, base_url: str) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ["PATH_INFO"]
        """Percent-decoded, as latin-1: anything outside our names' ASCII matches no pattern."""
        self.query: str = environ.get("QUERY_STRING", "")
        self.address = address
        """The caller's address, forwarded ones only from trusted proxies."""
        self.base_url = base_url
        """Scheme and host (and port) under which the caller reached us, no trailing slash."""

    def header(self, name: str) -> str | None:
        """A header by its name in any case; repeated ones are joined as WSGI joins them."""
        value = self.environ.get(_environ_key(name))
        return value if value is None else str(value)

    def read_body(self, bytes_max: int) -> bytes:
        """The body, or the first `bytes_max` + 1 bytes of a longer one: refuse it then.

        PEP 3333 lets a server's stream go on behind the body, so the length that was said counts.
        """
        said = self.environ.get("CONTENT_LENGTH") or ""
        if said.isascii() and said.isdigit():
            left = min(int(said), bytes_max + 1)
        elif self.environ.get("wsgi.input_terminated"):
            left = bytes_max + 1
        else:
            return b""
        body = b""
        while left > 0 and (block := self.environ["wsgi.input"].read(left)):
            body += block
            left -= len(block)
        return body

    def trust_connection(self) -> None:
        """The caller proved who it is."""
        trust_connection(self.environ)


def trust_connection(environ: Mapping[str, Any]) -> None:
    """Our own server counts this connection among those of strangers no more."""
    connection = environ.get(CONNECTION)
    if connection is not None:
        connection.credentialed = True


@dataclass(frozen=True, slots=True)
class FilePart:
    """These bytes of this file."""

    path: Path
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `Content-Length` is added by the lane from `length`, never written by hand.

    For HEAD the dialect builds the same Reply as for GET; the lane leaves out the body.
    """

    status: int
    headers: Headers = ()
    body: tuple[bytes | FilePart, ...] = ()
    device: str = ""
    """Whose download it is, if that is known: what arrives of it becomes its progress."""
    project: str = ""
    """Of which project the image is: its downloads may have a rate."""

    @property
    def length(self) -> int:
        return sum(p.length if isinstance(p, FilePart) else len(p) for p in self.body)
