"""JSON from outside: within its limits, or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid, NotJson, Refusal, TooLarge
from ota_http_server.http.json_body import BODY_BYTES_MAX, DEPTH_MAX, json_object

JSON = "application/json"


def nested(depth):
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    "body", [b"{}", b' {"a": 1} ', '{"ü": "é"}'.encode(), nested(DEPTH_MAX - 1)]
)
def test_an_object_is_read(body):
    assert json_object(JSON, body) == json.loads(body)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jsonp", "json"])
def test_another_media_type_is_refused(content_type):
    with pytest.raises(NotJson):
        json_object(content_type, b"{}")


def test_the_size_ends_at_64_kib():
    assert json_object(JSON, b"{}".ljust(BODY_BYTES_MAX)) == {}
    with pytest.raises(TooLarge):
        json_object(JSON, b"{}".ljust(BODY_BYTES_MAX + 1))


@pytest.mark.parametrize(
    "body",
    [
        nested(DEPTH_MAX + 1),
        b"[" * 60_000,
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "a": 2}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"1" * 21 + b"}",
        b'{"a": 0.' + b"1" * 60 + b"}",
        b"[1]",
        b"1",
        b"",
        b"\xef\xbb\xbf{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"\x00",
    ],
)
def test_what_is_no_plain_object_is_refused(body):
    with pytest.raises(Invalid):
        json_object(JSON, body)


def test_a_number_may_have_20_digits():
    assert json_object(JSON, b'{"a": ' + b"1" * 20 + b"}") == {"a": int("1" * 20)}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(body):
    try:
        assert isinstance(json_object(JSON, body), dict)
    except Refusal as refusal:
        assert refusal.detail


documents = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=8,
    ),
    max_size=4,
)


@given(documents)
def test_every_modest_object_comes_through_unchanged(document):
    assert json_object(JSON, json.dumps(document).encode()) == document
