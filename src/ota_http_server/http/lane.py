"""The device lane: WSGI middleware that answers device routes without touching the framework.

Slow devices are the normal case, so a file leaves as *this file from here to there* and the
server's `wsgi.file_wrapper` lets the kernel send it. Under our own server the connection also
tells how much of it arrived.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ota_http_server.domain.errors import Refusal, Unavailable
from ota_http_server.http.exchange import CONNECTION, REASONS, FilePart, Reply, Request
from ota_http_server.http.problems import body_of, plain_problem, problem
from ota_http_server.http.proxies import Proxies
from ota_http_server.http.request_log import RequestLog
from ota_http_server.http.transfers import Transfers
from ota_http_server.logs import logger

LOG = logger("lane")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

BLOCK_BYTES = 64 * 1024  # what is read at a time where the server has no better way
READING = ("GET", "HEAD")
"""The methods of a dialect that only gives."""


class Dialect(Protocol):
    """One device protocol."""

    prefix: str
    """Paths that begin so are its own."""
    methods: Sequence[str]
    """Those that it knows; all others are refused before it sees the request."""

    def answer(self, request: Request) -> Reply:
        """Translates; a Refusal is an answer too. One that wants other words for it than a problem
        has a method `refuse`."""


class DeviceLane:
    """Answers what the dialects own; everything else goes on to `app`."""

    def __init__(
        self,
        app: WsgiApp,
        dialects: Sequence[Dialect],
        proxies: Proxies,
        transfers: Transfers,
        log: RequestLog,
        *,
        before: Callable[[], None],
    ) -> None:
        self._app = app
        self._dialects = tuple((dialect.prefix, dialect) for dialect in dialects)
        self._proxies = proxies
        self._transfers = transfers
        self._before = before
        self._log = log

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._before()
        path = environ.get("PATH_INFO", "")  # PEP 3333: what is empty may be left out
        for prefix, dialect in self._dialects:
            if path.startswith(prefix):
                return self._serve(dialect, environ, start_response)
        # A tenant's name counts in any case: old Zephyrs write it both ways.
        if "/controller/v1/" in path:
            folded = path.lower()
            for prefix, dialect in self._dialects:
                if folded.startswith(prefix):
                    return self._serve(dialect, environ, start_response)
        try:
            self._proxies.base_url(environ)
        except Refusal as refusal:  # a Host that is none: no door lets it in
            return self._write(problem(refusal), "", environ, start_response)
        return self._app(environ, start_response)

    def _serve(
        self, dialect: Dialect, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        reply, address = self._reply(dialect, environ)
        try:
            return self._write(reply, address, environ, start_response)
        except OSError:
            # The bytes were there when the operation looked; nobody gets wrong ones instead.
            LOG.exception("an image cannot be opened")
            gone = problem(Unavailable("the image cannot be read at this moment"))
            return self._write(gone, address, environ, start_response)

    def _reply(self, dialect: Dialect, environ: Environ) -> tuple[Reply, str]:
        """The answer to whatever came, and to whom. Only a mistake of ours is a 500."""
        address = str(environ.get("REMOTE_ADDR", ""))
        try:
            address = self._proxies.caller(environ)
            request = Request(environ, address, self._proxies.base_url(environ))
            if request.method in dialect.methods:
                reply = dialect.answer(request)
            else:
                reply = not_allowed(dialect.methods)
            self._log.answered(environ, address, reply.status)
            return reply, address
        except Refusal as refusal:
            reply = getattr(dialect, "refuse", problem)(refusal)
            self._log.refused(environ, address, reply.status, refusal.detail)
            return reply, address
        except Exception:  # pylint: disable=broad-exception-caught
            incident = secrets.token_hex(6)
            LOG.exception("incident %s", incident)
            detail = "a mistake of the server; its log has the whole of it under this id"
            return plain_problem(500, body_of(500, "internal", detail, id=incident)), address

    def _write(
        self,
        reply: Reply,
        address: str,
        environ: Environ,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        status = f"{reply.status} {REASONS[reply.status]}"
        headers = list(reply.headers)
        if reply.status != 304:
            headers.append(("Content-Length", str(reply.length)))
        if environ["REQUEST_METHOD"] == "HEAD" or reply.status == 304:
            start_response(status, headers)
            return ()
        if len(reply.body) == 1:
            part = reply.body[0]
            if isinstance(part, bytes):
                start_response(status, headers)
                return (part,)
            if by_proxy := self._transfers.by_proxy(part, environ):
                start_response(status, [*reply.headers, by_proxy, ("Content-Length", "0")])
                return ()
            whose = (address, reply.device)
            return self._send_file(part, whose, status, headers, environ, start_response)
        pieces = _Pieces([_opened(part) for part in reply.body])
        start_response(status, headers)
        return pieces

    def _send_file(
        self,
        part: FilePart,
        whose: tuple[str, str],
        status: str,
        headers: list[tuple[str, str]],
        environ: Environ,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        span = Span(part)
        start_response(status, headers)
        if connection := environ.get(CONNECTION):
            self._transfers.watch(connection, part, *whose)
        wrap = environ.get("wsgi.file_wrapper")
        return wrap(span, BLOCK_BYTES) if wrap else _Pieces((span,))


def not_allowed(methods: Sequence[str]) -> Reply:
    """405 with the methods that would have been right."""
    known = ", ".join(methods)
    detail = body_of(405, "method_not_allowed", f"only {known} are known here")
    return plain_problem(405, detail, (("Allow", known),))


class Span:
    """A file opened for one part of it: positioned at its first byte, ending after its last."""

    def __init__(self, part: FilePart) -> None:
        self._file: BinaryIO = open_blob(part.path)
        self._left = part.length
        if part.start:
            self._file.seek(part.start)

    def fileno(self) -> int:
        return self._file.fileno()

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block

    def close(self) -> None:
        self._file.close()


def open_blob(path: Path) -> BinaryIO:
    """Unbuffered: the kernel's position is the file's, as a server that uses sendfile expects."""
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb", buffering=0)


def _opened(part: bytes | FilePart) -> "bytes | Span":
    return Span(part) if isinstance(part, FilePart) else part


class _Pieces:
    """Bytes and parts of files, one after another; closed by the server whatever happens."""

    def __init__(self, parts: "Sequence[bytes | Span]") -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
                continue
            while block := part.read(BLOCK_BYTES):
                yield block

    def close(self) -> None:
        for part in self._parts:
            if isinstance(part, Span):
                part.close()
