"""What the server is told, and what it tells the application that it runs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]
"""PEP 3333. If the object has a `close()`, it is called when its worker has served the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Every number has the reason for its default beside it. Seconds may be fractions."""

    host: str
    port: int
    workers: int
    certificate: Path | None = None
    """With `key`, PEM. Both None: plain HTTP."""
    key: Path | None = None
    worker_connections: int = 10_000
    """Open connections of one worker; each holds about 30 KB, over TLS about 120 KB."""
    backlog: int = 4_096
    """Connections that may wait to be accepted (the kernel may allow fewer: somaxconn)."""
    header_seconds_max: float = 10
    """From the moment a request is awaited; a slow dribble does not extend it."""
    handshake_seconds_max: float = 10
    body_seconds_max: float = 30
    """For the first part of a request's body; after it, a least rate holds (bodies.py)."""
    keep_alive_seconds: float = 15
    """How long a connection may idle between two requests."""
    send_stall_seconds_max: float = 30
    """How long a receiver may take nothing at all."""
    stop_delay_seconds: float = 1
    """How long a stopping server goes on accepting, so that a proxy can look elsewhere."""
    stop_seconds_max: float = 900
    """How long downloads under way may take when the server stops."""
    connections_per_address_max: int = 256
    """Per worker, without a valid credential: a factory may sit behind one address."""
    connections_max: int = 1_024
    """Per worker, without a valid credential, from everywhere."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Their connections are not counted: one address stands for everybody behind it."""


class Run(Protocol):
    """Runs work that would block on a thread; the calling greenlet waits for its result."""

    def __call__(self, work: Callable[[], T], /) -> T: ...


@dataclass(frozen=True, slots=True)
class Process:
    """What a worker process tells the application in it."""

    stopping: Callable[[], bool]
    """True from the first moment of a stop: say "not ready", begin nothing long."""
    in_thread: Run
    """On one of several threads: reading, hashing."""
    in_writer: Run
    """On the one thread on which all writes of this process happen, one after another."""
    processes: int = 1
    """How many of them there are, this one included."""


def _nothing() -> None:
    """What a hook does unless it is given."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Called in the starting process, which serves no request itself."""

    started: Callable[[], None] = _nothing
    """The port is bound; workers start next."""
    tick: Callable[[], None] = _nothing
    """About every ten seconds."""
    stopped: Callable[[], None] = _nothing
    """All workers are gone."""
