"""Measures the rows of the herd: the power comes back, and 5,000 devices ask at once.

Each has its own address, credential and connection. There is a newer release for all and a few
places to download, so that nearly everybody is told to come again. The server was started a moment
ago and remembers nobody. A poll's time counts from its connecting to the last byte of its answer.

The promise is about a router's bound: so many connections are open at a time, and the next device
connects as one is answered. Without any bound nothing but the kernel's queue holds them back, and
what is measured is how long the server takes for all of them.
"""

import errno
import json
import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contestants import WE, Contestant, running
from benchmarks.polled import Polled, settings_of, write
from benchmarks.polls import percentile
from benchmarks.stage import HARDWARE, HOST, PROJECT, Stage
from benchmarks.table import NOTHING, Line, in_words
from benchmarks.throughput import Say
from ota_http_server.domain.operator import Operator
from ota_http_server.ota import opened_ota

DEVICES = 5_000
AT_ONCE = 256
"""As many strangers as a worker lets in from one address (`connections_per_address_max`)."""
DOWNLOADS_MAX = 20
P99_MS = 1_000.0
RUNS_VERSION = "1.0.0"
CHECK = f"/api/device/v1/check?version={RUNS_VERSION}&chip={HARDWARE}"
SETTLED_SECONDS = 2.0
"""After so long every worker knows the project's limit."""
PATIENCE_SECONDS = 60.0
ANSWER_BYTES_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Herd:
    """What one herd came to."""

    devices: int
    at_once: int
    answered_ms: tuple[float, ...]
    """Of each poll that was answered rightly."""
    offers: int
    failures: dict[str, int]

    @property
    def p50_ms(self) -> float:
        return percentile(list(self.answered_ms), 50) if self.answered_ms else 0.0

    @property
    def p99_ms(self) -> float:
        return percentile(list(self.answered_ms), 99) if self.answered_ms else 0.0


def measure(stage: Stage, rounds: int, say: Say) -> list[Herd]:
    """The bounded ones and the others, each with a server of its own."""
    return [
        _measure(stage, at_once, f"round {number} of {rounds}", say)
        for at_once in (AT_ONCE, DEVICES)
        for number in range(1, rounds + 1)
    ]


def _measure(stage: Stage, at_once: int, turn: str, say: Say) -> Herd:
    say(f"{turn}: {DEVICES:,} devices, {at_once:,} at once")
    with running(WE, stage, tls=False) as server:
        credentials = enrolled(server, stage, DEVICES)
        time.sleep(SETTLED_SECONDS)
        return power_comes_back(server.port, credentials, at_once)


def enrolled(server: Contestant, stage: Stage, devices: int) -> list[str]:
    """The credentials of so many devices that run an old version."""
    with opened_ota(settings_of(stage, server.folder / "data")) as ota:
        bench = Operator("bench", None)
        ota.projects.settle(bench, PROJECT, {"downloads_max": DOWNLOADS_MAX})
        herd = [Polled(f"herd-{n:05d}", ota.opaque.new_credential()) for n in range(devices)]
        ota.stores.database.change(lambda tx: write(tx, herd, RUNS_VERSION))
    return [one.credential for one in herd]


class _Poll:
    """One device's connection, request and answer. It asks as soon as it is connected."""

    __slots__ = ("_answer", "_began", "_request", "failure", "said", "sock", "took_ms")

    def __init__(self, port: int, number: int, credential: str) -> None:
        self._request = (
            f"GET {CHECK} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
            f"Authorization: Bearer {credential}\r\n\r\n"
        ).encode()
        self._answer = b""
        self.said: dict[str, object] = {}
        self.failure = ""
        self.took_ms = 0.0
        self.sock = socket.socket()
        self.sock.setblocking(False)
        # Loopback is a network of 16 million addresses: one for each device.
        self.sock.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
        self._began = time.monotonic()
        self.sock.connect_ex((HOST, port))

    def has_asked(self) -> bool:
        """Asks if it is connected; it is not yet where the kernel's queue was full."""
        try:
            self.sock.send(self._request)
        except (BlockingIOError, BrokenPipeError):
            return False
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                return False
            self.failure = f"asking: {error.strerror}"
        return True

    def is_over(self) -> bool:
        """Reads what is there."""
        try:
            while data := self.sock.recv(ANSWER_BYTES_MAX):
                self._answer += data
        except BlockingIOError:
            return False
        except OSError as error:
            self.failure = f"reading: {error.strerror}"
        self._end()
        return True

    def _end(self) -> None:
        self.took_ms = (time.monotonic() - self._began) * 1_000
        self.sock.close()
        head, _, body = self._answer.partition(b"\r\n\r\n")
        words = head.split(b" ", 2)
        if self.failure:
            return
        if len(words) < 2:
            self.failure = "the server left"
        elif words[1] != b"200":
            self.failure = f"status {words[1].decode('latin-1')}"
        else:
            self.said = json.loads(body)


def power_comes_back(port: int, credentials: Sequence[str], at_once: int) -> Herd:
    """All of them ask, so many at a time."""
    polls: list[_Poll] = []
    under_way: dict[int, _Poll] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    with select.epoll() as epoll:
        while len(polls) < len(credentials) or under_way:
            while len(polls) < len(credentials) and len(under_way) < at_once:
                poll = _Poll(port, len(polls), credentials[len(polls)])
                polls.append(poll)
                under_way[poll.sock.fileno()] = poll
                epoll.register(poll.sock, select.EPOLLIN if poll.has_asked() else select.EPOLLOUT)
            for fd, happened in epoll.poll(1.0, 512):
                poll = under_way[fd]
                if happened & select.EPOLLOUT and poll.has_asked():
                    epoll.modify(fd, select.EPOLLIN)
                elif happened & ~select.EPOLLOUT and poll.is_over():
                    del under_way[fd]
            if time.monotonic() > deadline:
                break
    for poll in under_way.values():
        poll.failure = "no answer"
        poll.sock.close()
    right = [poll for poll in polls if not poll.failure]
    return Herd(
        len(polls),
        at_once,
        tuple(poll.took_ms for poll in right),
        sum(poll.said.get("update") is True for poll in right),
        dict(Counter(poll.failure for poll in polls if poll.failure)),
    )


def lines(found: Sequence[Herd]) -> list[Line]:
    """One for the bounded herds, about which something is promised, and one for the others."""
    return [_line([herd for herd in found if herd.at_once == n]) for n in (AT_ONCE, DEVICES)]


def _line(found: Sequence[Herd]) -> Line:
    p50, p99 = median(herd.p50_ms for herd in found), median(herd.p99_ms for herd in found)
    right = all(not herd.failures and herd.offers <= DOWNLOADS_MAX for herd in found)
    at_once = found[0].at_once
    is_promised = at_once < found[0].devices
    how = f"{at_once:,} at a time" if is_promised else "all in one moment"
    return Line(
        f"{found[0].devices:,} devices ask, {how}: a poll's p99, ms (p50)",
        {WE: f"{in_words(p99)} ({in_words(p50)})"},
        promised=f"< {P99_MS:,.0f}" if is_promised else NOTHING,
        met=right and p99 < P99_MS if is_promised or not right else None,
    )


def notes(found: Sequence[Herd]) -> list[str]:
    """What the table has no column for."""
    failures: Counter[str] = Counter()
    for herd in found:
        failures.update(herd.failures)
    most = max(herd.offers for herd in found)
    said = [f"{count:,} polls of a herd failed: {why}" for why, count in failures.most_common()]
    rounds = sum(herd.at_once == AT_ONCE for herd in found)
    return [*said, f"herds: medians of {rounds}; {most} of {DOWNLOADS_MAX} places at the most"]
