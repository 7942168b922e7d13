"""Strangers at the door: how many, and what happens to the rest."""

import socket
from contextlib import ExitStack
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.server.doorkeeper import Doorkeeper, Verdict
from tests.server.running import read_all, read_answer

KEEP = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


def keeper(admitted: list[str], **limits) -> Doorkeeper[str]:
    given_limits = {"per_address_max": 2, "total_max": 3, "trusted": (), **limits}
    return Doorkeeper(**given_limits, admit=admitted.append)


def test_over_its_own_limit_an_address_waits_for_a_place():
    admitted: list[str] = []
    doors = keeper(admitted)
    verdicts = [doors.arrive(name, "a", 10) for name in "123"]
    doors.leave("a")

    assert verdicts == [Verdict.COME_IN, Verdict.COME_IN, Verdict.WAIT]
    assert admitted == ["3"]


def test_over_the_limit_of_all_a_newcomer_goes_away():
    doors = keeper([])
    verdicts = [doors.arrive(place, place, 10) for place in "abcd"]

    assert verdicts[-1] is Verdict.GO_AWAY


def test_who_waited_too_long_goes_away():
    doors = keeper([], per_address_max=1)
    for name, until in (("1", 5), ("2", 5), ("3", 9)):
        doors.arrive(name, "a", until)

    assert doors.give_up(6) == ["2"]
    assert doors.give_up(6) == []
    assert doors.give_up(9) == ["3"]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("10.1.2.3", None),
        ("::ffff:10.1.2.3", None),
        ("2001:db8:ff::1", None),
    ],
)
def test_what_an_address_counts_as(address, place):
    doors = keeper([], trusted=(ip_network("10.0.0.0/8"), ip_network("2001:db8:ff::/48")))

    assert doors.place_of(address) == place


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_the_limits_hold_whatever_comes_and_goes(moves):
    inside: list[str] = []
    doors = keeper(inside)
    for number, (place, comes) in enumerate(moves):
        if comes and doors.arrive(f"{place}{number}", place, 10) is Verdict.COME_IN:
            inside.append(f"{place}{number}")
        elif not comes and (gone := [name for name in inside if name[0] == place]):
            inside.remove(gone[0])
            doors.leave(place)
        assert len(inside) <= 3
        assert all(sum(name[0] == p for name in inside) <= 2 for p in "abc")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_normal_client_is_answered_among_silent_and_half_finished_ones(server, pair, tls):
    running = server(workers=2, connections_per_address_max=400, **(pair if tls else {}))
    with ExitStack() as crowd:
        for number in range(340):
            sock = crowd.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            if number >= 40:
                sock.sendall(b"\x16\x03\x01" if tls else b"GET / HTTP/1.1\r\nHost: ")

        assert running.get("/hello").endswith(b"hello")


def test_a_newcomer_from_a_full_address_is_answered_when_a_place_is_free(server):
    running = server(connections_per_address_max=3, header_seconds_max=60)
    silent = [running.connect() for _ in range(3)]
    with running.connect() as sock:
        sock.sendall(KEEP)
        silent[0].close()

        assert read_answer(sock).endswith(b"hello")
    for sock in silent:
        sock.close()


def test_a_newcomer_who_waits_in_vain_is_closed(server):
    running = server(connections_per_address_max=1, header_seconds_max=0.5, keep_alive_seconds=60)
    with running.connect() as first, running.connect() as second:
        first.sendall(KEEP)
        read_answer(first)

        assert read_all(second) == b""


def test_over_the_limit_of_all_a_newcomer_is_closed_at_once(server):
    running = server(connections_max=2, header_seconds_max=60)
    with running.connect(), running.connect(), running.connect() as third:
        assert read_all(third) == b""


def test_whoever_showed_a_credential_does_not_count(server):
    running = server(connections_per_address_max=2, connections_max=2, header_seconds_max=60)
    with ExitStack() as known:
        for _ in range(6):
            sock = known.enter_context(running.connect())
            sock.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n")
            read_answer(sock)

        assert running.get("/hello").endswith(b"hello")


def test_a_trusted_proxy_does_not_count(server):
    running = server(
        connections_per_address_max=2, connections_max=2, trusted_proxies=["127.0.0.0/8"]
    )
    with ExitStack() as pool:
        for _ in range(6):
            pool.enter_context(running.connect())

        assert running.get("/hello").endswith(b"hello")


def test_a_full_worker_lets_newcomers_queue_until_there_is_room(server):
    running = server(worker_connections=2, header_seconds_max=60)
    first, second = running.connect(), running.connect()
    with running.connect() as third:
        third.sendall(KEEP)
        first.close()

        assert read_answer(third).endswith(b"hello")
    second.close()
