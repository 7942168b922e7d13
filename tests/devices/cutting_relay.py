"""A bad line: a TCP relay that breaks a connection behind so many bytes of the answers, and then
lets everything through.

    with CuttingRelay(server.port, after_bytes=100_000) as relay:
        …  # a client that knows http://127.0.0.1:{relay.port}
    assert relay.cuts == 1
"""

import re
import socket
import threading
from typing import Self

BLOCK_BYTES = 16 * 1024
_RANGE = re.compile(rb"(?im)^range: *(.+?)\r$")


class CuttingRelay:
    """`port` is where it listens on loopback; `ranges` are those that were asked for."""

    def __init__(self, to_port: int, after_bytes: int, cuts: int = 1) -> None:
        self._to_port = to_port
        self._after_bytes = after_bytes
        self._cuts_left = cuts
        self._turn = threading.Lock()
        self._open: set[socket.socket] = set()
        self.cuts = 0
        self.ranges: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        with self._turn:
            lines, self._open = self._open, set()
        for line in lines:
            _end(line)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                return
            with self._turn:
                self._open |= {client, server}
            for work in (self._requests, self._answers):
                threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while block := client.recv(BLOCK_BYTES):
                self.ranges += [found.decode() for found in _RANGE.findall(block)]
                server.sendall(block)
        except OSError:
            pass
        _end(server)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        try:
            while block := server.recv(BLOCK_BYTES):
                passed += len(block)
                if passed > self._after_bytes and self._may_cut():
                    break
                client.sendall(block)
        except OSError:
            pass
        _end(client)
        _end(server)

    def _may_cut(self) -> bool:
        with self._turn:
            if self._cuts_left == 0:
                return False
            self._cuts_left -= 1
            self.cuts += 1
            return True


def _end(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was faster
    line.close()
