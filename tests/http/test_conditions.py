"""What a request knows already decides what it gets."""

import pytest

from ota_http_server.http.conditions import unix_seconds
from ota_http_server.http.files import send
from tests.http.images import (
    ALWAYS,
    CONTENT,
    DIGEST,
    ETAG,
    MODIFIED_DATE,
    STALE,
    asking,
    body_of,
    laid_down,
)

SECOND_BEFORE = "Thu, 09 Oct 2025 15:34:11 GMT"


@pytest.fixture(name="image")
def an_image(tmp_path):
    return laid_down(tmp_path / "blob", CONTENT)


# Each line: what the request says, and the status. An image answers 206 to the Range that all of
# them carry unless the conditions say otherwise.
CONDITIONS = [
    ({}, 206),
    ({"if_match": ETAG}, 206),
    ({"if_match": "*"}, 206),
    ({"if_match": f"{STALE}, {ETAG}"}, 206),
    ({"if_match": f"W/{ETAG}"}, 412),
    ({"if_match": f"W/{ETAG}, {ETAG}"}, 206),
    ({"if_match": STALE}, 412),
    ({"if_match": DIGEST}, 412),
    ({"if_match": ""}, 412),
    ({"if_match": f"*, {ETAG}"}, 412),
    ({"if_unmodified_since": MODIFIED_DATE}, 206),
    ({"if_unmodified_since": SECOND_BEFORE}, 412),
    ({"if_unmodified_since": "yesterday"}, 206),
    ({"if_match": ETAG, "if_unmodified_since": SECOND_BEFORE}, 206),
    ({"if_match": STALE, "if_none_match": ETAG}, 412),
    ({"if_none_match": ETAG}, 304),
    ({"if_none_match": "*"}, 304),
    ({"if_none_match": " * "}, 304),
    ({"if_none_match": f"W/{ETAG}"}, 304),
    ({"if_none_match": f'"a,b",W/{STALE} ,{ETAG}'}, 304),
    ({"if_none_match": f",, {ETAG},"}, 304),
    ({"if_none_match": STALE}, 206),
    ({"if_none_match": DIGEST}, 206),
    ({"if_none_match": f'"a"{DIGEST}"b"'}, 206),
    ({"if_none_match": f"{ETAG} {STALE}"}, 206),
    ({"if_none_match": f"w/{ETAG}"}, 206),
    ({"if_modified_since": MODIFIED_DATE}, 304),
    ({"if_modified_since": SECOND_BEFORE}, 206),
    ({"if_modified_since": "Thursday, 09-Oct-25 15:34:12 GMT"}, 304),
    ({"if_modified_since": "Thu Oct  9 15:34:12 2025"}, 304),
    ({"if_modified_since": f"{MODIFIED_DATE}, {MODIFIED_DATE}"}, 206),
    ({"if_none_match": STALE, "if_modified_since": MODIFIED_DATE}, 206),
    ({"if_range": ETAG}, 206),
    ({"if_range": MODIFIED_DATE}, 206),
    ({"if_range": STALE}, 200),
    ({"if_range": f"W/{ETAG}"}, 200),
    ({"if_range": DIGEST}, 200),
    ({"if_range": "*"}, 200),
    ({"if_range": SECOND_BEFORE}, 200),
    ({"if_range": "Thu, 09 Oct 2025 15:34:13 GMT"}, 200),
    ({"if_range": "yesterday"}, 200),
    ({"if_range": ""}, 200),
]


@pytest.mark.parametrize(("headers", "status"), CONDITIONS)
def test_a_condition_decides_what_is_sent(image, headers, status):
    reply = send(asking(range="bytes=0-9", **headers), image)

    assert reply.status == status
    assert body_of(reply) == {206: CONTENT[:10], 200: CONTENT}.get(status, b"")
    assert ALWAYS.items() <= dict(reply.headers).items()


def test_if_range_without_a_range_means_nothing(image):
    assert send(asking(if_range=STALE), image) == send(asking(), image)


DATES = [
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
    ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
    ("Sun Nov  6 08:49:37 1994", 784111777),
    ("Sun Nov 06 08:49:37 1994", 784111777),
    ("Mon, 06 Nov 1994 08:49:37 GMT", 784111777),
    ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
    ("Wednesday, 01-Jan-69 00:00:00 GMT", -31536000),
    ("Sunday, 31-Dec-68 23:59:59 GMT", 3124223999),
    ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),
    ("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799),
    ("Sat, 01 Jan 0000 00:00:00 GMT", None),
    ("Wed, 31 Feb 2024 00:00:00 GMT", None),
    ("Sun, 06 Nov 1994 24:00:00 GMT", None),
    ("Sun, 06 Nov 1994 08:49:61 GMT", None),
    ("Sun, 06 Nov 1994 08:49:37 UTC", None),
    ("Sun, 06 Nov 1994 08:49:37 +0000", None),
    ("Sun, 6 Nov 1994 08:49:37 GMT", None),
    ("sun, 06 nov 1994 08:49:37 gmt", None),
    ("Sun, 06 Nov 1994 08:49:37 GMT\n", None),
    ("Sun, ٠٦ Nov 1994 08:49:37 GMT", None),
    ("784111777", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "seconds"), DATES)
def test_a_date_is_read_in_the_three_forms_of_http_and_no_other(text, seconds):
    assert unix_seconds(text) == seconds
