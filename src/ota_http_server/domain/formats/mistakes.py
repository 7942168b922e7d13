"""What is dropped by mistake: files that lie beside the right one and no device can use.

Each is named, with what to do instead; else a device would download it whole before it refuses.
"""

import re

from ota_http_server.domain.image_facts import ImageFacts, ImageSource, Mistaken

_MARKS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        re.compile(rb"\x7fELF"),
        "this is an ELF file, for debuggers: publish the .bin that was made from it",
    ),
    (
        re.compile(rb":[0-9A-Fa-f]{10,}\s*$", re.MULTILINE),
        "this is an Intel HEX file, for programmers: publish the .bin"
        " (objcopy -I ihex -O binary makes one)",
    ),
    (
        re.compile(rb"S0[0-9A-Fa-f]{6,}\s*$", re.MULTILINE),
        "this is an S-record file, for programmers: publish the .bin"
        " (objcopy -I srec -O binary makes one)",
    ),
    (
        re.compile(rb"(?:\xef\xbb\xbf)?\s{0,64}<(?:!doctype\s|html|head|body)", re.IGNORECASE),
        "this is a web page: the download of the image ended at a login or an error",
    ),
    (
        re.compile(rb"version https://git-lfs\.github\.com/spec/"),
        "this is a pointer of git-lfs, not the file itself: run `git lfs pull` before publishing",
    ),
)
_ZIP = re.compile(rb"PK(?:\x03\x04|\x05\x06)")
_ZIP_END_BYTES = 2**16 + 22  # the directory's end with the longest comment


def recognises(head: bytes) -> bool:
    return _named(head) is not None or _ZIP.match(head) is not None


def read(source: ImageSource) -> ImageFacts:
    """Always `Mistaken`."""
    head = source.read_at(0, 1024)
    raise Mistaken(_named(head) or _zip(head, source))


def _named(head: bytes) -> str | None:
    return next((words for mark, words in _MARKS if mark.match(head)), None)


def _zip(head: bytes, source: ImageSource) -> str:
    """Nordic's packages list what is in them in a manifest.json (nrfutil, nRF Connect SDK)."""
    directory = source.read_at(max(0, source.size - _ZIP_END_BYTES), _ZIP_END_BYTES)
    if b"manifest.json" in head or b"manifest.json" in directory:
        return (
            "this is a Nordic DFU package (ZIP), for Bluetooth and serial tools:"
            " publish the .bin that is in it"
        )
    return "this is a ZIP archive: publish the image that is in it"
