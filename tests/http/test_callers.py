"""Which credential of a request counts, read without anything around it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unauthenticated
from ota_http_server.http.callers import Callers
from ota_http_server.http.exchange import Request


class Echo:
    """Grants that say which token they were asked about."""

    def identify(self, token):
        return token


def asking(method="GET", query="", **headers):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/", "QUERY_STRING": query}
    sent = {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return Request(environ | sent, "192.0.2.1", "http://ota")


def chosen(request, path_token=None, **options):
    return Callers(Echo(), **options).identify(request, path_token)


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc  ", "abc"),
        (" Bearer abc", "abc"),
        (basic("user:abc"), "abc"),
        (basic(":abc"), "abc"),
        (basic("user:a:b"), "a:b"),
        (basic("üser:abc"), "abc"),
        (basic("no colon"), ""),
        ("Bearer", ""),
    ],
)
def test_the_token_of_an_authorization_header(header, token):
    assert chosen(asking(authorization=header)) == token


@pytest.mark.parametrize(
    "header", ["", "abc", "Digest abc", "Basic", "Basic !", "Basic a", "Basic //8=", "Negotiate"]
)
def test_a_header_that_holds_no_token_is_refused_as_shown(header):
    if header == "Basic":
        assert chosen(asking(authorization=header)) == ""
        return
    with pytest.raises(Unauthenticated) as refused:
        chosen(asking(authorization=header), "abc")
    assert refused.value.shown


@pytest.mark.parametrize(
    ("query", "token"),
    [
        ("token=abc", "abc"),
        ("x=1&token=abc&y=2", "abc"),
        ("token=a%2Eb", "a.b"),
        ("token=", ""),
        ("token=a&token=b", "a"),
        ("token=%ff", "\ufffd"),
    ],
)
def test_the_token_of_a_query(query, token):
    assert chosen(asking(query=query), "in-the-path") == token


@pytest.mark.parametrize("query", ["", "Token=a", "tokens=a", "token", "xtoken=a", "%74oken=a"])
def test_a_query_without_a_token_leaves_the_path(query):
    assert chosen(asking(query=query), "in-the-path") == "in-the-path"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "get"])
def test_only_get_and_head_take_a_token_from_the_query(method):
    with pytest.raises(Unauthenticated) as refused:
        chosen(asking(method, query="token=abc"))
    assert not refused.value.shown


def test_the_query_can_be_switched_off():
    assert chosen(asking(query="token=a"), "b", query_token=False) == "b"


def test_the_header_comes_before_the_query_and_the_query_before_the_path():
    assert chosen(asking(query="token=q", authorization="Bearer h"), "p") == "h"
    assert chosen(asking(query="token=q"), "p") == "q"
    assert chosen(asking(), "p") == "p"


def test_with_tokens_off_everybody_is_anyone_and_nothing_is_read():
    callers = Callers(None)

    caller = callers.identify(asking(query="token=%ff", authorization="Basic !"))

    assert (caller.subject, caller.project) == ("", None)
    assert caller.may_see("anything")


latin = st.text(st.characters(max_codepoint=255))


@given(header=st.none() | latin, query=latin, path=st.none() | latin)
def test_whatever_comes_is_a_token_or_refused(header, query, path):
    request = asking(query=query, **({} if header is None else {"authorization": header}))
    try:
        assert isinstance(chosen(request, path), str)
    except Unauthenticated as refused:
        assert refused.shown is (header is not None)
