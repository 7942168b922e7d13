"""One connection's life: greeting, requests one after another, farewell."""

import io
import secrets
import ssl
from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import Any

from ota_http_server.server import framing
from ota_http_server.server.answer import Answer, Cut
from ota_http_server.server.bodies import BadBody, ChunkedBody, LengthBody
from ota_http_server.server.framing import Head, Refused
from ota_http_server.server.room import Room, logger
from ota_http_server.server.wire import NEVER, TlsWire, Wire

RECEIVE_BYTES = 8_192
DRAIN_BYTES_MAX = 65_536
"""An unread body up to this size is read to its end, so that the connection can go on."""
BODY_BYTES_PER_SECOND_MIN = 16 * 1024
"""A body's time grows with what has come, so that big uploads over slow lines are possible."""
FAREWELL_SECONDS = 2
"""How long a peer that is still sending may read our last answer before the line is cut."""
HINT_BYTES = 400
"""ESP-IDF sends a head in pieces of its transmit buffer, 512 bytes unless it was made larger."""

_GONE = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError, ssl.SSLError)
_PLAIN_TEXT = "text/plain; charset=utf-8"


class Phase(Enum):
    """What the connection waits for; it decides what the end of the wait means."""

    GREETING = "handshake"
    IDLE = "request"
    HEAD = "rest of a request"
    BODY = "body"
    ANSWER = "answer"
    FAREWELL = "farewell"


class Connection:
    """The application sees it as `environ["ota_http_server.connection"]`."""

    __slots__ = (
        "_address",
        "_base",
        "_body",
        "_body_failed",
        "_body_received",
        "_body_until",
        "_credentialed",
        "_expects_continue",
        "_first",
        "_leave_strangers",
        "_phase",
        "_rest",
        "_room",
        "on_transfer",
        "wire",
    )

    def __init__(
        self,
        wire: Wire | TlsWire,
        address: tuple[str, int],
        room: Room,
        leave_strangers: Callable[[], None] | None,
    ) -> None:
        self.wire = wire
        self.on_transfer: Callable[[int, bool], None] | None = None
        """Set by the application: called once at the end of this answer with the bytes of the
        body that were sent and whether that was all of it."""
        self._room = room
        self._address = address[0].removeprefix("::ffff:")
        self._base = room.environ | {
            "REMOTE_ADDR": self._address,
            "REMOTE_PORT": str(address[1]),
            "ota_http_server.connection": self,
        }
        self._leave_strangers = leave_strangers
        self._credentialed = leave_strangers is None
        self._phase = Phase.GREETING
        self._first = True
        self._rest = b""
        self._body: LengthBody | ChunkedBody | None = None
        self._body_failed = False
        self._body_received = 0
        self._body_until = NEVER
        self._expects_continue = False
        wire.deadline = monotonic() + room.options.handshake_seconds_max

    @property
    def credentialed(self) -> bool:
        """A valid credential was seen: the connection no longer counts as a stranger's."""
        return self._credentialed

    @credentialed.setter
    def credentialed(self, value: bool) -> None:
        if value and not self._credentialed:
            self._credentialed = True
            if self._leave_strangers is not None:
                self._leave_strangers()

    def live(self) -> None:
        """The greenlet of this connection, from the accepted socket to the closed one."""
        try:
            self.wire.greet()
            while self._serve():
                pass
        except OSError:
            pass  # the peer left, or its time was up
        except Exception:  # pylint: disable=broad-exception-caught
            logger.exception("a connection failed")
        finally:
            self._room.leave(self)
            self.wire.close()
            self._base, self._body = {}, None
            self.credentialed = True

    def expire(self) -> None:
        """Its time is up: end the wait that it is in. Called from outside its greenlet."""
        if self._phase is Phase.HEAD and len(self._rest) >= HINT_BYTES:
            logger.warning(
                "%s sent %d bytes of a request and then nothing: if it is a board, its token may "
                "be longer than its transmit buffer (buffer_size_tx in ESP-IDF)",
                self._address,
                len(self._rest),
            )
        if self._phase is Phase.ANSWER:
            self.wire.reset()
        self.wire.break_off()

    def take(self, size: int) -> bytes:
        """Some bytes of a body (bodies.py)."""
        if not self._rest:
            self._receive_body()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def take_line(self, size_max: int) -> bytes:
        """A line of a chunked body (bodies.py)."""
        while (end := self._rest.find(b"\r\n")) < 0 and len(self._rest) <= size_max:
            self._receive_body()
        if not 0 <= end <= size_max:
            raise self.broken("a line of the body is too long")
        line, self._rest = self._rest[:end], self._rest[end + 2 :]
        return line

    def broken(self, why: str) -> BadBody:
        """The body's framing is in doubt: nothing more is read from it (bodies.py)."""
        self._body_failed = True
        return BadBody(why)

    def _serve(self) -> bool:
        """One request and its answer; whether another may follow."""
        self.on_transfer = None
        try:
            raw = self._read_head()
            if raw is None:
                return False
            head = framing.parse(raw, self._base)
        except Refused as refused:
            self._refuse(refused.status)
            return False
        self._set_body(head)
        if not self._answer(head):
            unread = self._rest or (self._body is not None and self._body.left != 0)
            if unread and self._phase is not Phase.FAREWELL:
                self._farewell()
            return False
        return True

    def _read_head(self) -> bytes | None:
        """The bytes up to the empty line; None if the peer has finished."""
        room, wire = self._room, self.wire
        limits = room.options
        if self._first:
            wire.deadline = monotonic() + limits.header_seconds_max
            self._phase = Phase.HEAD
            self._first = False
        else:
            wire.deadline = monotonic() + limits.keep_alive_seconds
            self._phase = Phase.IDLE
        if self._rest:
            self._begin_head()
        while (end := self._rest.find(b"\r\n\r\n")) < 0:
            if self._rest:
                framing.check_unfinished(self._rest)
            data = wire.receive(RECEIVE_BYTES)
            if not data:
                return None
            self._rest += data
            self._begin_head()
        wire.deadline = NEVER
        raw, self._rest = self._rest[:end], self._rest[end + 4 :]
        return raw

    def _begin_head(self) -> None:
        if self._phase is Phase.IDLE:
            self._phase = Phase.HEAD
            self.wire.deadline = monotonic() + self._room.options.header_seconds_max
        if self._rest.startswith(b"\r\n"):
            # One empty line before a request is an old client's habit (RFC 9112 §2.2).
            self._rest = self._rest[2:]

    def _set_body(self, head: Head) -> None:
        self._expects_continue = head.expects_continue
        self._body_failed = False
        self._body_received = 0
        self._body_until = NEVER
        if head.chunked:
            self._body = ChunkedBody(self, self._begin_body)
            head.environ["wsgi.input_terminated"] = True
        elif head.length:
            self._body = LengthBody(self, head.length, self._begin_body)
        else:
            self._body = None
            head.environ["wsgi.input"] = io.BytesIO()
            return
        head.environ["wsgi.input"] = io.BufferedReader(self._body, RECEIVE_BYTES)

    def _begin_body(self) -> None:
        """Before the body is read for the first time: it is asked for, and its clock starts."""
        if self._body_until == NEVER:
            self._body_until = monotonic() + self._room.options.body_seconds_max
        if self._expects_continue:
            self._expects_continue = False
            try:
                self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            except OSError as error:
                raise self.broken("the sender has gone") from error

    def _receive_body(self) -> None:
        self._phase = Phase.BODY
        self.wire.deadline = self._body_until + self._body_received / BODY_BYTES_PER_SECOND_MIN
        try:
            data = self.wire.receive(RECEIVE_BYTES)
        except OSError as error:
            raise self.broken("the sender has gone") from error
        self.wire.deadline = NEVER
        if not data:
            raise self.broken("the body ends before its announced end")
        self._body_received += len(data)
        self._rest += data

    def _answer(self, head: Head) -> bool:
        """Whether the connection can go on after it."""
        self._phase = Phase.ANSWER
        answer = Answer(
            self.wire,
            self._room.date(),
            head_only=head.environ["REQUEST_METHOD"] == "HEAD",
            http11=head.http11,
            allows_keep_alive=lambda: head.keep_alive and self._can_go_on(),
        )
        try:
            self._run_application(head.environ, answer)
        finally:
            if self.on_transfer is not None:
                self.on_transfer(answer.body_bytes, answer.whole)
        return answer.whole and answer.keep_alive and self._drain()

    def _run_application(self, environ: dict[str, Any], answer: Answer) -> None:
        result: Any = None
        try:
            result = self._room.app(environ, answer.start)
            self._phase = Phase.ANSWER
            if self._body_failed and answer.status >= 500:
                raise BadBody  # the application took the sender's fault for its own
            answer.send(result)
        except Cut as cut:
            logger.warning("an answer was cut short, the connection ends: %s", cut)
        except BadBody:
            if not answer.begun:
                self._refuse(400)
        except Exception as error:  # pylint: disable=broad-exception-caught
            if not answer.begun:
                self._fail(error)
            elif not isinstance(error, _GONE):
                logger.error("an answer failed half-way", exc_info=error)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _can_go_on(self) -> bool:
        """Whether another request could follow, as far as this side is concerned."""
        if self._room.stopping or self._body_failed:
            return False
        left = 0 if self._body is None else self._body.left
        return (
            left is not None and left <= DRAIN_BYTES_MAX and not (left and self._expects_continue)
        )

    def _drain(self) -> bool:
        """Read what the application left of the body; the next request begins after it."""
        try:
            while self._body is not None and self._body.left:
                self._body.read(RECEIVE_BYTES)
        except BadBody:
            return False
        return True

    def _fail(self, error: BaseException) -> None:
        number = secrets.token_hex(6)
        logger.error("the application failed (%s)", number, exc_info=error)
        self._refuse(500, f" ({number})")

    def _refuse(self, status: int, more: str = "") -> None:
        """An answer of the server's own, after which the connection ends."""
        reason = framing.REASONS[status]
        body = f"{reason}{more}\n"
        self._phase = Phase.ANSWER
        self.wire.send(
            (
                f"HTTP/1.1 {status} {reason}\r\nDate: {self._room.date()}\r\n"
                f"Content-Type: {_PLAIN_TEXT}\r\nContent-Length: {len(body)}\r\n"
                f"Connection: close\r\n\r\n{body}"
            ).encode("latin-1")
        )
        self._farewell()

    def _farewell(self) -> None:
        """End so that the peer can still read the answer: a close while it sends would reset it."""
        self._phase = Phase.FAREWELL
        self.wire.finish()
        self.wire.deadline = monotonic() + FAREWELL_SECONDS
        received = 0
        while received < DRAIN_BYTES_MAX * 16:
            data = self.wire.receive(RECEIVE_BYTES)
            if not data:
                return
            received += len(data)
