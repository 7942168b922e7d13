"""Who is measured: the product, nginx and Flask's development server, each on its own port.

gooseBit, which needs more than a command to start, has a file of its own.
"""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.polled import Polled, enrolled
from benchmarks.processes import started
from benchmarks.stage import HOST, IMAGE_PATH, SLOW_IMAGE_PATH, VERSIONS_BODY, VERSIONS_PATH, Stage

WE, NGINX, FLASK, GOOSEBIT = "we", "nginx", "flask", "goosebit"
WORKERS = 2
START_SECONDS = 60.0
_HERE = Path(__file__).resolve().parent

_NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log {log}; {user}
worker_processes {workers}; worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
    access_log off; sendfile on; tcp_nopush on;
    keepalive_timeout 75s; keepalive_requests 100000000;
    default_type application/octet-stream;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen {host}:{port} backlog=4096{tls};
        ssl_certificate {cert}; ssl_certificate_key {key};
        root {root};
        location ~ /versions$ {{ default_type application/json; }}
    }}
}}
"""
CONNECTIONS = 8_192
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")
"""Where Debian puts servers; not everybody has it in the PATH."""


class NotReady(Exception):
    """A server did not start, or does not do the job that is measured."""


class Absent(Exception):
    """A rival that cannot be had here; the others are measured without it."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A running server."""

    name: str
    port: int
    tls: bool
    pid: int
    folder: Path
    """Its own; what it wrote is here, and what a load maker reads may be."""
    polled: tuple[Polled, ...] = ()
    """Devices that it knows, and has nothing to do for."""
    key: str = field(default="", repr=False)
    """Opens the admin API for whoever publishes."""

    @property
    def database(self) -> Path:
        """Where the product keeps its rows."""
        return self.folder / "data" / "ota.sqlite"

    def url(self, path: str) -> str:
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}{path}"


@contextmanager
def running(name: str, stage: Stage, *, tls: bool) -> Iterator[Contestant]:
    """The server inside the block, ready and proven to answer rightly."""
    port = free_port()
    folder = stage.folder / f"{name}-{port}"
    folder.mkdir()
    log = folder / "log"
    polled, key = enrolled(stage, folder / "data") if name == WE else ((), "")
    command = _command(name, stage, folder, port, tls=tls)
    with started(command, log, stage.environment(), folder) as child:
        contestant = Contestant(name, port, tls, child.pid, folder, polled, key)
        _await(contestant, stage, child, log)
        _prove(contestant, stage)
        if polled:
            _prove_check(contestant, stage)
            prove_idle(contestant, stage)
        yield contestant


def program(name: str) -> str | None:
    """The full path of a program, or None."""
    return shutil.which(name, path=os.pathsep.join((*os.get_exec_path(), *SYSTEM_FOLDERS)))


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


def _command(name: str, stage: Stage, folder: Path, port: int, *, tls: bool) -> list[str | Path]:
    if name == NGINX:
        configuration = folder / "nginx.conf"
        configuration.write_text(nginx_configuration(stage, folder, port, tls=tls))
        return [
            program("nginx") or "nginx",
            "-c",
            configuration,
            "-p",
            folder,
            "-e",
            folder / "log",
        ]
    if name == FLASK:
        script = _HERE / "flask_development_server.py"
        return [sys.executable, script, stage.www / "firmware", str(port)]
    how: list[str | Path] = ["--no-certs"]
    if tls:
        how = ["--cert", stage.tls.server_cert, "--key", stage.tls.server_key]
    return [
        *(sys.executable, "-m", "ota_http_server", "--host", HOST, "--port", str(port)),
        *("--workers", str(WORKERS), "--www-dir", stage.www, "--data-dir", folder / "data"),
        # At the end nobody is left who would have to be told.
        *("--stop-delay-seconds", "0"),
        *how,
    ]


def nginx_configuration(stage: Stage, folder: Path, port: int, *, tls: bool) -> str:
    """Debian's defaults, but for sendfile, connections without end, and no log."""
    return _NGINX.format(
        folder=folder,
        log=folder / "log",
        # Started by root its workers would be `nobody`, who may not enter our folder.
        user="user root;" if os.getuid() == 0 else "",
        workers=WORKERS,
        files=2 * CONNECTIONS + 100,
        connections=CONNECTIONS,
        host=HOST,
        port=port,
        tls=" ssl" if tls else "",
        cert=stage.tls.server_cert,
        key=stage.tls.server_key,
        root=stage.folder / "static",
    )


def ask(
    contestant: Contestant, stage: Stage, path: str, headers: dict[str, str]
) -> tuple[int, bytes]:
    """One request on a connection of its own: status and body."""
    if contestant.tls:
        context = ssl.create_default_context(cafile=str(stage.tls.ca_cert))
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            HOST, contestant.port, timeout=10, context=context
        )
    else:
        connection = http.client.HTTPConnection(HOST, contestant.port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _await(
    contestant: Contestant, stage: Stage, child: "subprocess.Popen[bytes]", log: Path
) -> None:
    """Until the image is there: the product takes a new file up when it has looked through it."""
    headers = {"Authorization": f"Bearer {stage.token()}", "Range": "bytes=0-0"}
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if ask(contestant, stage, IMAGE_PATH, headers)[0] == 206:
                return
        except (OSError, http.client.HTTPException):
            pass  # not listening yet
        if child.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip()[-800:]
            raise NotReady(f"{contestant.name} did not start:\n{said}")
        time.sleep(0.05)


def _prove(contestant: Contestant, stage: Stage) -> None:
    """The job is done rightly: the image, a range of it, the versions; no token, no answer."""
    token = {"Authorization": f"Bearer {stage.token()}"}
    image, slow = (
        (stage.www / path.lstrip("/")).read_bytes() for path in (IMAGE_PATH, SLOW_IMAGE_PATH)
    )
    asked = [
        (IMAGE_PATH, token, (200, image)),
        (SLOW_IMAGE_PATH, token, (200, slow)),
        (IMAGE_PATH, token | {"Range": "bytes=65536-131071"}, (206, image[65536:131072])),
    ]
    wrong = [path for path, headers, due in asked if ask(contestant, stage, path, headers) != due]
    status, body = ask(contestant, stage, VERSIONS_PATH, token)
    if status != 200 or json.loads(body) != json.loads(VERSIONS_BODY):
        wrong.append(VERSIONS_PATH)
    if contestant.name != NGINX and ask(contestant, stage, VERSIONS_PATH, {})[0] != 401:
        wrong.append("a request without a token")
    if wrong:
        raise NotReady(f"{contestant.name} answers wrongly: {', '.join(wrong)}")


def prove_idle(contestant: Contestant, stage: Stage) -> None:
    """A device that polls is known, and told that there is nothing to do: no link, no wish."""
    for one in (contestant.polled[0], contestant.polled[-1]):
        status, body = ask(contestant, stage, *one.poll)
        if status != 200 or json.loads(body).get("_links"):
            said = body[:300].decode(errors="replace")
            raise NotReady(f"{contestant.name} answers wrongly to a poll: {status} {said}")


def _prove_check(contestant: Contestant, stage: Stage) -> None:
    """The same in JSON, once the folder's files have become releases; a stranger is refused."""
    one = contestant.polled[0]
    deadline = time.monotonic() + START_SECONDS
    while True:
        status, body = ask(contestant, stage, *one.check)
        if status == 200 and json.loads(body)["reason"] == "up-to-date":
            break
        if time.monotonic() > deadline:
            raise NotReady(f"{contestant.name} answers wrongly to a check: {status} {body!r}")
        time.sleep(0.1)
    for path, _ in (one.check, one.poll):
        if ask(contestant, stage, path, {})[0] != 401:
            raise NotReady(f"{contestant.name} lets a stranger ask {path}")
