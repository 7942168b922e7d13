"""The device lane: WSGI middleware that answers device routes without touching the framework.

Slow devices are the normal case, so a file leaves as *this file from here to there* and the
server's `wsgi.file_wrapper` lets the kernel send it. Under our own server the connection also
tells how much of it arrived.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from ota_http_server.domain.errors import Refusal, Unavailable
from ota_http_server.http.exchange import CONNECTION, REASONS, FilePart, Reply, Request
from ota_http_server.http.pace import Flow, Pace, Rest
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
        pace: Pace,
        *,
        before: Callable[[], None],
    ) -> None:
        self._app = app
        self._dialects = tuple((dialect.prefix, dialect) for dialect in dialects)
        self._proxies = proxies
        self._transfers = transfers
        self._before = before
        self._log = log
        self._pace = pace

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
        if environ["REQUEST_METHOD"] == "HEAD" or reply.status == 304 or not reply.body:
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
            return self._send_file(part, reply, address, status, headers, environ, start_response)
        opened = [_opened(part) for part in reply.body]
        pieces = _Pieces(opened, Flow(self._pace, reply.project), _rest_of(environ))
        start_response(status, headers)
        return pieces

    def _send_file(
        self,
        part: FilePart,
        reply: Reply,
        address: str,
        status: str,
        headers: list[tuple[str, str]],
        environ: Environ,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        span = Span(part)
        start_response(status, headers)
        flow = Flow(self._pace, reply.project)
        if connection := environ.get(CONNECTION):
            connection.flow = flow
            self._transfers.watch(connection, part, address, reply.device)
        wrap = environ.get("wsgi.file_wrapper")
        if wrap is None or (connection is None and flow.is_paced and flow.has_rate):
            # What another server's wrapper sends goes as fast as it can.
            return _Pieces((span,), flow, _rest_of(environ))
        return wrap(span, BLOCK_BYTES)  # type: ignore[no-any-return]


def not_allowed(methods: Sequence[str]) -> Reply:
    """405 with the methods that would have been right."""
    known = ", ".join(methods)
    detail = body_of(405, "method_not_allowed", f"only {known} are known here")
    return plain_problem(405, detail, (("Allow", known),))


class Span:
    """A file opened for one part of it: positioned at its first byte, ending after its last."""

    def __init__(self, part: FilePart) -> None:
        self._file: BinaryIO = open_blob(part.path)
        self.left = part.length
        if part.start:
            self._file.seek(part.start)

    def fileno(self) -> int:
        return self._file.fileno()

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(block)
        return block

    def close(self) -> None:
        self._file.close()


def open_blob(path: Path) -> BinaryIO:
    """Unbuffered: the kernel's position is the file's, as a server that uses sendfile expects."""
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), "rb", buffering=0)


def _opened(part: bytes | FilePart) -> "bytes | Span":
    return Span(part) if isinstance(part, FilePart) else part


def _rest_of(environ: Environ) -> Rest:
    """Our own server can break off a rest; elsewhere each request has a thread to sleep in."""
    connection = environ.get(CONNECTION)
    return time.sleep if connection is None else connection.rest


class _Pieces:
    """Bytes and parts of files, one after another; closed by the server whatever happens."""

    def __init__(self, parts: "Sequence[bytes | Span]", flow: Flow, rest: Rest) -> None:
        self._parts = parts
        self._flow = flow
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if isinstance(part, bytes):
                yield part
                continue
            while block := part.read(self._bytes_now(part.left)):
                yield block

    def _bytes_now(self, left: int) -> int:
        wanted = min(left, BLOCK_BYTES)
        return self._flow.wait(wanted, self._rest) if wanted and self._flow.is_paced else wanted

    def close(self) -> None:
        for part in self._parts:
            if isinstance(part, Span):
                part.close()
