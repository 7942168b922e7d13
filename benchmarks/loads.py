"""The loads that others make: wrk for requests, `openssl s_time` for full TLS handshakes.

wrk resumes its TLS session on each new connection (measured: all but the first), so new
connections over TLS come from `openssl s_time -new`, which never does.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

THREADS = 2
PATIENCE_SECONDS = 30.0
_LOAD = Path(__file__).with_name("load.lua")


class LoadFailed(Exception):
    """The load maker itself did not work."""


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one run."""

    requests: int
    bytes: int
    """On the wire above TLS: bodies with their headers."""
    seconds: float
    errors: int


def run_wrk(
    url: str,
    headers: dict[str, str],
    *,
    connections: int,
    seconds: int,
    pieces: tuple[int, int] | None = None,
    requests: Path | None = None,
) -> Load:
    """Keep `connections` busy. `pieces` are the bytes of the image and of one range of it;
    `requests` is a file of what is asked in turn, in place of `url`'s path and `headers`."""
    command = ["wrk", f"-t{THREADS}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["-s", str(_LOAD), url]
    if pieces is not None:
        command += ["--", *map(str, pieces)]
    if requests is not None:
        command += ["--", str(requests)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + PATIENCE_SECONDS, check=False
    )
    return wrk_result(done.stdout, done.stderr)


def wrk_result(output: str, complaints: str = "") -> Load:
    """The line that load.lua writes at the end."""
    for line in output.splitlines():
        if line.startswith("RESULT "):
            return Load(**json.loads(line.removeprefix("RESULT ")))
    raise LoadFailed(f"wrk said no result: {(output + complaints).strip()[-300:]}")


def run_handshakes(port: int, path: str, *, clients: int, seconds: int) -> Load:
    """Full handshake, one request, goodbye, again and again, by `clients` at once."""
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new"]
    # It ends when the clock shows a second more than it was told: begin as a second begins.
    command += ["-time", str(max(1, seconds - 1)), "-www", path]
    time.sleep(1 - time.time() % 1)
    begun = time.monotonic()
    with ExitStack() as stack:
        children = [stack.enter_context(_s_time(command)) for _ in range(clients)]
        outputs = [child.communicate(timeout=seconds + PATIENCE_SECONDS)[0] for child in children]
    took = time.monotonic() - begun
    counted = [handshakes_result(output) for output in outputs]
    return Load(
        sum(requests for requests, _ in counted),
        sum(size for _, size in counted),
        took,
        sum(child.returncode != 0 for child in children),
    )


@contextmanager
def _s_time(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def handshakes_result(output: str) -> tuple[int, int]:
    """Connections made and bytes read, as s_time says them; nothing if it failed."""
    match = re.search(r"(\d+) connections in [\d.]+s;.*bytes read (\d+)", output)
    return (int(match[1]), int(match[2])) if match else (0, 0)
