"""Releases: their names, their order, and what is one version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.release import (
    channel_name,
    identity_text,
    part_of,
    release_version,
)
from ota_http_server.domain.version import identity
from tests.domain.fleet_facts import a_release

versions = st.from_regex(
    r"\Av?[0-9]{1,3}(\.[0-9]{1,3}){0,3}((-rc\.?[0-9]|-[0-9]-gabcdef1|-dirty|-beta)?)\Z"
) | st.from_regex(r"\A[a-f]{7}\Z")


@given(versions, versions)
def test_two_versions_share_one_text_exactly_if_they_are_one(one, other):
    assert (identity_text(one) == identity_text(other)) is (identity(one) == identity(other))


@given(versions)
def test_its_text_has_room_in_its_column(version):
    assert len(identity_text(version)) <= 200


@pytest.mark.parametrize("text", ["", "-1", "a b", "1/2", "x" * 65, None, 7, "1\n"])
def test_what_is_no_version_is_refused(text):
    with pytest.raises(Invalid):
        release_version(text)


def test_a_version_is_listed_normalised():
    assert release_version("v01.02.00") == "1.2.0"


@pytest.mark.parametrize("text", ["", "a b", "ä", "x" * 33, None, 7, "-x"])
def test_what_is_no_channel_is_refused(text):
    with pytest.raises(Invalid):
        channel_name(text)


def test_a_channel_is_lower_case():
    assert channel_name("Beta") == "beta"


def test_of_versions_that_do_not_order_the_later_is_newer():
    older, newer = a_release("abcdef1", number=1), a_release("0ddba11", number=2)

    assert newer.order > older.order
    assert a_release("0.0.1", number=1).order > newer.order


@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("application", "spiffs.bin", "application"),
        ("opaque", "lamp-1.2-spiffs.bin", "filesystem"),
        ("opaque", "littlefs.bin", "filesystem"),
        ("opaque", "lamp-merged.bin", "factory"),
        ("opaque", "lamp-1.2.bin", "opaque"),
    ],
)
def test_where_the_bytes_do_not_say_the_name_may(kind, name, part):
    assert part_of(kind, name) == part
