"""Range headers, one line each, against an image of 1,000 bytes."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_http_server.http.ranges import HEADER_CHARACTERS_MAX, RANGES_MAX, wanted

SIZE = 1000
IGNORED = None
UNSATISFIABLE: list[range] = []

LINES = [
    # one range
    ("bytes=0-0", [range(0, 1)]),
    ("bytes=0-499", [range(0, 500)]),
    ("bytes=500-999", [range(500, 1000)]),
    ("bytes=500-1000", [range(500, 1000)]),  # ESP-IDF, one past the end
    ("bytes=0-99999999999999999999", [range(0, 1000)]),
    ("bytes=0-", [range(0, 1000)]),
    ("bytes=999-", [range(999, 1000)]),
    ("bytes=00000000000000000010-0011", [range(10, 12)]),
    ("BYTES=0-9", [range(0, 10)]),
    ("Bytes=0-9", [range(0, 10)]),
    ("bytes= 0-9 ", [range(0, 10)]),
    # the last so many
    ("bytes=-1", [range(999, 1000)]),
    ("bytes=-1000", [range(0, 1000)]),
    ("bytes=-1001", [range(0, 1000)]),
    ("bytes=-99999999999999999999", [range(0, 1000)]),
    # out of reach
    ("bytes=-0", UNSATISFIABLE),
    ("bytes=1000-", UNSATISFIABLE),
    ("bytes=1000-1000", UNSATISFIABLE),
    ("bytes=99999999999999999999-", UNSATISFIABLE),
    ("bytes=1000-,2000-3000,-0", UNSATISFIABLE),
    # several
    ("bytes=0-9,20-29", [range(0, 10), range(20, 30)]),
    ("bytes=0-9, 20-29", [range(0, 10), range(20, 30)]),
    ("bytes=0-9 ,\t20-29", [range(0, 10), range(20, 30)]),
    ("bytes=0-9,10-19", [range(0, 10), range(10, 20)]),
    ("bytes=0-0,-1", [range(0, 1), range(999, 1000)]),
    ("bytes=,0-9,,20-29,", [range(0, 10), range(20, 30)]),
    ("bytes=0-9,1000-", [range(0, 10)]),
    ("bytes=2000-,0-9,-0", [range(0, 10)]),
    # several that no downloader needs
    ("bytes=20-29,0-9", IGNORED),
    ("bytes=0-9,9-19", IGNORED),
    ("bytes=0-9,0-9", IGNORED),
    ("bytes=0-,-1", IGNORED),
    ("bytes=0-0,0-0,0-0,0-0,0-0", IGNORED),
    # not understood
    ("", IGNORED),
    ("bytes", IGNORED),
    ("bytes=", IGNORED),
    ("bytes=,", IGNORED),
    ("bytes=-", IGNORED),
    ("bytes=--1", IGNORED),
    ("bytes=9-0", IGNORED),
    ("bytes=2000-1999", IGNORED),
    ("bytes=0-9,9-0", IGNORED),
    ("bytes=0-9,x", IGNORED),
    ("bytes=0 - 9", IGNORED),
    ("bytes =0-9", IGNORED),
    ("bytes 0-9", IGNORED),
    ("bytes=+0-9", IGNORED),
    ("bytes=0x0-9", IGNORED),
    ("bytes=1_0-19", IGNORED),
    ("bytes=²-³", IGNORED),
    ("bytes=٠-٩", IGNORED),
    ("bytes=0-9\n", IGNORED),
    ("bytes=0-9\x00", IGNORED),
    ("bytes=0-999999999999999999999", IGNORED),  # 21 digits
    ("items=0-9", IGNORED),
    ("bytes=0-9,bytes=20-29", IGNORED),  # two Range lines, as WSGI joins them
]


@pytest.mark.parametrize(("header", "positions"), LINES)
def test_a_range_line_means(header, positions):
    assert wanted(header, SIZE) == positions


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-9"])
def test_nothing_of_an_empty_image_is_in_reach(header):
    assert wanted(header, 0) == UNSATISFIABLE


def spread(count, step=20):
    return "bytes=" + ",".join(f"{n * step}-{n * step}" for n in range(count))


def test_sixteen_ranges_are_sent_and_seventeen_are_not():
    assert len(wanted(spread(RANGES_MAX), SIZE)) == RANGES_MAX
    assert wanted(spread(RANGES_MAX + 1), SIZE) is IGNORED


def test_ranges_out_of_reach_count_towards_the_sixteen():
    assert wanted(spread(RANGES_MAX + 1, step=SIZE), SIZE) is IGNORED


def test_sixteen_ranges_of_the_longest_numbers_fit_the_header():
    longest = "bytes=" + ", ".join(f"{n:020}-{n:020}" for n in range(0, RANGES_MAX * 2, 2))

    assert len(longest) <= HEADER_CHARACTERS_MAX
    assert len(wanted(longest, SIZE)) == RANGES_MAX


@pytest.mark.parametrize("element", [",", "0-0,", " ", "9", "0-", "-"])
def test_a_range_header_of_fifty_kilobytes_is_ignored(element):
    header = "bytes=" + element * (50_000 // len(element))

    assert wanted(header, SIZE) is IGNORED


class Untouchable(str):
    """A header that may be measured and counted, but neither cut nor matched."""

    def partition(self, *_):
        raise AssertionError("was cut")

    split = strip = partition


@pytest.mark.parametrize("header", ["bytes=" + "9" * 50_000, "bytes=" + "0-," * 17])
def test_a_hostile_range_header_is_not_even_cut_up(header):
    assert wanted(Untouchable(header), SIZE) is IGNORED


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=255)), st.integers(0, 2**40))
def test_any_range_header_has_a_meaning(text, size):
    for header in (text, "bytes=" + text):
        spans = wanted(header, size)

        assert spans is None or all(0 <= s.start < s.stop <= size for s in spans)


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=RANGES_MAX))
def test_the_ranges_of_a_partition_come_back_as_they_were_asked(lengths):
    edges = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    spans = [range(a, b) for a, b in pairwise(edges)]

    header = "bytes=" + ",".join(f"{s[0]}-{s[-1]}" for s in spans)

    assert wanted(header, edges[-1]) == spans
