"""The rows of the table that count work per second: what is asked, and what is promised."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants import FLASK, GOOSEBIT, NGINX, WE, Contestant, ask
from benchmarks.loads import Load, run_handshakes, run_wrk
from benchmarks.polled import written
from benchmarks.stage import IMAGE_PATH, VERSIONS_PATH, Stage

POLL_CONNECTIONS = 64
DOWNLOAD_CONNECTIONS = 16
TAIL_BYTES = 1_000_000
PIECE_BYTES = 64 * 1024
SMALL_PIECES = 256
SMALL_PIECE_BYTES = 4 * 1024
"""What the example of `esp_https_ota` with partial downloads asks for: 256 of them are 1 MB."""

Make = Callable[[Contestant, Stage, int], Load]
"""Loads a server for so many seconds."""


@dataclass(frozen=True, slots=True)
class Promise:
    """At least this part (or multiple) of what the other one does."""

    of: str
    at_least: float


@dataclass(frozen=True, slots=True)
class Row:
    """`in_bytes` rows are MB/s, the others requests (or connections) per second."""

    key: str
    work: str
    make: Make
    promises: tuple[Promise, ...] = ()
    in_bytes: bool = False
    tls: bool = False
    contestants: tuple[str, ...] = (WE, NGINX, FLASK)
    writes_nothing: bool = False
    """The row has a second line: how often we committed anything meanwhile."""


def _bearer(stage: Stage) -> dict[str, str]:
    return {"Authorization": f"Bearer {stage.token()}"}


def _polls(server: Contestant, stage: Stage, seconds: int) -> Load:
    url = server.url(VERSIONS_PATH)
    return run_wrk(url, _bearer(stage), connections=POLL_CONNECTIONS, seconds=seconds)


def _new_polls(server: Contestant, stage: Stage, seconds: int) -> Load:
    headers = _bearer(stage) | {"Connection": "close"}
    url = server.url(VERSIONS_PATH)
    return run_wrk(url, headers, connections=POLL_CONNECTIONS, seconds=seconds)


def _whole(server: Contestant, stage: Stage, seconds: int) -> Load:
    url = server.url(IMAGE_PATH)
    return run_wrk(url, _bearer(stage), connections=DOWNLOAD_CONNECTIONS, seconds=seconds)


def _tail(server: Contestant, stage: Stage, seconds: int) -> Load:
    bearer = _bearer(stage)
    # Whoever goes on with an image has begun it: here with its first byte.
    ask(server, stage, IMAGE_PATH, bearer | {"Range": "bytes=0-0"})
    headers = bearer | {"Range": f"bytes={stage.image_bytes - TAIL_BYTES}-"}
    url = server.url(IMAGE_PATH)
    return run_wrk(url, headers, connections=DOWNLOAD_CONNECTIONS, seconds=seconds)


def _pieces(server: Contestant, stage: Stage, seconds: int) -> Load:
    return run_wrk(
        server.url(IMAGE_PATH),
        _bearer(stage),
        connections=DOWNLOAD_CONNECTIONS,
        seconds=seconds,
        pieces=(stage.image_bytes, PIECE_BYTES),
    )


def _small_pieces(headers: dict[str, str], server: Contestant, seconds: int) -> Load:
    return run_wrk(
        server.url(IMAGE_PATH),
        headers,
        connections=DOWNLOAD_CONNECTIONS,
        seconds=seconds,
        pieces=(SMALL_PIECES * SMALL_PIECE_BYTES, SMALL_PIECE_BYTES),
    )


def _small_by_token(server: Contestant, stage: Stage, seconds: int) -> Load:
    return _small_pieces(_bearer(stage), server, seconds)


def _small_by_credential(server: Contestant, stage: Stage, seconds: int) -> Load:
    del stage  # the credential is one of this server's own
    bearer = {"Authorization": f"Bearer {server.polled[0].credential}"}
    return _small_pieces(bearer, server, seconds)


def _hawkbit_polls(server: Contestant, stage: Stage, seconds: int) -> Load:
    del stage
    requests = written(server.folder / "polls", [one.poll for one in server.polled])
    return _asked_in_turn(server, requests, seconds)


def _checks(server: Contestant, stage: Stage, seconds: int) -> Load:
    del stage
    requests = written(server.folder / "checks", [one.check for one in server.polled])
    return _asked_in_turn(server, requests, seconds)


def _asked_in_turn(server: Contestant, requests: Path, seconds: int) -> Load:
    url = server.url("/")
    return run_wrk(url, {}, connections=POLL_CONNECTIONS, seconds=seconds, requests=requests)


def _handshakes(server: Contestant, stage: Stage, seconds: int) -> Load:
    # s_time can send no header of ours, so the token stands in the query.
    path = f"{VERSIONS_PATH}?token={stage.token()}"
    return run_handshakes(server.port, path, clients=DOWNLOAD_CONNECTIONS, seconds=seconds)


OVER_TLS = (WE, NGINX)
"""Flask's development server is no rival over TLS: nothing is promised against it."""

ROWS = (
    Row("versions", "`/versions`, keep-alive, requests/s", _polls, (Promise(FLASK, 8),)),
    Row(
        "versions-new",
        "`/versions`, a new connection each, requests/s",
        _new_polls,
        (Promise(FLASK, 4),),
    ),
    Row("whole", "whole image, MB/s", _whole, (Promise(NGINX, 0.50),), in_bytes=True),
    Row("tail", "last megabyte by Range, MB/s", _tail, (Promise(NGINX, 0.60),), in_bytes=True),
    Row(
        "pieces",
        "64 KiB ranges one after another, MB/s",
        _pieces,
        (Promise(FLASK, 10), Promise(NGINX, 0.22)),
        in_bytes=True,
    ),
    Row(
        "small-pieces",
        "4 KiB ranges one after another, requests/s",
        _small_by_token,
        contestants=(WE, NGINX),
    ),
    Row(
        "small-pieces-opaque",
        "… with an opaque credential, requests/s",
        _small_by_credential,
        contestants=(WE,),
    ),
    Row(
        "ddi-poll",
        "hawkBit poll, nothing to do, requests/s",
        _hawkbit_polls,
        (Promise(GOOSEBIT, 8),),
        contestants=(WE, GOOSEBIT),
        writes_nothing=True,
    ),
    Row(
        "check",
        "JSON check, nothing to do, requests/s",
        _checks,
        contestants=(WE,),
        writes_nothing=True,
    ),
    Row(
        "tls-whole",
        "TLS: whole image, MB/s",
        _whole,
        (Promise(NGINX, 0.70),),
        in_bytes=True,
        tls=True,
        contestants=OVER_TLS,
    ),
    Row(
        "tls-new",
        "TLS: new connections (full handshakes), per s",
        _handshakes,
        (Promise(NGINX, 0.35),),
        tls=True,
        contestants=OVER_TLS,
    ),
)
