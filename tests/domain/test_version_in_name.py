import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.version import normalised, orders, version_in_name


@pytest.mark.parametrize(
    ("file_name", "version"),
    [
        ("projectA-01.00.02.bin", "1.0.2"),
        ("simple_ota-01.00.01.bin", "1.0.1"),
        ("firmware_v1", "1"),
        ("firmware_V2.5", "2.5"),
        ("firmware-1.4.0", "1.4.0"),
        ("esp32_2.bin", "2"),
        ("lamp-1.4.0-esp32.bin", "1.4.0"),
        ("lamp-1.4.0-esp32-c3.bin", "1.4.0"),
        ("lamp_v2-1.4.0.bin.gz", "1.4.0"),
        ("lamp-1.4.0.signed.bin", "1.4.0"),
        ("lamp-1.4.0-4MB.bin", "1.4.0"),
        ("a-1.2.3-rc1.bin", "1.2.3-rc1"),
        ("a-1.2.3-rc.1.bin", "1.2.3-rc.1"),
        ("a-1.2.3rc1.bin", "1.2.3rc1"),
        ("a-1.2.3-beta.bin", "1.2.3-beta"),
        ("a-1.2.3-dirty.bin", "1.2.3-dirty"),
        ("lamp-v1.0.0-1-g4ff01fb-dirty.bin", "1.0.0-1-g4ff01fb-dirty"),
        ("lamp-v1.0.0-rc1-12-g4ff01fb.bin", "1.0.0-rc1-12-g4ff01fb"),
        ("lamp-1.4.0-4081234.bin", "1.4.0"),
        ("lamp-20250110.bin", "20250110"),
    ],
)
def test_the_last_group_of_numbers_in_a_name_is_its_version(file_name, version):
    assert version_in_name(file_name) == version


@pytest.mark.parametrize(
    "file_name",
    [
        "lamp.bin",
        "lamp-esp32.bin",
        "lamp-4MB.bin",
        "lamp-1.2.3a.bin",
        "lamp2.bin",
        "1.2.3.bin",
        "",
        "lamp-c873579.bin",
        "lamp-4081234.bin",
        "-",
        "lamp-" + "1" * 21 + ".bin",
        "a-1" * 200,
    ],
)
def test_a_name_without_a_version_has_none(file_name):
    assert version_in_name(file_name) is None


@given(st.text() | st.text("lamp-_v.0123456789rcbetadirtyg", max_size=130))
def test_any_name_gives_a_listed_version_that_orders_or_none(file_name):
    version = version_in_name(file_name)

    assert version is None or (orders(version) and normalised(version) == version)


@given(
    st.sampled_from(["lamp", "esp32-s3", "my_lamp2", "a.b"]),
    st.sampled_from("-_"),
    st.sampled_from(["", "v"]),
    st.lists(st.integers(0, 10**6 - 1), min_size=1, max_size=6),
    st.sampled_from(["", ".bin", ".bin.gz", "-esp32.bin", "_debug.bin"]),
)
def test_numbers_put_behind_a_name_come_back(name, separator, lead, fields, rest):
    version = ".".join(map(str, fields))

    assert version_in_name(f"{name}{separator}{lead}{version}{rest}") == version
