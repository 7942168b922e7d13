import ipaddress
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.security import hosts
from ota_http_server.security.hosts import certificate_name, host_names, primary_address


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("OTA.Example.com", "ota.example.com"),
        ("ota.example.com.", "ota.example.com"),
        ("localhost", "localhost"),
        ("4you.lan", "4you.lan"),
        ("*.lab.example.com", "*.lab.example.com"),
        ("192.168.1.5", "192.168.1.5"),
        ("FE80::0001", "fe80::1"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_name_has_one_form_in_a_certificate(text, name):
    assert certificate_name(text) == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://ota.lan", "no URL or port"),
        ("ota.lan:8071", "no URL or port"),
        ("[::1]", "no URL or port"),
        ("", "no URL or port"),
        ("a b", "no URL or port"),
        ("bücher.example", "xn--"),
        ("192.168.1.300", "neither an address nor a host name"),
        ("1234", "neither an address nor a host name"),
        ("my_pi.lan", "letters, digits and inner hyphens"),
        ("-pi.lan", "letters, digits and inner hyphens"),
        ("pi-.lan", "letters, digits and inner hyphens"),
        ("pi..lan", "letters, digits and inner hyphens"),
        (".", "no URL or port"),
        ("a" * 64 + ".lan", "letters, digits and inner hyphens"),
        (".".join(["abcdefghi"] * 26), "253 characters at most"),
        ("*", "wildcard"),
        ("*.com", "wildcard"),
        ("ota.*.com", "wildcard"),
        ("o*.example.com", "wildcard"),
        ("*.*.example.com", "wildcard"),
        ("fe80::1%eth0", "no URL or port"),
        ("lamp.lan\n", "letters, digits and inner hyphens"),
        ("lamp.lan\0", "letters, digits and inner hyphens"),
    ],
)
def test_what_is_no_name_is_refused_with_the_reason(text, reason):
    with pytest.raises(Invalid, match=reason):
        certificate_name(text)


@settings(deadline=None)
@given(st.text(alphabet="ab1-.*:%_é A", max_size=40))
def test_an_accepted_name_is_accepted_as_it_is(text):
    try:
        name = certificate_name(text)
    except Invalid:
        return

    assert certificate_name(name) == name


def test_this_host_is_known_by_name_by_localhost_and_by_both_loopbacks():
    names = host_names()

    assert {"localhost", "127.0.0.1", "::1"} <= set(names)
    assert len(names) == len(set(names))
    assert names == [certificate_name(name) for name in names]


def test_the_address_to_tell_people_is_among_the_names_and_no_loopback():
    address = primary_address()

    assert address is None or address in host_names()
    assert address is None or not ipaddress.ip_address(address).is_loopback


def test_a_host_whose_name_no_certificate_can_carry_has_its_other_names(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "my_pi")

    assert host_names()[:3] == ["localhost", "127.0.0.1", "::1"]


def test_a_host_called_by_a_single_word_is_also_found_by_multicast_dns(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "bench")

    assert {"bench", "bench.local"} <= set(host_names())


def test_a_resolver_that_never_answers_does_not_hold_the_start(monkeypatch):
    released = threading.Event()
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "late.example", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait() and answer)
    monkeypatch.setattr(hosts, "RESOLVER_SECONDS_MAX", 0.01)

    names = host_names()

    released.set()
    assert "localhost" in names
    assert "late.example" not in names


def test_an_address_that_the_resolver_invents_is_not_ours(monkeypatch):
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "bench.example", ("203.0.113.9", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)

    names = host_names()

    assert names[0] == "bench.example"
    assert "203.0.113.9" not in names
