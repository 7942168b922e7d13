"""Answers for any request, compared with a plain model of RFC 9110."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ota_http_server.http.files import send
from tests.http.images import MODIFIED, asking, body_of, laid_down, parts_of
from tests.http.rfc9110 import answer

# A busy machine may take its time.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CONDITIONAL = [
    "Range",
    "If-Range",
    "If-Match",
    "If-None-Match",
    "If-Modified-Since",
    "If-Unmodified-Since",
]
CONTENTS = [b"", b"\xe9", bytes(range(97)), b"image " * 100]


@pytest.fixture(name="images", scope="module")
def some_images(tmp_path_factory):
    """Each content with its image on the disk."""
    folder = tmp_path_factory.mktemp("blobs")
    return [(c, laid_down(folder / str(n), c)) for n, c in enumerate(CONTENTS)]


def latin(**limits):
    return st.text(st.characters(max_codepoint=255), **limits)


numbers = st.integers(0, 12) | st.integers(90, 110) | st.integers(590, 610) | st.integers(0, 10**21)
specs = (
    st.builds(lambda first, last: f"{first}-{last}", numbers, numbers)
    | numbers.map(lambda first: f"{first}-")
    | numbers.map(lambda suffix: f"-{suffix}")
)
ODD_SPECS = ["", " ", "-", "9-1", "x", "1-2-3", "+1-2", "²-", "0 -1"]


@st.composite
def ascending(draw):
    """Ranges that mean to be sent, as a downloader would ask for them."""
    edges = sorted(draw(st.lists(st.integers(0, 120), min_size=2, max_size=36, unique=True)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [f"{first}-{last}" for first, last in pairs]


def sensible_ranges():
    listed = st.lists(specs, min_size=1, max_size=3) | ascending()
    return listed.map(lambda elements: "bytes=" + ", ".join(elements))


def odd_ranges():
    units = st.sampled_from(["bytes=", "Bytes=", "bytes= ", "items=", "bytes ", ""])
    separators = st.sampled_from([",", ", ", " ,\t", ",,", ";"])
    listed = st.lists(specs | st.sampled_from(ODD_SPECS), max_size=20)
    return st.builds(lambda unit, comma, all_: unit + comma.join(all_), units, separators, listed)


def ranges():
    return sensible_ranges() | sensible_ranges() | odd_ranges()


def dates():
    """The three forms of a date near the image's own, and damaged ones."""
    moments = st.integers(MODIFIED - 2, MODIFIED + 2) | st.integers(0, 4_000_000_000)
    forms = st.sampled_from(
        [
            "%a, %d %b %Y %H:%M:%S GMT",
            "%A, %d-%b-%y %H:%M:%S GMT",
            "%a %b %e %H:%M:%S %Y",
            "%a, %d %b %Y %H:%M:%S +0000",
            "%a, %d %b %Y %H:%M:60 GMT",
            "%a, 30 Feb %Y %H:%M:%S GMT",
            "%d %b %Y %H:%M:%S GMT",
            "%s",
        ]
    )
    return st.builds(lambda m, f: datetime.fromtimestamp(m, UTC).strftime(f), moments, forms)


def tags(etag):
    """Lists of entity tags, well formed and not, with the image's own among them or not."""
    digest = etag.strip('"')
    one = st.sampled_from(
        [etag, f"W/{etag}", f"w/{etag}", digest, etag[:-1], '"', '""', '"a, b"', 'W/"x"', "*", ""]
    )
    return st.builds(
        str.join, st.sampled_from([", ", ",", " ", " , ", ",,"]), st.lists(one, max_size=4)
    ) | st.sampled_from(["*", " *", etag, f"W/{etag}"])


@st.composite
def headers(draw, etag):
    """A Range more often than not, and up to two conditions; more would mostly be 412."""
    a_tag_list, a_date, junk = tags(etag), dates(), latin(max_size=20)
    conditions = {
        "If-Range": st.just(etag) | a_tag_list | a_date | junk,
        "If-Match": st.just(etag) | a_tag_list | junk,
        "If-None-Match": a_tag_list | junk,
        "If-Modified-Since": a_date | junk,
        "If-Unmodified-Since": a_date | junk,
    }
    chosen = draw(st.lists(st.sampled_from([*conditions]), max_size=2, unique=True))
    fields = {name: draw(conditions[name]) for name in chosen}
    if a_range := draw(ranges() | junk | st.none()):
        fields["Range"] = a_range
    return fields


def named(fields):
    return {name.replace("-", "_"): value for name, value in fields.items()}


@pytest.mark.parametrize("which", range(len(CONTENTS)))
@unhurried
@given(method=st.sampled_from(["GET", "GET", "HEAD"]), data=st.data())
def test_an_answer_is_the_one_that_the_model_gives(images, which, method, data):
    content, image = images[which]
    etag = f'"{image.sha256}"'
    fields = data.draw(headers(etag))

    reply = send(asking(method, **named(fields)), image)

    agrees(reply, answer(method, fields, content, etag, MODIFIED), method)


@pytest.mark.parametrize("which", range(len(CONTENTS)))
@unhurried
@given(range_=ranges())
def test_a_range_alone_is_answered_as_the_model_does(images, which, range_):
    content, image = images[which]
    etag = f'"{image.sha256}"'

    reply = send(asking(range=range_), image)

    agrees(reply, answer("GET", {"Range": range_}, content, etag, MODIFIED), "GET")


def agrees(reply, expected, method):
    said = dict(reply.headers)
    assert reply.status == expected.status
    assert said.get("Content-Range") == expected.content_range
    assert expected.length is None or reply.length == expected.length
    assert reply.length == len(body_of(reply))
    if expected.parts:
        assert [(where, what) for where, _, what in parts_of(reply)] == list(expected.parts)
    elif method == "GET":
        assert body_of(reply) == expected.body


@unhurried
@given(cuts=st.sets(st.integers(1, 599), max_size=40), data=st.data())
def test_the_ranges_of_any_partition_join_to_the_image(images, cuts, data):
    content, image = images[-1]
    edges = [0, *sorted(cuts), len(content)]
    validators = data.draw(st.sampled_from([{}, {"if_range": f'"{image.sha256}"'}]))

    pieces = [
        body_of(send(asking(range=f"bytes={first}-{after - 1}", **validators), image))
        for first, after in pairwise(edges)
    ]

    assert b"".join(pieces) == content


@unhurried
@given(
    st.sampled_from(["GET", "HEAD"]),
    st.dictionaries(
        st.sampled_from(CONDITIONAL),
        st.binary(max_size=60).map(lambda value: value.decode("latin-1")),
    ),
)
def test_any_bytes_in_the_headers_get_an_answer(images, method, fields):
    _, image = images[2]

    assert send(asking(method, **named(fields)), image).status in {200, 206, 304, 412, 416}
