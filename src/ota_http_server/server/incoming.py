"""What comes in on one connection: heads and bodies, each in its time.

It is the `Source` of the bodies, and it holds what was received beyond what was asked for.
"""

import io
from collections.abc import Callable
from time import monotonic

from ota_http_server.server.bodies import BadBody, ChunkedBody, LengthBody
from ota_http_server.server.framing import Head, Refused, check_unfinished
from ota_http_server.server.options import ServerOptions
from ota_http_server.server.wire import NEVER, Wire

RECEIVE_BYTES = 8_192
BODY_RECEIVE_BYTES = 65_536
DRAIN_BYTES_MAX = 65_536
"""An unread body up to this size is read to its end, so that the connection can go on."""
BODY_BYTES_PER_SECOND_MIN = 16 * 1024
"""A body's time grows with what has come, so that big uploads over slow lines are possible."""


class Incoming:
    """Reads from `wire` and sets its deadlines while it does."""

    __slots__ = (
        "_body",
        "_body_until",
        "_expects_continue",
        "_first",
        "_has_skipped",
        "_idle_seconds_max",
        "_options",
        "_received",
        "_rest",
        "_wire",
        "doubtful",
        "in_head",
        "is_idle",
    )

    def __init__(
        self, wire: Wire, options: ServerOptions, idle_seconds_max: Callable[[], float]
    ) -> None:
        self._wire = wire
        self._options = options
        self._idle_seconds_max = idle_seconds_max
        self._first = True
        self._has_skipped = False
        self._rest = b""
        self._body: LengthBody | ChunkedBody | None = None
        self._received = 0
        self._body_until = NEVER
        self._expects_continue = False
        self.in_head = False
        """A head has begun and its end has not come."""
        self.is_idle = False
        """An answer was given, and nothing of a next request was read yet."""
        self.doubtful = False
        """The framing of a body was broken: no further request may be read."""

    @property
    def held_bytes(self) -> int:
        return len(self._rest)

    @property
    def has_unread(self) -> bool:
        """Something came, or will come, that nobody has read."""
        return bool(self._rest) or (self._body is not None and self._body.left != 0)

    def read_head(self) -> bytes | None:
        """The bytes up to the empty line, which a first request owes us at once; None at the end.

        The time for it counts from the first wait, or from the first byte after an idle time,
        and is not extended by single bytes.
        """
        self._body = None
        self._has_skipped = False
        if self._first or self._rest:
            self._first = False
            self._begin_head()
            self._skip_empty_line()
        else:
            self.is_idle = True
            self._wire.deadline = monotonic() + self._idle_seconds_max()
        while (end := self._rest.find(b"\r\n\r\n")) < 0:
            if self._rest:
                check_unfinished(self._rest)
            data = self._wire.receive(RECEIVE_BYTES)
            if not data:
                return None
            self._rest += data
            if not self.in_head:
                self._begin_head()
            self._skip_empty_line()
        self._wire.deadline = NEVER
        self.in_head = False
        raw, self._rest = self._rest[:end], self._rest[end + 4 :]
        return raw

    def open_body(self, head: Head) -> io.BufferedIOBase:
        """The file that the application reads the body from."""
        self._received = 0
        self._body_until = NEVER
        self._expects_continue = head.expects_continue
        if head.chunked:
            self._body = ChunkedBody(self)
        elif head.length:
            self._body = LengthBody(self, head.length)
        else:
            return io.BytesIO()
        return io.BufferedReader(self._body, RECEIVE_BYTES)

    def could_go_on(self) -> bool:
        """Whether the start of a next request can be found without much ado."""
        if self._body is None:
            return True
        left = self._body.left
        if self.doubtful or left is None or left > DRAIN_BYTES_MAX:
            return False
        # Who waits for "100 Continue" may send the body after a refusal, or may not.
        return not (left and self._expects_continue)

    def drain(self) -> bool:
        """Read what the application left of the body; whether that came."""
        try:
            while self._body is not None and self._body.left:
                self._body.read(RECEIVE_BYTES)
        except BadBody:
            return False
        return True

    def take(self, size: int) -> bytes:
        if not self._rest:
            self._receive_body()
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def take_line(self, size_max: int) -> bytes:
        while (end := self._rest.find(b"\r\n")) < 0 and len(self._rest) <= size_max:
            self._receive_body()
        if not 0 <= end <= size_max:
            raise self.broken("a line of the body is too long")
        line, self._rest = self._rest[:end], self._rest[end + 2 :]
        return line

    def broken(self, why: str) -> BadBody:
        self.doubtful = True
        return BadBody(why)

    def forget(self) -> None:
        """Let go of what refers to this connection: it is over."""
        self._body = None
        self._rest = b""

    def _begin_head(self) -> None:
        self.in_head = True
        self.is_idle = False
        self._wire.deadline = monotonic() + self._options.header_seconds_max

    def _skip_empty_line(self) -> None:
        """One before a request is an old client's habit (RFC 9112 §2.2); more are a drip."""
        if not self._rest.startswith(b"\r\n"):
            return
        if self._has_skipped:
            raise Refused(400, "more than one empty line before a request")
        self._has_skipped = True
        self._rest = self._rest[2:]

    def _receive_body(self) -> None:
        if self._body_until == NEVER:
            self._body_until = monotonic() + self._options.body_seconds_max
        self._wire.deadline = self._body_until + self._received / BODY_BYTES_PER_SECOND_MIN
        try:
            if self._expects_continue:
                self._expects_continue = False
                self._wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            data = self._wire.receive(BODY_RECEIVE_BYTES)
        except OSError as error:
            raise self.broken("the sender has gone") from error
        self._wire.deadline = NEVER
        if not data:
            raise self.broken("the body ends before its announced end")
        self._received += len(data)
        self._rest += data
