import gzip
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ota_http_server.domain.errors import Unfit
from ota_http_server.domain.image import Damaged, Incomplete
from tests.domain.formats.reading import changed, read
from tests.domain.formats.samples import HEADER_INFO, mender, tar

OLDER = {
    "updates": [{"type": "rootfs-image"}],
    "artifact_name": "r1",
    "device_types_compatible": ["pi"],
}


def test_an_artifact_says_its_name_and_device_types():
    facts = read(mender())

    assert (facts.format, facts.kind, facts.version) == ("mender", "bundle", "release-2")
    assert facts.hardware == ("beaglebone", "qemux86-64")
    assert facts.header["members"] == 4
    assert facts.header["signed"] is False


def test_an_older_artifact_does_too():
    facts = read(mender(OLDER))

    assert (facts.version, facts.hardware) == ("r1", ("pi",))


@pytest.mark.parametrize("pack", [lzma.compress, bytes, gzip.compress])
def test_the_header_may_be_packed_in_several_ways(pack):
    inner = tar({"header-info": b'{"artifact_name": "r3"}'})

    assert read(mender(packed=pack(inner))).version == "r3"


@pytest.mark.parametrize("info", [[], {}, {"artifact_provides": 1, "artifact_depends": {}}])
def test_an_artifact_may_say_little(info):
    facts = read(mender(info))

    assert (facts.version, facts.hardware) == (None, ())


def test_a_header_that_is_not_the_one_of_the_manifest_is_damage():
    with pytest.raises(Damaged, match="wrong SHA-256"):
        read(mender(digest="0" * 64))


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"\x1f\x8bnothing", "unpacked"),
        (b"\xfd7zXZnothing", "unpacked"),
        (tar({"other": b""}), "no header-info"),
        (tar({"header-info": b"{"}), "no JSON"),
        (tar({"header-info": b"[" * 30_000}), "no JSON"),
        (tar({"header-info": b" " * 70_000}), "more than"),
        (gzip.compress(bytes(1024), mtime=0), "no header-info"),
        (b"x" * 600, "one should begin"),
    ],
)
def test_a_header_that_cannot_be_read_is_damage(packed, words):
    with pytest.raises(Damaged, match=words):
        read(mender(packed=packed))


def test_an_artifact_without_a_header_is_damage():
    with pytest.raises(Damaged, match="no header"):
        read(tar({"version": b'{"format":"mender","version":3}', "manifest": b""}))


def test_a_header_that_unpacks_without_end_is_cut():
    with pytest.raises(Incomplete):
        read(mender(packed=gzip.compress(tar({"a": bytes(8_000_000), "header-info": b"{}"}))))


@pytest.mark.parametrize("at", [1024, 1024 + 130, 1024 + 150])
def test_a_changed_member_is_damage(at):
    artifact = mender()

    with pytest.raises(Damaged):
        read(changed(artifact, at, b"z"))


def test_a_cut_artifact_is_incomplete():
    artifact = mender()
    length = read(artifact).length

    with pytest.raises(Incomplete):
        read(artifact[: length - 1])


def test_a_tar_of_something_else_is_opaque():
    assert read(tar({"version": b"1.0"})).format == "opaque"


def test_members_without_end_are_refused():
    version = {"version": b'{"format":"mender","version":3}'}

    with pytest.raises(Unfit, match="more than 1000"):
        read(tar(version | {f"{number}": b"" for number in range(1001)}))


KEYS = ["artifact_provides", "artifact_depends", "device_type", "artifact_name", "x"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([*KEYS, *HEADER_INFO]), JSON))
def test_any_header_is_read(info):
    facts = read(mender(info))

    assert facts.version is None or isinstance(facts.version, str)
    assert all(isinstance(device_type, str) for device_type in facts.hardware)
