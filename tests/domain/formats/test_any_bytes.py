"""What holds for every format: any bytes give facts or a refusal, within bounds."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.image import HEAD_BYTES, BytesSource, ImageFacts, read_image, recognised
from tests.domain.formats.samples import SAMPLES

READ_AT_ONCE_BYTES_MAX = 2**20
TIMES_READ_MAX = 8  # sums, digests and up to three signatures, each from front to end


class Counting:
    """Notices what is read, so that work is bounded by the size whatever the clock says."""

    def __init__(self, content):
        self._content = content
        self.size = len(content)
        self.read_bytes = 0

    def read_at(self, offset, length, /):
        assert offset >= 0
        assert 0 <= length <= READ_AT_ONCE_BYTES_MAX
        data = self._content[offset : offset + length]
        self.read_bytes += len(data)
        return data


def read_or_refuse(content):
    source = Counting(content)
    try:
        facts = read_image(source)
    except Unfit as refusal:
        assert refusal.detail
        assert refusal.detail.isprintable()
        facts = None
    else:
        assert isinstance(facts, ImageFacts)
        assert facts.length is None or 0 < facts.length <= len(content)
        assert json.loads(json.dumps(dict(facts.header))) == facts.header
        assert all(isinstance(v, str | int | bool) for v in facts.header.values())
        json.dumps(facts.hardware).encode()
        (facts.version or "").encode()
    assert source.read_bytes <= TIMES_READ_MAX * len(content) + 4 * HEAD_BYTES
    return facts


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_read_as_what_it_is(name):
    facts = read_or_refuse(SAMPLES[name])

    assert facts is not None
    assert facts.format == name.split()[0]


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.startswith("gzip")])
def test_a_known_format_shows_itself_in_its_first_bytes(name):
    assert recognised(SAMPLES[name][:HEAD_BYTES])


@given(st.binary(max_size=400))
def test_any_bytes_are_facts_or_a_refusal(content):
    read_or_refuse(content)


MAGICS = sorted({content[:32] for content in SAMPLES.values()})


@given(st.sampled_from(MAGICS), st.integers(0, 32), st.binary(max_size=1200))
def test_any_bytes_behind_a_known_beginning_are_facts_or_a_refusal(magic, kept, rest):
    read_or_refuse(magic[:kept] + rest)


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=40)
@given(data=st.data())
def test_any_change_to_an_image_is_read_or_refused(name, data):
    content = bytearray(SAMPLES[name])
    near = st.integers(0, min(len(content), 700) - 1) | st.integers(0, len(content) - 1)
    special = st.sampled_from([b"\0", b"\xff", b"\xff" * 4, b"\0" * 8, b"\x80", b"\x7f\xff"])
    changes = data.draw(
        st.lists(st.tuples(near, special | st.binary(min_size=1, max_size=8)), max_size=4)
    )
    for at, new in changes:
        content[at : at + len(new)] = new
    end = data.draw(st.none() | st.integers(0, len(content)))
    tail = data.draw(st.binary(max_size=8))

    read_or_refuse(bytes(content[:end]) + tail)


CUT = {
    name: content
    for name, content in SAMPLES.items()
    if name.split()[0] not in ("gzip", "esp-delta", "esp8266-app-v2", "squashfs", "rauc")
}


@pytest.mark.parametrize("name", CUT)
@settings(max_examples=25)
@given(data=st.data())
def test_no_part_of_an_image_passes_for_the_whole(name, data):
    facts = read_image(BytesSource(CUT[name]))
    end = data.draw(st.integers(0, (facts.length or len(CUT[name])) - 1))

    part = read_or_refuse(CUT[name][:end])

    assert part is None or part.format == "opaque" or part.length is None or part.length <= end
    assert part is None or part.format != facts.format
