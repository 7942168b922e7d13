"""A small application run by the real server: `python -m tests.server.sample '{"port": …}'`."""

from ota_http_server.server.patching import patch

patch()

# pylint: disable=wrong-import-position
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterable  # noqa: E402
from hashlib import sha256  # noqa: E402
from ipaddress import ip_network  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import parse_qs  # noqa: E402

import gevent  # noqa: E402

from ota_http_server.domain.errors import Misconfigured  # noqa: E402
from ota_http_server.server.options import Hooks, Process, ServerOptions  # noqa: E402
from ota_http_server.server.serving import serve  # noqa: E402

SEEN = "sample: "


def say(text: str) -> None:
    print(SEEN + text, flush=True)


class Flow:
    """Rests before each block."""

    def __init__(self, block: int, seconds: float, *, is_paced: bool) -> None:
        self.is_paced = is_paced
        self.block = block
        self.seconds = seconds
        self.turns = 0

    def wait(self, bytes_max: int, rest: Callable[[float], None]) -> int:
        self.turns += 1
        rest(self.seconds)
        return min(bytes_max, self.block)


class Sample:
    """One method per path."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        name = environ["PATH_INFO"].strip("/").replace("-", "_") or "hello"
        query = {k: v[-1] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
        method: Callable[..., Iterable[bytes]] = getattr(self, name, self.missing)
        return method(environ, start, **query)

    def close(self) -> None:
        say(f"closed {os.getpid()}")

    def _text(self, start: Any, text: str, status: str = "200 OK") -> list[bytes]:
        body = text.encode()
        start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]

    def missing(self, _environ: Any, start: Any, **_query: str) -> list[bytes]:
        return self._text(start, "missing", "404 Not Found")

    def hello(self, _environ: Any, start: Any, **_query: str) -> list[bytes]:
        return self._text(start, "hello")

    def pid(self, _environ: Any, start: Any) -> list[bytes]:
        return self._text(start, str(os.getpid()))

    def status(self, _environ: Any, start: Any, is_: str) -> list[bytes]:
        start(is_, [])
        return []

    def facts(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        plain = {k: v for k, v in environ.items() if isinstance(v, str | int | bool)}
        plain["umask"] = os.umask(0o077)
        return self._text(start, json.dumps(plain))

    def file(
        self, environ: dict[str, Any], start: Any, path: str, begin: str = "0", count: str = ""
    ) -> Iterable[bytes]:
        opened = Path(path).open("rb")  # noqa: SIM115
        opened.seek(int(begin))
        length = count or str(os.fstat(opened.fileno()).st_size - int(begin))
        start("200 OK", [("Content-Length", length)])
        connection = environ["ota_http_server.connection"]
        connection.on_transfer = lambda sent, whole: say(f"transfer {sent} {whole}")
        return environ["wsgi.file_wrapper"](opened, 65_536)  # type: ignore[no-any-return]

    def paced(
        self,
        environ: dict[str, Any],
        start: Any,
        path: str,
        block: str,
        seconds: str,
        rate: str = "yes",
    ) -> Iterable[bytes]:
        connection = environ["ota_http_server.connection"]
        connection.flow = flow = Flow(int(block), float(seconds), is_paced=rate == "yes")
        answer = self.file(environ, start, path)
        connection.on_transfer = lambda sent, whole: say(f"transfer {sent} {whole} {flow.turns}")
        return answer

    def paced_pieces(self, environ: dict[str, Any], start: Any, seconds: str) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "10")])
        connection = environ["ota_http_server.connection"]
        connection.on_transfer = lambda sent, whole: say(f"transfer {sent} {whole}")
        for _ in range(10):
            yield b"."
            connection.rest(float(seconds))

    def pieces(self, _environ: Any, start: Any) -> Iterable[bytes]:
        start("200 OK", [])
        yield b"one,"
        yield b""
        yield b"two"

    def short(self, _environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Length", "100")])
        return [b"only this"]

    def boom(self, _environ: Any, _start: Any) -> list[bytes]:
        raise RuntimeError("a private detail")

    def file_error(self, _environ: Any, _start: Any) -> list[bytes]:
        raise FileNotFoundError("a private detail")

    def boom_late(self, _environ: Any, start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "10")])
        yield b"12345"
        raise RuntimeError("a private detail")

    def split(self, _environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("X-Bad", "a\r\nSet-Cookie: b")])
        return [b"never"]

    def digest(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        hasher, count = sha256(), 0
        while block := environ["wsgi.input"].read(65_536):
            hasher.update(block)
            count += len(block)
        say(f"whole body {count}")
        return self._text(start, f"{count} {hasher.hexdigest()}")

    def swallow(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        """What frameworks do with an error: make it a 500 of their own."""
        try:
            environ["wsgi.input"].read()
        except OSError:
            return self._text(start, "swallowed", "500 Internal Server Error")
        return self._text(start, "read")

    def login(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        environ["ota_http_server.connection"].credentialed = True
        return self._text(start, "welcome")

    def readyz(self, _environ: Any, start: Any) -> list[bytes]:
        stopping = self.process.stopping()
        return self._text(start, str(stopping), "503 Stopping" if stopping else "200 OK")

    def threads(self, _environ: Any, start: Any) -> list[bytes]:
        names = [
            self.process.in_thread(threading.get_ident),
            *[self.process.in_writer(threading.get_ident) for _ in range(3)],
        ]
        return self._text(start, f"{threading.get_ident() in names} {len(set(names[1:]))}")

    def thread_failure(self, _environ: Any, start: Any) -> list[bytes]:
        def fail() -> None:
            raise KeyError("found nothing")

        try:
            self.process.in_thread(fail)
        except KeyError as error:
            return self._text(start, f"caught {error}")
        return self._text(start, "not raised")

    def one_writer(self, _environ: Any, start: Any) -> list[bytes]:
        """Ask for writes from everywhere at once; how many there were at the same time."""
        running, most = [0], [0]

        def write() -> None:
            running[0] += 1
            most[0] = max(most[0], running[0])
            time.sleep(0.01)
            running[0] -= 1

        writes = [lambda: self.process.in_writer(write)] * 4
        nested = [lambda: self.process.in_thread(writes[0])] * 4
        gevent.joinall([gevent.spawn(ask) for ask in writes + nested], raise_error=True)
        return self._text(start, f"at most {most[0]}")

    def nap(self, _environ: Any, start: Any, seconds: str) -> list[bytes]:
        time.sleep(float(seconds))
        return self._text(start, "rested")


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    given = json.loads(sys.argv[1])
    for name in ("certificate", "key"):
        if name in given:
            given[name] = Path(given[name])
    given["trusted_proxies"] = tuple(map(ip_network, given.get("trusted_proxies", ())))
    refuse, refuse_file = given.pop("refuse", None), given.pop("refuse_file", None)

    def make(process: Process) -> Sample:
        if refuse or (refuse_file and Path(refuse_file).exists()):
            raise Misconfigured(refuse or "not now")
        return Sample(process)

    hooks = Hooks(started=lambda: say("started"), stopped=lambda: say("stopped"))
    try:
        return serve(make, ServerOptions(**given), hooks)
    except Misconfigured as error:
        say(f"misconfigured: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
