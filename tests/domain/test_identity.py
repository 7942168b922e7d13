"""One device, one spelling: whatever way its id is written."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.identity import (
    SUBJECT_PATTERN,
    canonical_device_id,
    device_key,
    enrolled_id,
    mac_address,
)

macs = st.binary(min_size=6, max_size=6).map(lambda six: six.hex(":"))
cases = st.sampled_from([str.lower, str.upper, str.title])
marks = st.sampled_from([":", "-"])
subjects = st.from_regex(r"[A-Za-z0-9:._-]{1,64}", fullmatch=True)


def spelt(mac, mark):
    if mark == ".":
        digits = mac.replace(":", "")
        return ".".join((digits[:4], digits[4:8], digits[8:]))
    return mac.replace(":", mark)


@given(macs, st.sampled_from([":", "-", ".", ""]), cases)
def test_every_usual_way_to_write_a_mac_gives_the_same_one(mac, mark, case):
    assert mac_address(case(spelt(mac, mark))) == mac


@given(macs, st.sampled_from([":", "-", "."]), cases)
def test_a_mac_with_marks_is_one_device_however_it_is_written(mac, mark, case):
    written = case(spelt(mac, mark))

    assert device_key(written) == enrolled_id(written) == mac


@given(st.uuids(), cases)
def test_a_uuid_is_one_device_in_any_case(value, case):
    written = case(str(value))

    assert device_key(written) == enrolled_id(written) == canonical_device_id(written) == str(value)


@given(subjects)
def test_what_a_device_is_known_by_is_known_by_itself(written):
    device = device_key(written)

    assert device_key(device) == device
    assert SUBJECT_PATTERN.match(device)


@given(st.text())
def test_any_text_is_a_device_or_refused(text):
    try:
        assert SUBJECT_PATTERN.match(enrolled_id(text))
    except Invalid:
        pass


@pytest.mark.parametrize(
    "written",
    [
        "aa:bb:cc:dd:ee",
        "aa:bb:cc:dd:ee:ff:00",
        "aa:bb-cc:dd-ee:ff",
        "aa:bb:cc:dd:ee:fg",
        "aabb.ccddeeff",
        "aa bb cc dd ee ff",
        " aa:bb:cc:dd:ee:ff",
        "aa:bb:cc:dd:ee:ff\n",
        "aabbccddeef",
        "",
    ],
)
def test_what_is_no_mac_is_none(written):
    assert mac_address(written) is None


@pytest.mark.parametrize("serial", ["202510091534", "AABBCCDDEEFF", "0" * 12, "a" * 32, "esp-1"])
def test_a_serial_number_stays_as_it_is_written(serial):
    assert device_key(serial) == enrolled_id(serial) == serial


LAMP = str(uuid.UUID("e6f87d77-4216-4be1-ab83-b5fa6792b747"))


@pytest.mark.parametrize(
    "written",
    [
        f"urn:uuid:{LAMP}",
        f"URN:UUID:{LAMP}",
        "urn:uuid:x",
        f"uuid:{LAMP}",
        f"{{{LAMP}}}",
        f" {LAMP}",
        f"{LAMP} ",
        f"{LAMP}\r\n",
        f"{LAMP}\r\nX-Admin: 1",
        LAMP.replace("-", "_"),
        "e6f87d774216-4be1-ab83-b5fa6792b747",
        "e6f87d77-42164be1-ab83b5fa-6792b747",
        "aa:bb:cc:dd:ee:ff\r\n",
        "a/b",
        "ä",
        "",
        "x" * 65,
        None,
        7,
        [LAMP],
    ],
)
def test_another_spelling_of_a_device_and_what_is_no_id_are_refused(written):
    with pytest.raises(Invalid):
        enrolled_id(written)


def test_a_refused_uuid_is_told_how_it_is_written():
    with pytest.raises(Invalid, match=re.escape(LAMP)):
        enrolled_id(LAMP.replace("-", "_").upper())
