"""A started server and the ways to talk to it byte by byte."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30


def wait_until(true: Callable[[], object], what: str = "it") -> None:
    """Generous: a busy machine is slow, a broken server never gets there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    port: int
    log_path: Path
    tls: bool

    @property
    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace")

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)
        return self.context.wrap_socket(sock) if self.tls else sock

    def talk(self, data: bytes, *, then_finish: bool = False) -> bytes:
        """Send, and read until the server closes."""
        with self.connect() as sock:
            try:
                sock.sendall(data)
                if then_finish:
                    sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was refused before all of it was sent
            return read_all(sock)

    def get(self, path: str, *fields: str, method: str = "GET") -> bytes:
        head = [f"{method} {path} HTTP/1.1", "Host: x", "Connection: close", *fields]
        return self.talk(("\r\n".join(head) + "\r\n\r\n").encode())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)

    def workers(self) -> list[int]:
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, check=False
        )
        return sorted(map(int, found.stdout.split()))


def read_all(sock: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            data = sock.recv(65_536)
        except (ConnectionResetError, ssl.SSLError):
            return received
        if not data:
            return received
        received += data


def read_answer(sock: socket.socket) -> bytes:
    """One answer with a Content-Length from a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65_536)
        assert data, f"closed after {received!r}"
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    found = re.search(rb"(?i)content-length: (\d+)", head)
    wanted = int(found[1]) if found else 0
    while len(body) < wanted:
        data = sock.recv(65_536)
        assert data, f"closed after {len(body)} of {wanted} bytes"
        body += data
    return head + b"\r\n\r\n" + body


def start(folder: Path, **options: object) -> Running:
    """Start the sample application; wait until it listens or has ended."""
    environment = os.environ | {"GUNICORN_CMD_ARGS": "--bind 127.0.0.1:1 --workers 7"}
    log_path = folder / f"server-{time.monotonic_ns()}.log"
    for _ in range(5):
        port = int(options.get("port", 0) or free_port())
        given = {"host": "127.0.0.1", "workers": 1, **options, "port": port}
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.server.sample", json.dumps(given, default=str)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        running = Running(process, port, log_path, "certificate" in options)
        wait_until(
            lambda r=running: "sample: started" in r.log or r.process.poll() is not None,
            "the start",
        )
        if "port" in options or "another process is listening" not in running.log:
            break
    return running


def end(running: Running) -> None:
    """At once, whatever it is doing."""
    if running.process.poll() is None:
        running.signal(signal.SIGINT)
        try:
            running.process.wait(10)
        except subprocess.TimeoutExpired:
            for pid in [*running.workers(), running.process.pid]:
                os.kill(pid, signal.SIGKILL)
            running.process.wait(10)
