"""One slow device: connects, asks, reads at its pace, asks again."""

import socket
import ssl
from dataclasses import dataclass
from enum import Enum, auto

from benchmarks.stage import HOST

RECEIVE_BUFFER_BYTES = 16 * 1024
SEGMENT_BYTES = 1_440  # lwIP's on an ESP32 (CONFIG_LWIP_TCP_MSS)
READ_BYTES_MAX = 64 * 1024
READ_BYTES_MIN = 512
HEAD_BYTES_MAX = 16 * 1024


class Want(Enum):
    NOTHING = auto()
    """Until its next turn, or for ever if it failed."""
    TO_READ = auto()
    TO_WRITE = auto()


class _Phase(Enum):
    NEW = auto()
    CONNECTING = auto()
    GREETING = auto()
    ASKING = auto()
    READING = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """What all readers read."""

    port: int
    path: str
    tls: ssl.SSLContext | None = None


class Reader:
    """`advance` does what can be done without waiting."""

    __slots__ = (
        "_answers",
        "_begun_at",
        "_head",
        "_left",
        "_phase",
        "_rate",
        "_request",
        "_socket",
        "_stays",
        "_target",
        "failure",
        "received",
        "waits",
    )

    def __init__(self, target: Target, token: str, rate: int) -> None:
        self._target = target
        self._rate = rate
        self._request = (
            f"GET {target.path} HTTP/1.1\r\nHost: {HOST}:{target.port}\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()
        self._socket: socket.socket | None = None
        self._phase = _Phase.NEW
        self._head = b""
        self._left = 0
        self._stays = True
        self._answers = 0  # on this connection
        self._begun_at = 0.0
        self.received = 0
        """Bytes of all answers so far."""
        self.failure = ""
        self.waits = False
        """It is in the epoll set."""

    def fileno(self) -> int:
        assert self._socket is not None
        return self._socket.fileno()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def advance(self, now: float) -> Want:
        """As far as it goes; what it waits for."""
        if self.failure:
            return Want.NOTHING
        try:
            return self._step(now)
        except (BlockingIOError, ssl.SSLWantReadError):
            return Want.TO_READ
        except ssl.SSLWantWriteError:
            return Want.TO_WRITE
        except (OSError, ValueError) as error:
            if self._was_let_go(error):
                return Want.NOTHING
            self.failure = f"{self._phase.name.lower()}: {error}"
            self.close()
            return Want.NOTHING

    def _was_let_go(self, error: Exception) -> bool:
        """A kept-alive connection may have ended before the next request reached the server: then
        it is sent again on a new one (RFC 9112 §9.3.1), as any client does."""
        is_between = self._answers > 0 and not self._head
        if not isinstance(error, OSError) or not is_between:
            return False
        self._leave()
        return True

    def _leave(self) -> None:
        self.close()
        self._phase, self._answers = _Phase.NEW, 0

    def _step(self, now: float) -> Want:
        if self._phase is _Phase.NEW:
            self._begun_at = self._begun_at or now
            self._connect()
            return Want.TO_WRITE
        if self._phase is _Phase.CONNECTING:
            self._greet()
        assert self._socket is not None
        if isinstance(self._socket, ssl.SSLSocket) and self._phase is _Phase.GREETING:
            self._socket.do_handshake()
        if self._phase in (_Phase.GREETING, _Phase.ASKING):
            self._ask()
        return self._read(now)

    def _connect(self) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        self._socket.connect_ex((HOST, self._target.port))
        self._phase = _Phase.CONNECTING

    def _greet(self) -> None:
        assert self._socket is not None
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, "cannot connect")
        if self._target.tls is not None:
            self._socket = self._target.tls.wrap_socket(
                self._socket, server_hostname=HOST, do_handshake_on_connect=False
            )
        self._phase = _Phase.GREETING

    def _ask(self) -> None:
        assert self._socket is not None
        # A request is smaller than any send buffer: it goes whole or not at all.
        self._socket.send(self._request)
        self._phase = _Phase.READING

    def _read(self, now: float) -> Want:
        """What the pace allows by now; what the server was late with is made up for."""
        assert self._socket is not None
        allowed = int(self._rate * (now - self._begun_at)) - self.received
        while allowed >= READ_BYTES_MIN:
            data = self._socket.recv(min(allowed, READ_BYTES_MAX))
            if not data:
                raise OSError("the server left")
            allowed -= len(data)
            self.received += len(data)
            if self._take(data):
                return self._go_on()
        return Want.NOTHING

    def _take(self, data: bytes) -> bool:
        """Whether the answer is whole."""
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                if len(self._head) > HEAD_BYTES_MAX:
                    raise ValueError("a head without end")
                return False
            self._left = self._parsed(head.lower()) - len(body)
        if self._left < 0:
            raise ValueError("more than was announced")
        return self._left == 0

    def _parsed(self, head: bytes) -> int:
        lines = head.split(b"\r\n")
        if lines[0].split(b" ")[1] != b"200":
            raise ValueError(lines[0].decode("latin-1"))
        self._stays = b"connection: close" not in lines
        return next(int(s.split(b":")[1]) for s in lines if s.startswith(b"content-length:"))

    def _go_on(self) -> Want:
        self._phase, self._head, self._left = _Phase.ASKING, b"", 0
        self._answers += 1
        if not self._stays:
            self._leave()
        # On the next turn: nobody asks again in the same instant.
        return Want.NOTHING
