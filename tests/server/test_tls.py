"""TLS of the server's own: versions, tickets, a new certificate without a new process."""

import json
import shutil
import signal
import socket
import ssl
import time
import warnings
from pathlib import Path

import pytest

from tests.server.conftest import make_pair
from tests.server.running import Running, read_all, read_answer, wait_until

KEEP = b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n"


def shown(running: Running) -> bytes:
    """The certificate of a new connection."""
    with running.connect() as sock:
        certificate = sock.getpeercert(True)
    assert certificate is not None
    return certificate


def both_workers(running: Running) -> list[int]:
    wait_until(lambda: len(running.workers()) == 2, "the workers")
    return running.workers()


def replace(pair: dict[str, Path], new: dict[str, Path]) -> None:
    for name, path in pair.items():
        shutil.copy(new[name], path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)


def der(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_the_application_knows_that_it_is_tls(server, pair):
    running = server(**pair)
    facts = json.loads(running.get("/facts").split(b"\r\n\r\n")[1])

    assert (facts["wsgi.url_scheme"], facts["HTTPS"]) == ("https", "on")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_one_worker_is_resumed_by_the_other(server, pair, version):
    running = server(workers=2, **pair)
    context = running.context
    context.minimum_version = context.maximum_version = version
    session, answered, resumed = None, set(), []
    for attempt in range(1_000):
        if attempt >= 40 and len(answered) == 2:
            break  # on a busy machine one worker may take the first forty
        with context.wrap_socket(
            socket.create_connection(("127.0.0.1", running.port), 30), session=session
        ) as sock:
            sock.sendall(KEEP)
            answered.add(read_answer(sock).split(b"\r\n\r\n")[1])
            if attempt:
                resumed.append(sock.session_reused)
            session = sock.session

    assert len(answered) == 2
    assert all(resumed)


def test_old_versions_are_refused(server, pair):
    running = server(**pair)
    context = running.context
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with (
        socket.create_connection(("127.0.0.1", running.port), 30) as plain,
        pytest.raises(OSError),
    ):
        context.wrap_socket(plain)


def test_a_refused_upload_can_read_the_answer(server, pair):
    running = server(**pair)
    head = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"

    assert running.talk(head + bytes(900_000)).endswith(b"hello")


def test_the_end_of_a_connection_is_said_so_that_nobody_can_fake_it(server, pair):
    running = server(**pair)
    with running.context.wrap_socket(
        socket.create_connection(("127.0.0.1", running.port), 30), suppress_ragged_eofs=False
    ) as sock:
        sock.sendall(b"GET /pieces HTTP/1.0\r\n\r\n")
        answer = b""
        while data := sock.recv(1_000):
            answer += data

    assert answer.endswith(b"one,two")


def test_a_plain_request_on_a_tls_port_disturbs_nobody(server, pair):
    running = server(**pair)
    with socket.create_connection(("127.0.0.1", running.port), 30) as plain:
        plain.sendall(KEEP)
        read_all(plain)

    assert running.get("/hello").endswith(b"hello")
    assert "Traceback" not in running.log


def test_a_new_certificate_is_shown_while_a_download_goes_on(server, pair, tmp_path):
    new = make_pair(tmp_path / "new", "second")
    image = tmp_path / "image.bin"
    image.write_bytes(bytes(20_000_000))
    running = server(workers=2, **pair)
    workers = both_workers(running)
    with running.connect() as download:
        download.sendall(f"GET /file?path={image} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        first = download.recv(1_000)
        old = shown(running)
        replace(pair, new)
        wait_until(lambda: all(shown(running) == der(new["certificate"]) for _ in range(8)))
        rest = 0
        while rest + len(first) < 20_000_000:
            data = download.recv(1_000_000)
            assert data
            rest += len(data)

    assert old != der(new["certificate"])
    assert running.workers() == workers


def test_sighup_shows_the_new_certificate_and_replaces_no_worker(server, pair, tmp_path):
    new = make_pair(tmp_path / "new", "second")
    running = server(workers=2, **pair)
    workers = both_workers(running)
    replace(pair, new)
    running.signal(signal.SIGHUP)
    wait_until(lambda: all(shown(running) == der(new["certificate"]) for _ in range(8)))

    assert running.workers() == workers


def test_sighup_without_tls_changes_nothing(server):
    running = server(workers=2)
    workers = both_workers(running)
    running.signal(signal.SIGHUP)
    time.sleep(0.1)

    assert running.get("/hello").endswith(b"hello")
    assert running.workers() == workers


@pytest.mark.parametrize("damage", ["mismatch", "nonsense", "missing"])
def test_a_bad_new_pair_leaves_the_old_one_in_place(server, pair, tmp_path, damage):
    running = server(**pair)
    old = shown(running)
    if damage == "mismatch":
        shutil.copy(make_pair(tmp_path / "new", "second")["certificate"], pair["certificate"])
    elif damage == "nonsense":
        pair["key"].write_text("nonsense")
    else:
        pair["key"].unlink()
    wait_until(lambda: running.log.count("is not used, the old one stays") >= 2, "the error")

    assert shown(running) == old
    assert running.log.count("is not used, the old one stays") == 2  # once for each process


def test_a_pair_that_does_not_match_keeps_the_server_from_starting(server, pair, tmp_path):
    other = make_pair(tmp_path / "new", "second")
    running = server(certificate=pair["certificate"], key=other["key"])

    assert running.wait() == 2
    assert running.log.count("\n") == 1
    assert "misconfigured" in running.log
