"""What the kernel knows of a server's processes, and how they are started and ended (Linux)."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

END_SECONDS = 5.0
"""How long a server may take to leave before it is ended the hard way."""
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and all that descend from it; gone ones are left out."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text("ascii").split())
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree so far (proc(5), /proc/pid/stat, fields 14 and 15)."""
    total = 0
    for member in tree(pid):
        with suppress(OSError):
            # The second field is a name in brackets that may hold anything.
            fields = (
                Path(f"/proc/{member}/stat")
                .read_text("utf-8", "replace")
                .rpartition(")")[2]
                .split()
            )
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS_PER_SECOND


def pss_bytes(pid: int) -> int:
    """Memory of the tree, shared pages counted once (proc(5), smaps_rollup, Pss)."""
    total = 0
    for member in tree(pid):
        with suppress(OSError):
            for line in (
                Path(f"/proc/{member}/smaps_rollup").read_text("utf-8", "replace").splitlines()
            ):
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def resident_bytes(pid: int) -> int:
    """What the process has in memory now (proc(5), status, VmRSS)."""
    return status_bytes(Path(f"/proc/{pid}/status"), "VmRSS")


def peak_bytes(pid: int) -> int:
    """The most that it had since `forget_peak`."""
    return status_bytes(Path(f"/proc/{pid}/status"), "VmHWM")


def forget_peak(pid: int) -> None:
    """From now on the peak counts anew (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def status_bytes(status: Path, name: str) -> int:
    """A number of kB in a file such as /proc/pid/status."""
    for line in status.read_text("utf-8", "replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def started(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A child that runs inside the block; it and all its processes are gone after it.

    It has a session of its own, so that Ctrl-C reaches only us and it is ended in order.
    """
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    try:
        yield child
    finally:
        _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    members = tree(child.pid) if child.poll() is None else []
    child.terminate()
    _await_end(child, members)
    for pid in members:
        if _is_running(pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    _await_end(child, members)


def _await_end(child: "subprocess.Popen[bytes]", members: list[int]) -> None:
    deadline = time.monotonic() + END_SECONDS
    while child.poll() is None or any(map(_is_running, members)):
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        state = (
            Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
        )
    except OSError:
        return False
    return state not in "ZX"
