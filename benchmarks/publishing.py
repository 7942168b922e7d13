"""Measures publishing: how much memory one 16 MB image takes, by HTTP and by the command.

Memory is the peak of the resident set (proc(5), VmHWM): of each process of the server from the
moment before the upload, and of the command beyond that of a command with a tiny image.
"""

import http.client
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.contestants import WE, Contestant, NotReady, running
from benchmarks.processes import forget_peak, peak_bytes, resident_bytes, status_bytes, tree
from benchmarks.stage import HARDWARE, HOST, Stage
from benchmarks.table import Line, in_words
from ota_http_server.domain.esp_sample import PAYLOAD_BYTES_MAX, esp_application

PROJECT = "publish"
IMAGE_BYTES = PAYLOAD_BYTES_MAX
"""With what is around it as large as an ESP32's image may be: 16 MiB."""
TINY_BYTES = 1_024
MORE_MB_MAX = 32.0
_WITH_PEAK = """\
import atexit, os, runpy, sys
from pathlib import Path
status, peak = Path("/proc/self/status"), Path(sys.argv.pop(1))
atexit.register(lambda: peak.write_text(status.read_text("utf-8", "replace")))
runpy.run_module("ota_http_server", run_name="__main__", alter_sys=True)
"""
"""The command, and what the kernel says of it as it ends. What `wait4` tells of a child's memory
(ru_maxrss) would not do: it begins with the memory of whoever started the child."""
PATIENCE_SECONDS = 120

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Published:
    """One image, published once."""

    seconds: float
    size: int
    more_bytes: int
    """Memory beyond what there was without it."""

    @property
    def rate(self) -> float:
        return self.size / self.seconds


@dataclass(frozen=True, slots=True)
class Publishing:
    """All that was measured."""

    uploads: list[Published]
    commands: list[Published]


def measure(stage: Stage, rounds: int, say: Say) -> Publishing:
    """Each image is another one: the same bytes again would be known."""
    uploads = []
    with running(WE, stage, tls=False) as server:
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}: publish by PUT")
            uploads.append(_upload(server, stage, number))
    commands = []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: publish by the command")
        commands.append(_command(stage, number))
    return Publishing(uploads, commands)


def _upload(server: Contestant, stage: Stage, number: int) -> Published:
    path = _image(stage, f"1.0.{number}", IMAGE_BYTES)
    size = path.stat().st_size
    members = tree(server.pid)
    before = {}
    for pid in members:
        forget_peak(pid)
        before[pid] = resident_bytes(pid)
    begun = time.monotonic()
    _put(server, f"/api/v1/projects/{PROJECT}/releases/1.0.{number}/images/{path.name}", path)
    seconds = time.monotonic() - begun
    return Published(seconds, size, max(peak_bytes(pid) - before[pid] for pid in members))


def _put(server: Contestant, path: str, file: Path) -> None:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=PATIENCE_SECONDS)
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/octet-stream"}
    try:
        with file.open("rb") as content:
            headers["Content-Length"] = str(file.stat().st_size)
            connection.request("PUT", path, content, headers)
            answer = connection.getresponse()
            said = answer.read()
    finally:
        connection.close()
    if answer.status not in (200, 201):
        raise NotReady(f"publishing failed: {answer.status} {said[:300].decode(errors='replace')}")


def _command(stage: Stage, number: int) -> Published:
    version = f"2.0.{number}"
    tiny = _image(stage, f"{version}-tiny", TINY_BYTES)
    big = _image(stage, version, IMAGE_BYTES)
    (_, without), (seconds, peak) = (_run(stage, file) for file in (tiny, big))
    return Published(seconds, big.stat().st_size, peak - without)


def _run(stage: Stage, file: Path) -> tuple[float, int]:
    """`publish` on a data folder without a server: seconds, and the peak of its memory."""
    folder = stage.folder / "published"
    folder.mkdir(exist_ok=True)
    status = folder / "status"
    command = [sys.executable, "-c", _WITH_PEAK, str(status), "publish", str(file)]
    command += ["--project", PROJECT, "--data-dir", str(folder / "data")]
    begun = time.monotonic()
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=stage.environment(),
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout[-500:].decode(errors="replace")
        raise NotReady(f"`publish` failed with status {done.returncode}: {said}")
    return time.monotonic() - begun, status_bytes(status, "VmHWM")


def _image(stage: Stage, version: str, payload_bytes: int) -> Path:
    path = stage.folder / f"{PROJECT}-{version}.bin"
    path.write_bytes(
        esp_application(
            version=version, project=PROJECT, chip=HARDWARE, payload_bytes=payload_bytes
        )
    )
    return path


def lines(found: Publishing) -> list[Line]:
    """A line for each way; in brackets how fast it went."""
    return [
        _line("publish 16 MB by PUT: more memory, MB (MB/s)", found.uploads),
        _line("`publish` of 16 MB: more memory, MB (MB/s)", found.commands),
    ]


def _line(work: str, found: list[Published]) -> Line:
    most = max(one.more_bytes for one in found) / 1e6
    rate = median(one.rate for one in found) / 1e6
    return Line(
        work,
        {WE: f"{in_words(max(most, 0))} ({in_words(rate)})"},
        promised=f"< {MORE_MB_MAX:.0f}",
        met=most < MORE_MB_MAX,
    )
