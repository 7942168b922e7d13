"""How a server leaves a port so that nobody notices.

Closing a listening socket resets every connection that waits in its queue, a proxy's among them.
So the socket first stops answering SYN segments (new connections then time out or find another
instance), those half-way in arrive and are accepted, and only then it is closed.
"""

import ctypes
import mmap
import socket
import struct
import sys
from enum import IntEnum

HANDSHAKES_UNDER_WAY_SECONDS = 0.5
"""A client repeats its SYN after a second: silence for half of it costs nobody anything."""

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h

# Classic BPF (linux/filter.h) over the TCP header: drop what has SYN but not ACK, pass the rest.
_DROP_NEW_CONNECTIONS = (
    (0x30, 0, 0, 13),  # ldb [13]: the flags
    (0x54, 0, 0, 0x12),  # and SYN|ACK
    (0x15, 0, 1, 0x02),  # jeq SYN
    (0x06, 0, 0, 0),  # ret 0: drop
    (0x06, 0, 0, 0xFFFFFFFF),  # ret: pass
)


class Stage(IntEnum):
    SERVING = 0
    STOPPING = 1
    """The whole server stops, and answers say so."""
    SILENT = 2
    """No new connection can come any more: take the last ones and close."""
    ENDING = 3
    """Whatever is under way is cut."""


class SharedStage:
    """The stage of the server, in memory that all its processes see.

    Signals only hurry what this says: one that reaches a worker in its first moments is lost.
    """

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 2)

    @property
    def now(self) -> Stage:
        return Stage(self._page[0])

    @now.setter
    def now(self, stage: Stage) -> None:
        self._page[0] = stage

    @property
    def was_served(self) -> bool:
        """Some worker came so far as to accept connections: the set-up is good."""
        return bool(self._page[1])

    def note_serving(self) -> None:
        self._page[1] = 1


def refuse_new_connections(listener: socket.socket) -> None:
    """Attach the filter; where it cannot be (other systems), the stop is only a little ruder."""
    if sys.platform != "linux":
        return
    program = b"".join(struct.pack("HBBI", *step) for step in _DROP_NEW_CONNECTIONS)
    code = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
    fprog = struct.pack("HP", len(_DROP_NEW_CONNECTIONS), ctypes.addressof(code))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
    except OSError:
        pass
