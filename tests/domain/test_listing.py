from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.listing import Seen, latest, listed, versions
from ota_http_server.domain.version import identity, version_key


def folder(*files):
    """Files in the order they came: a name, a header's version and, if need be, a digest."""
    return [
        Seen(name, (more[0] if more else f"sha of {name}"), index, header)
        for index, (name, header, *more) in enumerate(files)
    ]


def origins(files):
    return [(file.version, file.version_from) for file in listed(files)]


def test_the_headers_version_goes_before_the_names():
    files = folder(("lamp-1.0.0.bin", "1.4.0"))

    assert origins(files) == [("1.4.0", "header")]


def test_the_name_speaks_where_the_header_is_silent_or_does_not_order():
    files = folder(("lamp-01.00.02.bin", None), ("lamp-01.00.01.bin", "c873579-dirty"))

    assert origins(files) == [("1.0.2", "name"), ("1.0.1", "name")]


def test_a_word_in_the_header_is_better_than_nothing():
    files = folder(("lamp.bin", "c873579-dirty"))

    assert origins(files) == [("c873579-dirty", "header")]
    assert versions(files) == ["c873579-dirty"]


def test_a_file_without_a_version_is_not_listed():
    files = folder(("lamp.bin", None), ("notes.txt", ""))

    assert origins(files) == [(None, None), (None, None)]
    assert versions(files) == []
    assert latest(files) is None


def test_names_decide_where_different_images_claim_one_header_version():
    files = folder(("lamp-1.0.0.bin", "1.0.0"), ("lamp-1.1.0.bin", "v1.0"), ("x-9.bin", "2.0"))

    assert origins(files) == [("1.0.0", "name"), ("1.1.0", "name"), ("2.0", "header")]
    assert versions(files) == ["1.0.0", "1.1.0", "2.0"]


def test_copies_of_one_image_keep_their_header_version():
    files = folder(("lamp-1.0.0.bin", "1.0.0", "same"), ("lamp-1.1.0.bin", "1.0.0", "same"))

    assert origins(files) == [("1.0.0", "header"), ("1.0.0", "header")]


def test_one_version_for_several_chips_stays_the_headers():
    files = folder(("lamp-1.4.0-esp32.bin", "1.4.0"), ("lamp-1.4.0-esp32s3.bin", "1.4.0"))

    assert origins(files) == [("1.4.0", "header"), ("1.4.0", "header")]
    assert versions(files) == ["1.4.0"]


def test_a_file_whose_name_says_nothing_keeps_the_header_that_others_share():
    files = folder(("a-1.1.bin", "1.0"), ("a-1.2.bin", "1.0"), ("a.bin", "1.0"))

    assert origins(files) == [("1.1", "name"), ("1.2", "name"), ("1.0", "header")]


def test_two_spellings_are_listed_once_as_the_newest_file_writes_it():
    files = folder(("lamp-1.0.bin", None), ("lamp-1.0.0.bin", None))

    assert versions(files) == ["1.0.0"]


def test_the_file_seen_last_stands_for_a_version_that_several_have():
    files = folder(("b-1.0.bin", None), ("a-1.0.bin", None), ("c-0.9.bin", None))

    assert latest(files).name == "a-1.0.bin"


def test_versions_that_do_not_order_follow_their_first_sight():
    files = folder(("a.bin", "c873579"), ("b.bin", "abcdef1"), ("c.bin", "c873579"))

    assert versions(files) == ["c873579", "abcdef1"]
    assert latest(files).name == "b.bin"


def test_a_version_that_orders_is_later_than_any_word():
    files = folder(("lamp-0.1.bin", None), ("lamp.bin", "nightly"))

    assert versions(files) == ["nightly", "0.1"]
    assert latest(files).version == "0.1"


names = st.builds(
    "{}{}{}".format,
    st.sampled_from(["lamp", "a_b", "esp32-s3"]),
    st.sampled_from(["", "-1.0", "-1.0.0", "_v2", "-1.4.0-rc1", "-1.4.0", "-01.04"]),
    st.sampled_from(["", ".bin", "-esp32.bin"]),
)
headers = st.none() | st.sampled_from(
    ["1.0", "1.0.0", "v1.4.0-2-gabc1234-dirty", "c873579-dirty", "abcdef1", "1.4.0", "nightly", ""]
)
folders = st.lists(
    st.tuples(names, headers, st.sampled_from("pqrst")), max_size=8, unique_by=lambda f: f[0]
).map(lambda files: folder(*files))


@given(folders, st.randoms())
def test_the_order_in_which_files_are_named_changes_nothing(files, random):
    shuffled = files[:]
    random.shuffle(shuffled)

    assert versions(shuffled) == versions(files)
    assert latest(shuffled) == latest(files)


@given(folders)
def test_versions_ascend_are_distinct_and_end_with_the_latest(files):
    found, newest = versions(files), latest(files)

    assert [version_key(v) for v in found] == sorted(version_key(v) for v in found)
    assert len({identity(v) for v in found}) == len(found)
    assert {identity(v) for v in found} == {
        identity(file.version) for file in listed(files) if file.version
    }
    assert (newest is None) == (found == [])
    assert newest is None or newest.version == found[-1]


@given(folders)
def test_every_file_is_answered_for_with_a_version_and_its_origin_or_neither(files):
    answered = listed(files)

    assert [file.name for file in answered] == [file.name for file in files]
    assert all((file.version is None) == (file.version_from is None) for file in answered)
