"""Forwarded addresses, schemes and hosts count from trusted peers only."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.http.proxies import Proxies

TRUSTED = [ip_network(n) for n in ("127.0.0.1/32", "::1/128", "10.0.0.0/8")]
PROXIES = Proxies(TRUSTED)


def environ(peer="127.0.0.1", scheme="http", **headers):
    sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return {
        "REMOTE_ADDR": peer,
        "wsgi.url_scheme": scheme,
        "SERVER_NAME": "here",
        "SERVER_PORT": "8071",
    } | sent


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        ("127.0.0.1", "203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.7, 10.1.2.3, 127.0.0.1", "203.0.113.7"),
        ("127.0.0.1", "10.1.2.3", "10.1.2.3"),
        ("127.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "2001:DB8:0::1", "2001:db8::1"),
        ("127.0.0.1", "junk", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7, junk", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "6.6.6.6\r\nforged", "127.0.0.1"),
        ("::ffff:127.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("192.0.2.1", "203.0.113.7", "192.0.2.1"),
        ("", "203.0.113.7", ""),
    ],
)
def test_the_right_most_untrusted_address_is_the_caller(peer, forwarded, caller):
    assert PROXIES.caller(environ(peer, x_forwarded_for=forwarded)) == caller


def test_without_trusted_proxies_nothing_forwarded_counts():
    asked = environ(
        x_forwarded_for="6.6.6.6", x_forwarded_proto="https", x_forwarded_host="evil", host="ota"
    )

    assert Proxies().caller(asked) == "127.0.0.1"
    assert Proxies().base_url(asked) == "http://ota"


def test_a_trusted_proxy_says_scheme_and_host():
    asked = environ(x_forwarded_proto="https", x_forwarded_host="ota.example:8070", host="inner")

    assert PROXIES.base_url(asked) == "https://ota.example:8070"


def test_of_several_the_nearest_proxy_is_believed():
    asked = environ(x_forwarded_proto="http, https", x_forwarded_host="evil, ota.example")

    assert PROXIES.base_url(asked) == "https://ota.example"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("ota.example", "http://ota.example"),
        ("ota.example:8071", "http://ota.example:8071"),
        ("192.0.2.7", "http://192.0.2.7"),
        ("[2001:db8::1]:8071", "http://[2001:db8::1]:8071"),
        ("my_host", "http://my_host"),
        ("", "http://here:8071"),
    ],
)
def test_the_host_of_the_request_makes_the_url(host, url):
    assert PROXIES.base_url(environ(host=host)) == url


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "a/b",
        "a@b",
        "a?b",
        "a#b",
        "a\r\nb",
        "a\n",
        ":80",
        "a:b",
        "a:123456",
        "[::1",
        "é",
        "-",
    ],
)
def test_a_host_that_is_no_name_or_address_is_refused(host):
    with pytest.raises(Invalid):
        PROXIES.base_url(environ(host=host))


@pytest.mark.parametrize("scheme", ["ftp", "javascript", "https\n"])
def test_a_forwarded_scheme_is_http_or_https(scheme):
    if scheme.strip() == "https":
        assert PROXIES.base_url(environ(x_forwarded_proto=scheme, host="ota")) == "https://ota"
        return
    with pytest.raises(Invalid):
        PROXIES.base_url(environ(x_forwarded_proto=scheme, host="ota"))


def test_a_configured_public_url_comes_before_everything():
    fixed = Proxies(TRUSTED, "https://ota.example:8070/")

    assert fixed.base_url(environ(host="inner")) == "https://ota.example:8070"
    with pytest.raises(Invalid):
        fixed.base_url(environ(host="a b"))


@given(st.text(st.characters(max_codepoint=255)))
def test_any_chain_gives_the_peer_or_an_address(forwarded):
    caller = PROXIES.caller(environ(x_forwarded_for=forwarded))

    assert caller == "127.0.0.1" or all(c in "0123456789abcdef.:%" or c.isalnum() for c in caller)
