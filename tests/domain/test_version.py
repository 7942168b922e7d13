import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ota_http_server.domain.version import (
    VERSION_CHARACTERS_MAX,
    identity,
    normalised,
    orders,
    version_key,
)

numbers = st.integers(0, 10**20 - 1)
# Both leave room for a tail: a longer text is taken for no version.
numeric = (
    st.lists(st.integers(0, 99_999), min_size=2, max_size=8)
    | st.lists(numbers, min_size=2, max_size=2)
).map(lambda fields: ".".join(map(str, fields)))
tails = st.sampled_from(
    [
        "",
        "-rc1",
        "-rc.2",
        "-beta",
        "rc10",
        "-3-gabc1234",
        "-0-gabc1234",
        "-dirty",
        "+build5",
        "-rc1-4-g4ff01fb-dirty",
        "(tasmota32)",
        "-1",
        "-01-gdeadbeef",
        " (x)",
        "~rc1",
        "_rc1",
        ".rc1",
    ]
)
written = st.builds(
    lambda lead, body, tail: lead + body + tail,
    st.sampled_from(["", "v", "V", "0", "00", " "]),
    numeric | numbers.map(str) | st.from_regex(r"[0-9a-f]{7}", fullmatch=True),
    tails,
)
texts = written | st.text() | st.text("0123456789.-+_~vrcgdity()abf ", max_size=70)

ASCENDING = [
    "0",
    "0.9.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0-rc1-4-gabc1234",
    "1.0.0-rc2",
    "1.0.0-rc10",
    "1.0.0-dirty",
    "1.0.0",
    "v1.0.0-1-g4ff01fb-dirty",
    "v1.0.0-1-g4ff01fb",
    "v1.0.0-10-gabc1234",
    "1.0.1",
    "v1.2-3-gabc1234-dirty",
    "1.2.3",
    "1.2.3+5.gabc1234.dirty",
    "3.9",
    "3.10",
    "15.0.1(tasmota32)",
    "20250110",
]


@pytest.mark.parametrize(("older", "newer"), list(itertools.pairwise(ASCENDING)))
def test_versions_stand_in_the_order_that_people_mean(older, newer):
    assert version_key(older) < version_key(newer)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("01.00.02", "1.0.2"),
        ("1.0", "1.0.0"),
        ("v1.4.0", "1.4.0"),
        ("V1.4.0", "1.4.0"),
        ("1.2.3+build5", "1.2.3"),
        ("15.0.1(tasmota32)", "15.0.1 (tasmota32s3)"),
        ("1.0-rc1", "1.0.0-rc.1"),
        ("1.0rc1", "1.0-RC1"),
        ("1.0-0-gabc1234", "1.0"),
        ("1.0-2-gabc1234", "1.0-2-gdef5678"),
    ],
)
def test_two_spellings_are_one_version(one, other):
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lamp",
        "c873579-dirty",
        "4ff01fb",
        "4081234",
        "123b456",
        "4081234-dirty",
        "esp-idf: v4.4",
        "1.2.3a",
        "1..2",
        "1.",
        ".1",
        "-1",
        "v",
        "１.２",
        "1" * 21,
        "1.0\n2",
        "1.2.3 build 5",
        "1." * 40 + "1",
        "NaN",
        "1e5",
        "1,2",
    ],
)
def test_words_and_bare_hashes_do_not_order_and_stand_below_all_that_does(text):
    assert not orders(text)
    assert version_key(text) < version_key("0.0.0-alpha-dirty")


def test_versions_that_do_not_order_are_told_apart():
    assert identity("c873579-dirty") != identity("4ff01fb")
    assert version_key("c873579-dirty") == version_key("4ff01fb")


def test_a_tag_of_seven_digits_is_a_version_and_a_hash_of_seven_digits_is_none():
    assert orders("v4081234")
    assert not orders("4081234")


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("01.00.02", "1.0.2"),
        ("v1.0.0", "1.0.0"),
        ("1", "1"),
        ("000", "0"),
        ("v1.0.0-1-g4ff01fb-dirty", "1.0.0-1-g4ff01fb-dirty"),
        ("15.0.1(tasmota32)", "15.0.1"),
        ("1.2.3+build5", "1.2.3"),
        ("1.4.0-rc.1+b", "1.4.0-rc.1"),
        (" c873579-dirty ", "c873579-dirty"),
    ],
)
def test_a_version_is_listed_without_what_does_not_order(text, listed):
    assert normalised(text) == listed


@given(texts)
@example("v4081234")
@example("v1rc1")
@example("1.0" + "(" + "x" * 80 + ")")
@example("1.0-" + "a" * 80)
def test_what_is_listed_is_the_same_version_and_listing_it_again_changes_nothing(text):
    listed = normalised(text)

    assert identity(listed) == identity(text)
    assert normalised(listed) == listed
    assert len(listed) <= VERSION_CHARACTERS_MAX + 1


@given(texts, texts, texts)
def test_the_order_is_total(a, b, c):
    ka, kb, kc = version_key(a), version_key(b), version_key(c)

    assert (ka < kb) + (ka == kb) + (ka > kb) == 1
    assert not (ka <= kb <= kc) or ka <= kc
    assert (ka == kb) == (not ka < kb and not kb < ka)


@given(numeric, numeric)
def test_plain_versions_compare_field_by_field_as_numbers(a, b):
    fields_a, fields_b = ([int(x) for x in text.split(".")] for text in (a, b))
    width = max(len(fields_a), len(fields_b))
    fields_a += [0] * (width - len(fields_a))
    fields_b += [0] * (width - len(fields_b))

    assert (version_key(a) < version_key(b)) == (fields_a < fields_b)


@given(numeric)
def test_a_release_stands_between_its_pre_release_and_the_commits_after_it(release):
    pre_release, after = version_key(f"{release}-rc1"), version_key(f"{release}-1-gabc1234")

    assert pre_release < version_key(release) < after


@given(written)
def test_a_clean_build_stands_above_a_dirty_one(text):
    if orders(text) and re.fullmatch(r"[0-9.]+(-[0-9]+-g[0-9a-f]+)?", text):
        assert version_key(f"{text}-dirty") < version_key(text)
