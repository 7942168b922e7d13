import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.image import (
    HEAD_BYTES,
    BytesSource,
    ImageFacts,
    Kind,
    read_image,
    recognised,
)

SAMPLE = esp_application(payload_bytes=64)
OPAQUE = ImageFacts(format="opaque")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xe9",
        b"hello",
        SAMPLE[:31],
        b"\xe9\x00" + SAMPLE[2:],
        b"\xe9\x11" + SAMPLE[2:],
        SAMPLE[:12] + b"\x34\x12" + SAMPLE[14:],  # a chip of the future
        b"\xea" + SAMPLE[1:],
        b"PK is no archive",
        b"<xml/>",
        b"S1",
    ],
)
def test_what_no_reader_recognises_is_opaque(content):
    assert read_image(BytesSource(content)) == OPAQUE
    assert not recognised(content[:HEAD_BYTES])


def test_an_applications_first_bytes_are_recognised_before_the_rest_has_come():
    assert recognised(SAMPLE[:HEAD_BYTES])
    assert recognised(SAMPLE[:36])


def test_what_an_image_says_can_be_written_as_json():
    header = read_image(BytesSource(SAMPLE)).header

    assert json.loads(json.dumps(dict(header))) == header


@given(st.binary(max_size=600) | st.binary(max_size=600).map(lambda rest: SAMPLE[:36] + rest))
def test_any_bytes_are_facts_or_a_refusal(content):
    try:
        facts = read_image(BytesSource(content))
    except Unfit as refusal:
        assert refusal.detail
    else:
        assert facts.format and facts.kind in get_args(Kind)
