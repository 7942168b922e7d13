import hashlib
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid, Unfit
from ota_http_server.domain.formats.libconfig import Group, read_settings
from ota_http_server.domain.image import Damaged, Incomplete
from ota_http_server.domain.swupdate_sample import cpio_archive, swupdate_bundle
from tests.domain.formats.reading import changed, read
from tests.domain.formats.samples import NOISE, cpio, swu

DESCRIPTION = """
/* what swupdate's own documentation shows */
software =
{
    version = "0.1.0";
    description = "Firmware update for XXXXX Project";
    hardware-compatibility: [ "1.0", "1.2", "#RE:^1\\\\.[023]$" ];
    images: (
        { filename = "rootfs.ubifs"; volume = "rootfs"; },
        # a comment
        { filename = "a.bin"; size = 104896512; installed-directly = true; }
    );
    bootenv: ( { name = "vram"; value = "4" "M"; } )
}
"""


def test_a_bundle_says_version_and_compatible_hardware():
    facts = read(swu(DESCRIPTION))

    assert (facts.format, facts.kind, facts.version) == ("swupdate", "bundle", "0.1.0")
    assert facts.hardware == ("1.0", "1.2", r"#RE:^1\.[023]$")
    assert facts.header["members"] == 2
    assert facts.header["files"] == "a.bin"
    assert facts.header["description"] == "Firmware update for XXXXX Project"
    assert facts.header["signed"] is False


def test_a_signed_bundle_is_noticed():
    signature = {"sw-description.sig": b"s" * 256, "a.bin": NOISE}

    assert read(swu(DESCRIPTION, signature)).header["signed"] is True


def test_hardware_in_a_boards_group_has_the_boards_name_before_it():
    facts = read(
        swu("""software = { version = "1"; hardware-compatibility = ["9"];
            lamp: { hardware-compatibility: ["1.0"]; stable: { main: {
                hardware-compatibility: ("2.0", "1.0") } } } pump = { }; }""")
    )

    assert facts.hardware == ("9", "lamp 1.0", "lamp 2.0")


def test_a_version_may_be_a_link():
    facts = read(swu('software={version={ref="#./common";}; common="0.7-linked";}'))

    assert facts.version == "0.7-linked"


def test_json_is_a_description_too():
    facts = read(
        swu('{"software": {"version": "2.0", "hardware-compatibility": ["\\u0041"], "n": [1, 2]}}')
    )

    assert (facts.version, facts.hardware) == ("2.0", ("A",))


@pytest.mark.parametrize("description", ["software = {}", "software = { version = 3.5; }"])
def test_a_bundle_without_a_text_for_version_is_read(description):
    assert read(swu(description)).version in (None, "3.5")


@pytest.mark.parametrize("content", [b"\x80\xff" + NOISE, b'<?xml version="1.0"?><software/>'])
def test_a_description_that_is_encrypted_or_of_another_parser_leaves_version_and_hardware_open(
    content,
):
    facts = read(cpio({"sw-description": content, "a.bin": NOISE}))

    assert (facts.version, facts.hardware) == (None, ())
    assert facts.header["description_readable"] is False


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("software = {\n version = ;\n}", "line 2"),
        ('software = { version = "1"', "should be"),
        ("software = ( }", "should be"),
        ("software = { \x00 }", "means nothing"),
        ('software = { a = "open }', "means nothing"),
        ("hardware = { }", "no group"),
        ("software = 1;", "no group"),
        ("} software = {}", "should be"),
        ("software = { a = " + "(" * 40 + ")" * 40 + "}", "deep"),
        ("{ } }", "should be"),
    ],
)
def test_a_description_that_cannot_be_understood_is_named(description, words):
    with pytest.raises(Damaged, match=words):
        read(swu(description))


def test_a_description_too_long_is_refused():
    with pytest.raises(Damaged, match="too long"):
        read(swu("#" * 300_000))


def test_hardware_without_end_is_refused():
    revisions = ", ".join(f'"{number}"' for number in range(100))

    with pytest.raises(Damaged, match="more than 64"):
        read(swu(f"software = {{ hardware-compatibility: [ {revisions} ]; }}"))


def test_a_changed_member_is_found_by_its_checksum():
    archive = swu(DESCRIPTION)
    at = archive.index(NOISE) + 1000

    with pytest.raises(Damaged, match=r"wrong checksum: the bytes of a\.bin"):
        read(changed(archive, at, bytes([archive[at] ^ 1])))


def test_an_archive_without_checksums_is_read():
    assert read(swu(DESCRIPTION, magic=b"070701")).version == "0.1.0"


def test_a_member_that_is_not_the_one_of_the_description_is_found_by_its_digest():
    digest = hashlib.sha256(NOISE).hexdigest()
    described = f'software={{files:({{filename="a.bin"; sha256="{digest.upper()}";}});}}'

    assert read(swu(described, magic=b"070701")).format == "swupdate"
    with pytest.raises(Damaged, match=r"wrong SHA-256: the bytes of a\.bin"):
        read(swu(described, {"a.bin": NOISE[:-1]}))


def test_a_member_larger_than_a_block_is_summed_whole():
    assert read(swu(DESCRIPTION, {"a.bin": b"\xff" * 300_001})).format == "swupdate"


@pytest.mark.parametrize("cut", [1, 124, 130, 2000])
def test_a_cut_bundle_is_incomplete(cut):
    with pytest.raises(Incomplete):
        read(swu(DESCRIPTION)[:-cut])


def test_a_bundle_without_its_trailer_is_incomplete():
    with pytest.raises(Incomplete):
        read(swu(DESCRIPTION, trailer=False))


@pytest.mark.parametrize(("at", "new"), [(0, b"07070x"), (54, b"zz"), (94, b"00000000")])
def test_a_member_that_is_none_is_damage(at, new):
    archive = swu(DESCRIPTION)
    second = archive.index(b"070702", 6)

    with pytest.raises(Damaged):
        read(changed(archive, second + at, new))


def test_members_without_end_are_refused():
    files = {f"{number}.bin": b"" for number in range(1001)}

    with pytest.raises(Unfit, match="more than 1000 members"):
        read(swu(DESCRIPTION, files))


def test_a_cpio_archive_of_something_else_is_opaque():
    assert read(cpio({"etc/passwd": b"root"})).format == "opaque"


def test_a_sample_says_what_it_was_made_of():
    facts = read(swupdate_bundle(version="2.0-rc1", hardware=("1.0", "revB"), payload_bytes=100))

    assert (facts.version, facts.hardware) == ("2.0-rc1", ("1.0", "revB"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": '1"'},
        {"version": ""},
        {"hardware": ()},
        {"hardware": ("a b",)},
        {"path": "relative"},
        {"payload_bytes": 0},
    ],
)
def test_a_sample_that_could_not_be_written_down_is_refused(wrong):
    with pytest.raises(Invalid):
        swupdate_bundle(**wrong)


@pytest.mark.needs("cpio")
@pytest.mark.parametrize("kind", ["crc", "newc"])
def test_what_the_real_cpio_writes_is_read(tmp_path, kind):
    (tmp_path / "sw-description").write_text(DESCRIPTION)
    (tmp_path / "a.bin").write_bytes(NOISE)

    written = subprocess.run(
        [shutil.which("cpio"), "-o", "--quiet", "-H", kind],
        input=b"sw-description\na.bin\n",
        cwd=tmp_path,
        check=True,
        capture_output=True,
    ).stdout

    assert read(written).version == "0.1.0"


@pytest.mark.needs("cpio")
def test_what_a_sample_writes_the_real_cpio_reads(tmp_path):
    archive = cpio_archive({"sw-description": b"x", "a.bin": NOISE})

    subprocess.run(
        [shutil.which("cpio"), "-i", "--quiet", "--only-verify-crc"],
        input=archive,
        cwd=tmp_path,
        check=True,
    )
    subprocess.run([shutil.which("cpio"), "-i", "--quiet"], input=archive, cwd=tmp_path, check=True)

    assert (tmp_path / "a.bin").read_bytes() == NOISE


WORDS = ["software", "version", "a", "=", ":", ";", ",", "{", "}", "(", ")", "[", "]", '"1"', "1.0"]
NOISY = [
    "\n",
    "/*",
    "*/",
    "//",
    "#",
    '"',
    "\\",
    "hardware-compatibility",
    'ref="#./a"',
    "\x00",
    "é",
]


@given(st.lists(st.sampled_from(WORDS + NOISY), max_size=40).map(" ".join))
def test_any_description_is_read_or_refused(description):
    try:
        facts = read(swu(description))
    except Damaged as refusal:
        assert refusal.detail
    else:
        assert facts.format == "swupdate"


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)


@given(st.dictionaries(NAMES, st.lists(TEXTS, max_size=3) | TEXTS, max_size=5))
def test_what_was_written_down_is_read_back(settings):
    def quoted(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def written(value):
        return quoted(value) if isinstance(value, str) else f"[{', '.join(map(quoted, value))}]"

    lines = "".join(f"{name} = {written(value)};\n" for name, value in settings.items())

    assert read_settings(f"top: {{ {lines} }}") == Group({"top": Group(settings)})
