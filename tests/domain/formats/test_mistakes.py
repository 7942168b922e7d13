import io
import zipfile

import pytest

from ota_http_server.domain.image import HEAD_BYTES, Mistaken, recognised
from tests.domain.formats.reading import read
from tests.domain.formats.samples import NOISE


def archive(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as writer:
        for name in names:
            writer.writestr(name, NOISE)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x7fELF\x01\x01\x01" + bytes(300), "ELF"),
        (b":020000040800F2\r\n:10000000000004200D010008\r\n", "Intel HEX"),
        (b":00000001FF", "Intel HEX"),
        (b"S00600004844521B\nS1137AF00A0A\n", "S-record"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\xef\xbb\xbf \n<HTML>", "web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "git lfs pull",
        ),
        (archive("manifest.json", "app.bin"), "Nordic"),
        (archive("app.bin", "manifest.json"), "Nordic"),
        (archive("app.bin"), "ZIP archive"),
        (archive(), "ZIP archive"),
    ],
)
def test_a_file_that_no_device_can_use_is_named_with_what_to_do(content, words):
    assert recognised(content[:HEAD_BYTES])
    with pytest.raises(Mistaken, match=words):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b": not hexadecimal",
        b":0102",
        b"S0 is a name",
        b"<xml>",
        b"<",
        b"version 1.0",
        b"PK",
        b"\x7fELD",
        b'{"version": "1.0"}',
        bytes(1000),
        b"\xff" * 1000,
        NOISE,
    ],
)
def test_what_is_no_known_mistake_is_opaque(content):
    assert read(content).format == "opaque"
