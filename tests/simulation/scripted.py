"""A server of a few lines whose answers a test chooses: right ones, and wrong in one way."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    version: str
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Scripted:
    """`answer` turns each request into the bytes that go back; b"" closes without a word.

    A connection stays open unless the answer says `Connection: close`, or has no length.
    """

    def __init__(self, answer: Callable[[Asked], bytes]):
        self.asked: list[Asked] = []
        self.connections = 0
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._context = None
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def secure(self, context):
        """From now on over TLS."""
        self._context = context

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._open:
            line.close()

    def _accept(self):
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(line)
            line.settimeout(PATIENCE_SECONDS)
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line):
        try:
            if self._context is not None:
                line = self._context.wrap_socket(line, server_side=True)
        except OSError:
            return
        with line, line.makefile("rb") as reader:
            try:
                while asked := _read(reader):
                    self.asked.append(asked)
                    said = self._answer(asked)
                    line.sendall(said)
                    if _ends(said):
                        return
            except OSError:
                pass  # the client has enough


def _read(reader) -> Asked | None:
    raw = b""
    while not raw.endswith(b"\r\n\r\n"):
        line = reader.readline()
        if not line:
            return None
        raw += line
    first, *fields = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in fields)}
    body = reader.read(int(headers.get("content-length", 0)))
    method, target, version = first.split(" ")
    return Asked(method, target, version, headers, body, raw)


def _ends(said: bytes) -> bool:
    head = said.partition(b"\r\n\r\n")[0].lower()
    framed = b"content-length" in head or b"chunked" in head or b" 304 " in head
    return b"connection: close" in head or not framed


def reply(status: int, body: bytes = b"", /, *, sized: bool = True, **headers: str) -> bytes:
    """An answer; `_` in the names of headers stands for `-`."""
    lines = [f"HTTP/1.1 {status} It"]
    if sized:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(status: int, body: bytes, **headers: str) -> bytes:
    chunks = [body[at : at + 4096] for at in range(0, len(body), 4096)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return reply(status, coded, sized=False, Transfer_Encoding="chunked", **headers)


@dataclass
class Files:
    """A file server that does everything right, but for what its fields say."""

    files: dict[str, bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    framing: str = "length"
    """Or `chunked`, or `close`."""
    ranges: str = "exact"
    """Or `ignored`, `unclamped` (416 for one byte too many), `silent` (416 without a size),
    `others` (bytes of another image)."""
    head: str = "sized"
    """Or `refused`, `unsized`."""
    keeps: bool = True
    redirect: str | None = None
    """Where the first path is sent instead."""

    def __call__(self, asked: Asked) -> bytes:
        said = self._said(asked)
        if asked.method == "HEAD":
            return said.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return said

    def _said(self, asked):
        headers = dict(self.headers)
        if not self.keeps or asked.version == "HTTP/1.0":
            headers["Connection"] = "close"
        body = self.files.get(asked.path)
        if body is None:
            return reply(404, b"no", **headers)
        if self.redirect is not None and asked.path == next(iter(self.files)):
            return reply(302, b"", Location=self.redirect, **headers)
        if self.status != 200:
            return reply(self.status, b"no", **headers)
        if asked.method == "HEAD":
            return self._head(body, headers)
        wanted = asked.headers.get("range")
        if wanted and self.ranges != "ignored":
            return self._range(body, wanted.removeprefix("bytes="), headers)
        if self.framing == "chunked":
            return chunked(200, body, **headers)
        return reply(200, body, sized=self.framing == "length", **headers)

    def _head(self, body, headers):
        if self.head == "refused":
            return reply(405, b"", **headers)
        return reply(200, body, sized=self.head == "sized", **headers)

    def _range(self, body, wanted, headers):
        if "," in wanted:
            return multipart(body, wanted, headers)
        first, last = (int(text) if text else None for text in wanted.split("-"))
        size = len(body)
        too_long = last is not None and last >= size
        if first >= size or (too_long and self.ranges == "unclamped"):
            if self.ranges != "silent":
                headers["Content_Range"] = f"bytes */{size}"
            return reply(416, b"", **headers)
        last = size - 1 if last is None or too_long else last
        piece = body[first : last + 1]
        if self.ranges == "others":
            piece = bytes(byte ^ 1 for byte in piece)
        headers["Content_Range"] = f"bytes {first}-{last}/{size}"
        return reply(206, piece, **headers)


def multipart(body: bytes, wanted: str, headers: dict[str, str], boundary: str = "XYZ") -> bytes:
    parts = b""
    for span in wanted.split(","):
        first, last = map(int, span.split("-"))
        piece = body[first : last + 1]
        head = f"--{boundary}\r\nContent-Range: bytes {first}-{last}/{len(body)}\r\n\r\n"
        parts += head.encode() + piece + b"\r\n"
    parts += f"--{boundary}--\r\n".encode()
    return reply(206, parts, Content_Type=f"multipart/byteranges; boundary={boundary}", **headers)
