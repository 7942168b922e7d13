"""A server somewhere else, spoken to over its admin API: for commands that run in pipelines."""

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from ota_http_server.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    Refusal,
    TooLarge,
    Unauthenticated,
    Unfit,
)

CONNECT_SECONDS = 20.0
PATIENCE_SECONDS = 300.0  # before its answer, a gigabyte is read, checked and synced to a slow disk
ANSWER_BYTES_MAX = 2**20  # a release of 64 images takes some 50 KB
BLOCK_BYTES = 256 * 1024  # a few system calls a megabyte
KEY_CHARACTERS_MAX = 256
KINDS: dict[int, type[Refusal]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: Unfit,
}
TOO_MANY = 429
ON_THIS_HOST = ("localhost", "127.0.0.1", "::1")

Progress = Callable[[int], object]
"""Told how many bytes more went out."""


def blocks(content: BinaryIO, progress: Progress) -> Iterator[bytes]:
    """The file piece by piece; each is told once the next one is wanted."""
    while block := content.read(BLOCK_BYTES):
        yield block
        progress(len(block))


class Unreachable(Misconfigured):
    """Nobody answers there, or not as this server does."""


class Cut(Unreachable):
    """The connection ended before the answer: worth another try."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The API of a server."""

    place: SplitResult
    key: str = field(repr=False)
    ca: Path | None = None

    @classmethod
    def of(cls, url: str, key: str, ca: Path | None = None) -> "Remote":
        """`url` is scheme, host and port; `Invalid` for any other."""
        return cls(_place(url), _key(key), ca)

    @property
    def url(self) -> str:
        return self.place.geturl()

    @property
    def shows_the_key(self) -> bool:
        """Whoever is on the way there can read it."""
        return self.place.scheme == "http" and self.place.hostname not in ON_THIS_HOST

    def ask(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        """The JSON that is answered; a refusal of the server is one here."""
        body = None if document is None else json.dumps(document).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        return self._asked(method, quote(path), body, headers)

    def put(
        self, path: str, file: Path, progress: Progress, query: dict[str, str | None]
    ) -> dict[str, Any]:
        """Sends a file, never all of it in memory."""
        said = {name: value for name, value in query.items() if value is not None}
        target = quote(path) + (f"?{urlencode(said)}" if said else "")
        with file.open("rb") as content:
            headers = {
                "Content-Length": str(file.stat().st_size),
                "Content-Type": "application/octet-stream",
            }
            return self._asked("PUT", target, blocks(content, progress), headers)

    def _asked(
        self, method: str, target: str, body: Any, headers: dict[str, str]
    ) -> dict[str, Any]:
        connection = self._connection()
        try:
            status, content = _answer(connection, method, target, body, self._fields | headers)
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"the certificate of {self.url} is not trusted ({error.verify_message}):"
                " --ca names the CA that it is from"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise Cut(f"{self.url} does not answer: {error}") from None
        finally:
            connection.close()
        return _document(status, content, self.url)

    @property
    def _fields(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self.place.hostname or "", self.place.port
        if self.place.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:  # ssl.SSLError is one
            raise Misconfigured(f"{self.ca} cannot be used as a CA: {error}") from None
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=context)


def _answer(
    connection: http.client.HTTPConnection, method: str, target: str, body: Any, headers: Any
) -> tuple[int, bytes]:
    connection.connect()
    connection.sock.settimeout(PATIENCE_SECONDS)
    try:
        connection.request(method, target, body, headers)
    except OSError:
        # Whoever refuses an image does not wait for all of it: the answer may be here already.
        with suppress(OSError, http.client.HTTPException):
            return _received(connection)
        raise
    return _received(connection)


def _received(connection: http.client.HTTPConnection) -> tuple[int, bytes]:
    answer = connection.getresponse()
    return answer.status, answer.read(ANSWER_BYTES_MAX)


def _document(status: int, content: bytes, url: str) -> dict[str, Any]:
    """What is said; a proxy's or a stranger's page is not taken for it."""
    if status == 204:
        return {}
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if status < 200 or 300 <= status < 400 or not isinstance(document, dict):
        raise Unreachable(f"{url} answers {status}, and not as this server does")
    if status < 300:
        return document
    detail = str(document.get("detail") or document.get("title") or f"HTTP {status}")
    if status >= 500 or status == TOO_MANY:
        raise Unreachable(f"{url} cannot do it now ({status}): {detail}")
    raise KINDS.get(status, Invalid)(detail)


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url.rstrip("/"))
        known = place.scheme in ("http", "https") and place.hostname and place.port != 0
    except ValueError:  # of a port, or of a bracket that is not closed
        known = None
    if not known or place.path or place.query or place.fragment or "@" in place.netloc:
        raise Invalid("--server must be like https://ota.example.com:8071")
    return place


def _key(text: str) -> str:
    """A header holds nothing else; the text is not shown, it may be a good key with a slip."""
    key = text.strip()
    if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= KEY_CHARACTERS_MAX:
        raise Invalid(f"an API key has at most {KEY_CHARACTERS_MAX} printable ASCII characters")
    return key
