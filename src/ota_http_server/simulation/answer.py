"""What comes back: the head as it was read, the body, and how its end was told."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from ota_http_server.simulation.failed import Failed

Framing = Literal["length", "chunked", "close", "none"]
"""How the end of a body is told; "none": there is no body at all (HEAD, 204, 304)."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_STATUS_LINE = re.compile(r"(HTTP/\d\.\d) (\d{3})(?: (.*))?")
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Head:
    version: str
    status: int
    headers: dict[str, str]
    """Names in lower case; fields that came several times are joined by commas."""

    @classmethod
    def of(cls, text: bytes) -> "Head | None":
        """The head in these bytes (without the empty line), None if it is none."""
        first, *lines = text.decode("latin-1").split("\r\n")
        said = _STATUS_LINE.fullmatch(first)
        if said is None:
            return None
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                return None
            name = name.lower()
            known = headers.get(name)
            headers[name] = value.strip() if known is None else f"{known}, {value.strip()}"
        return cls(said[1], int(said[2]), headers)

    @property
    def length(self) -> int | None:
        """What `Content-Length` says; None if it is missing or no number."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    def framing(self, *, bodiless: bool) -> Framing:
        if bodiless or self.status in (204, 304):
            return "none"
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return "chunked"
        return "close" if self.length is None else "length"

    @property
    def stays_open(self) -> bool:
        """Whether the server goes on listening on this connection."""
        tokens = self.headers.get("connection", "").lower()
        return "close" not in tokens and (self.version != "HTTP/1.0" or "keep-alive" in tokens)


@dataclass(frozen=True, slots=True)
class Answer(Head):
    body: bytes
    framing_used: Framing
    first_byte_seconds: float

    @property
    def is_redirect(self) -> bool:
        return self.status in REDIRECTS and "location" in self.headers

    @property
    def content_range(self) -> tuple[int, int, int] | None:
        """First, last and total of a 206; None if it is missing, malformed or hides the total."""
        said = _CONTENT_RANGE.fullmatch(self.headers.get("content-range", ""))
        if said is None or said[1] is None or said[3] == "*":
            return None
        return int(said[1]), int(said[2]), int(said[3])

    def json(self, complaint: str) -> Any:
        """The JSON in the body, or `Failed` with the client's complaint."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Failed(complaint) from None

    def json_object(self, complaint: str) -> dict[str, Any]:
        document = self.json(complaint)
        if not isinstance(document, dict):
            raise Failed(complaint)
        return document


def is_number(value: object) -> TypeGuard[int]:
    """A whole number of JSON, which `true` is not."""
    return isinstance(value, int) and not isinstance(value, bool)
