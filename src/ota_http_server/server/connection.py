"""One connection's life: greeting, requests one after another, farewell."""

import secrets
import ssl
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from ota_http_server.server import framing
from ota_http_server.server.answer import Answer, Cut
from ota_http_server.server.bodies import BadBody
from ota_http_server.server.framing import Head, Refused
from ota_http_server.server.incoming import RECEIVE_BYTES, Incoming
from ota_http_server.server.room import Room, logger
from ota_http_server.server.wire import Flow, Wire

FAREWELL_SECONDS = 2
FAREWELL_BYTES_MAX = 1024 * 1024
"""How long, and how much, a peer may still send while it should read our last answer."""
LATE_SECONDS = 1
"""How much longer a connection lives whose request waits to be read."""
PROXY_IDLE_SECONDS = 300
"""A trusted proxy may still be handing our answer to a slow board when its connection to us looks
idle; it keeps the time of its own pool, and a close of ours would race with its next request."""
HINT_BYTES = 400
"""ESP-IDF sends a head in pieces of its transmit buffer, 512 bytes unless it was made larger."""

_GONE = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError, ssl.SSLError)


def idle_seconds_max(room: Room, *, is_proxy: bool) -> float:
    """How long a connection may idle from now on."""
    keep_alive = room.options.keep_alive_seconds
    return max(keep_alive, PROXY_IDLE_SECONDS) if is_proxy and not room.stopping else keep_alive


class Connection:
    """The application sees it as `environ["ota_http_server.connection"]`."""

    __slots__ = (
        "_address",
        "_answering",
        "_base",
        "_credentialed",
        "_idle_seconds_max",
        "_incoming",
        "_leave_strangers",
        "_room",
        "flow",
        "on_transfer",
        "wire",
    )

    def __init__(
        self,
        wire: Wire,
        address: tuple[str, int],
        room: Room,
        leave_strangers: Callable[[], None] | None,
    ) -> None:
        self.wire = wire
        self.on_transfer: Callable[[int, bool], None] | None = None
        """Set by the application: called once at the end of this answer with the bytes of the
        body that were sent and whether that was all of it."""
        self.flow: Flow | None = None
        """Set by the application: how fast the file of this answer may go out."""
        self._room = room
        self._address = address[0].removeprefix("::ffff:")
        self._base = room.environ | {
            "REMOTE_ADDR": self._address,
            "REMOTE_PORT": str(address[1]),
            "ota_http_server.connection": self,
        }
        self._leave_strangers = leave_strangers
        self._credentialed = leave_strangers is None
        # Of the room alone: what referred to this connection would keep it after its end.
        self._idle_seconds_max = partial(idle_seconds_max, room, is_proxy=leave_strangers is None)
        self._incoming = Incoming(wire, room.options, self._idle_seconds_max)
        self._answering = False
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

    def rest(self, seconds: float) -> None:
        """For an application that sends its answer piece by piece, no faster than it may."""
        self.wire.rest(seconds)

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
            self._incoming.forget()
            self._base = {}
            self.credentialed = True

    def expire(self) -> None:
        """Its time is up: end the wait that it is in. Called from outside its greenlet."""
        incoming = self._incoming
        if incoming.is_idle and self.wire.has_unread():
            # A request came in time, and this worker was too busy to read it.
            self.wire.deadline = monotonic() + LATE_SECONDS
            return
        if self._answering:
            self.wire.reset()
        elif incoming.in_head and incoming.held_bytes >= HINT_BYTES:
            logger.warning(
                "%s sent %d bytes of a request and then nothing: if it is a board, its token may "
                "be longer than its transmit buffer (buffer_size_tx in ESP-IDF)",
                self._address,
                incoming.held_bytes,
            )
        self.wire.break_off()

    def end_idleness_soon(self) -> None:
        """The server stops: a proxy, too, has only the usual time for a last request."""
        if self._incoming.is_idle:
            self.wire.deadline = min(self.wire.deadline, monotonic() + self._idle_seconds_max())

    def _serve(self) -> bool:
        """One request and its answer; whether another may follow."""
        self._answering = False
        self.on_transfer = None
        self.flow = None
        incoming = self._incoming
        try:
            raw = incoming.read_head()
            if raw is None:
                return False
            head = framing.parse(raw, self._base)
        except Refused as refused:
            self._refuse(refused.status)
            self._say_farewell()
            return False
        head.environ["wsgi.input"] = incoming.open_body(head)
        if head.chunked:
            head.environ["wsgi.input_terminated"] = True
        if self._answer(head) and incoming.drain():
            return True
        if incoming.has_unread or incoming.doubtful:
            self._say_farewell()
        return False

    def _answer(self, head: Head) -> bool:
        """Whether the connection can go on after it."""
        answer = Answer(
            self.wire,
            self._room.date(),
            head_only=head.environ["REQUEST_METHOD"] == "HEAD",
            http11=head.http11,
            allows_keep_alive=lambda: (
                head.keep_alive and not self._room.stopping and self._incoming.could_go_on()
            ),
        )
        try:
            self._run_application(head.environ, answer)
        finally:
            if self.on_transfer is not None:
                self.on_transfer(answer.body_bytes, answer.whole)
        return answer.whole and answer.keep_alive

    def _run_application(self, environ: dict[str, Any], answer: Answer) -> None:
        result: Any = None
        try:
            result = self._room.app(environ, answer.start)
            self._answering = True
            if self._incoming.doubtful and answer.status >= 500:
                raise BadBody  # the application took the sender's fault for its own
            answer.send(result, self.flow)
        except Cut as cut:
            logger.warning("an answer was cut short, the connection ends: %s", cut)
        except BadBody:
            if not answer.begun:
                self._refuse(400)
        except Exception as error:  # pylint: disable=broad-exception-caught
            if not answer.begun:
                number = secrets.token_hex(6)
                logger.error("the application failed (%s)", number, exc_info=error)
                self._refuse(500, f" ({number})")
            elif not isinstance(error, _GONE):
                logger.error("an answer failed half-way", exc_info=error)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _refuse(self, status: int, more: str = "") -> None:
        """An answer of the server's own; the connection ends after it."""
        self._answering = True
        body = f"{framing.REASONS[status]}{more}\n"
        self.wire.send(
            (
                f"HTTP/1.1 {status} {framing.REASONS[status]}\r\nDate: {self._room.date()}\r\n"
                f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
                f"Connection: close\r\n\r\n{body}"
            ).encode("latin-1")
        )

    def _say_farewell(self) -> None:
        """End so that the peer can read the answer: a close while it still sends is a reset."""
        self.wire.finish()
        self.wire.deadline = monotonic() + FAREWELL_SECONDS
        received = 0
        while received < FAREWELL_BYTES_MAX and (count := self.wire.discard(RECEIVE_BYTES)):
            received += count
