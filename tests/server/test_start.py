"""What keeps the server from starting, and what does not reach it."""

import os
import resource
import signal
import socket

from tests.server.running import wait_until


def test_a_port_in_use_is_said_in_one_line(server):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        running = server(port=other.getsockname()[1])

        assert running.wait() == 2
    assert running.log.count("\n") == 1
    assert "another process is listening there" in running.log


def test_an_address_of_another_machine_is_said_in_one_line(server):
    running = server(host="192.0.2.1")

    assert running.wait() == 2
    assert "this machine does not have that address" in running.log


def test_an_application_that_cannot_start_ends_the_server(server):
    running = server(workers=2, refuse="the database is not there")

    assert running.wait() == 3
    assert "the database is not there" in running.log
    assert "Traceback" not in running.log


def test_gunicorns_own_settings_have_no_say(server):
    """The fixture sets GUNICORN_CMD_ARGS to another address and seven workers."""
    running = server(workers=2)
    wait_until(lambda: len(running.workers()) == 2, "the workers")

    assert running.get("/hello").endswith(b"hello")
    assert len(running.workers()) == 2


def test_the_log_of_a_quiet_start_has_nothing_from_gunicorn(server):
    running = server(workers=1)
    running.get("/hello")
    running.signal(signal.SIGTERM)
    running.wait()

    assert "unicorn" not in running.log
    assert "ooting" not in running.log


def test_too_few_file_descriptors_are_a_warning_with_numbers(server):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    running = server(worker_connections=hard + 1)

    assert f"open {hard} files, {hard + 1} connections per worker need" in running.log


def test_file_descriptors_are_raised_as_far_as_needed(server):
    running = server(worker_connections=600)
    with open(f"/proc/{running.process.pid}/limits") as limits:
        line = next(line for line in limits if line.startswith("Max open files"))

    assert int(line.split()[3]) >= 600


def test_a_worker_that_dies_is_replaced(server):
    running = server(workers=1)
    wait_until(lambda: len(running.workers()) == 1, "the worker")
    (old,) = running.workers()
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: running.workers() not in ([], [old]), "the new worker")

    assert running.get("/pid").endswith(str(running.workers()[0]).encode())


def test_a_worker_that_cannot_start_again_leaves_the_others_alone(server, tmp_path):
    obstacle = tmp_path / "obstacle"
    running = server(workers=2, refuse_file=obstacle)
    wait_until(lambda: len({running.get("/pid")[-4:] for _ in range(20)}) == 2, "both workers")
    obstacle.touch()
    os.kill(running.workers()[0], signal.SIGKILL)
    wait_until(lambda: "could not start again" in running.log, "the failure")
    answer = running.get("/hello")
    obstacle.unlink()
    wait_until(lambda: len({running.get("/pid")[-4:] for _ in range(20)}) == 2, "both workers")

    assert answer.endswith(b"hello")


def test_ipv6_and_both_at_once(server):
    running = server(host="::")
    with socket.create_connection(("::1", running.port), 30) as sock:
        sock.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
        six = sock.recv(1_000)

    assert six.endswith(b"hello")
    assert b'"REMOTE_ADDR": "127.0.0.1"' in running.get("/facts")
