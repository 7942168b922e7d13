"""A server somewhere else, spoken to over its admin API: for commands that run in pipelines."""

import http.client
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ota_http_server.domain.errors import Conflict, Invalid, Misconfigured, NotFound, Refusal, Unfit

PATIENCE_SECONDS = 60.0  # of one answer; an image is checked in a second or two
ANSWER_BYTES_MAX = 2**20
BLOCK_BYTES = 256 * 1024
KINDS: dict[int, type[Refusal]] = {404: NotFound, 409: Conflict, 422: Unfit}

Progress = Callable[[int], object]
"""Told how many bytes more went out."""


class Unreachable(Misconfigured):
    """Nobody answers there, or not as this server does."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The API of a server; `url` is scheme, host and port."""

    url: str
    key: str = field(repr=False)
    ca: Path | None = None

    def ask(
        self, method: str, path: str, document: object = None, **query: str | None
    ) -> dict[str, Any]:
        """The JSON that is answered; a refusal of the server is one here."""
        body = None if document is None else json.dumps(document).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return self._asked(method, _target(path, query), body, headers)

    def put(
        self,
        path: str,
        file: Path,
        progress: Progress,
        headers: dict[str, str],
        **query: str | None,
    ) -> dict[str, Any]:
        """Sends a file, never all of it in memory."""
        with file.open("rb") as content:
            length = file.stat().st_size

            def blocks() -> Any:
                while block := content.read(BLOCK_BYTES):
                    yield block
                    progress(len(block))

            fields = {"Content-Length": str(length), "Content-Type": "application/octet-stream"}
            return self._asked("PUT", _target(path, query), blocks(), fields | headers)

    def _asked(
        self, method: str, target: str, body: Any, headers: dict[str, str]
    ) -> dict[str, Any]:
        connection = self._connection()
        try:
            fields = {"Authorization": f"Bearer {self.key}", "Accept": "application/json"}
            connection.request(method, target, body, fields | headers)
            answer = connection.getresponse()
            content = answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{self.url} does not answer: {error}") from None
        finally:
            connection.close()
        return _document(answer.status, content, self.url)

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise Invalid("--server must be like https://ota.example.com:8070")
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.netloc, timeout=PATIENCE_SECONDS)
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise Misconfigured(f"{self.ca}: cannot be read ({error.strerror})") from None
        return http.client.HTTPSConnection(parts.netloc, timeout=PATIENCE_SECONDS, context=context)


def _target(path: str, query: dict[str, str | None]) -> str:
    said = {name: value for name, value in query.items() if value is not None}
    return quote(path) + (f"?{urlencode(said)}" if said else "")


def _document(status: int, content: bytes, url: str) -> dict[str, Any]:
    try:
        document = json.loads(content) if content else {}
    except ValueError:
        raise Unreachable(f"{url} answers {status}, and not as this server does") from None
    if not isinstance(document, dict):
        raise Unreachable(f"{url} answers {status}, and not as this server does")
    if status < 400:
        return document
    detail = str(document.get("detail") or document.get("title") or f"HTTP {status}")
    if status in (401, 403):
        raise Invalid(f"the server does not let this key do that ({status}): {detail}")
    if status >= 500:
        raise Unreachable(f"{url} cannot do it now ({status}): {detail}")
    raise KINDS.get(status, Invalid)(detail)
