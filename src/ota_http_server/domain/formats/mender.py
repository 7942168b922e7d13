"""The reader of Mender's artifacts (mender-artifact, Documentation/artifact-format-v3.md).

A tar: `version`, `manifest` (SHA-256 of the other files), signatures, `header.tar.gz` whose
`header-info` names the artifact and its device types, then the payloads.
"""

import json
import lzma
import zlib
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from ota_http_server.domain.formats import tar
from ota_http_server.domain.formats.reading import exactly, printable
from ota_http_server.domain.image_facts import (
    BytesSource,
    Damaged,
    Fact,
    ImageFacts,
    ImageSource,
)

FORMAT = "mender"
FIRST = b"version\0"
MARK = b'"mender"'
SMALL_BYTES_MAX = 2**16  # version and manifest have a few lines
HEADER_BYTES_MAX = 2**20  # header and state scripts, packed
UNPACKED_BYTES_MAX = 2**22
DEVICE_TYPES_MAX = 64


def recognises(head: bytes) -> bool:
    return head.startswith(FIRST) and head[tar.MAGIC] == tar.USTAR and MARK in head[512:1024]


def read(source: ImageSource) -> ImageFacts:
    """Name and device types of the artifact; the manifest must fit the header beside it."""
    members = list(tar.members(source))
    found = {member.name: member for member in members}
    header = next((m for name, m in found.items() if name.startswith("header.tar")), None)
    if header is None:
        raise Damaged("the artifact has no header")
    packed = _content(source, header, HEADER_BYTES_MAX)
    for name, digest in _manifest(source, found.get("manifest")):
        if name == header.name and digest != sha256(packed).hexdigest():
            raise Damaged("wrong SHA-256: the artifact's header was changed")
    info = _info(packed)
    artifact_name = _name(info)
    facts: dict[str, Fact] = {"members": len(found), "signed": "manifest.sig" in found}
    return ImageFacts(
        format=FORMAT,
        length=members[-1].next_at + tar.END_BYTES,
        version=artifact_name,
        header=facts | ({"artifact_name": artifact_name} if artifact_name else {}),
        kind="bundle",
        hardware=_device_types(info),
    )


def _content(source: ImageSource, member: tar.Member, bytes_max: int) -> bytes:
    if member.size > bytes_max:
        raise Damaged(f"{printable(member.name)} has {member.size} bytes, more than {bytes_max}")
    return exactly(source, member.start, member.size)


def _manifest(source: ImageSource, member: tar.Member | None) -> Iterator[tuple[str, str]]:
    """Like sha256sum's output: digest, two blanks, name."""
    if member is None:
        return
    for line in _content(source, member, SMALL_BYTES_MAX).decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition(" ")
        yield name.strip(), digest


def _info(packed: bytes) -> dict[str, Any]:
    """`header-info`, from the header that lies packed in the artifact."""
    unpacked = BytesSource(_unpacked(packed))
    for member in tar.members(unpacked):
        if member.name == "header-info":
            try:
                info = json.loads(_content(unpacked, member, SMALL_BYTES_MAX))
            except (ValueError, RecursionError) as error:
                raise Damaged("the artifact's header-info is no JSON") from error
            return info if isinstance(info, dict) else {}
    raise Damaged("the artifact's header has no header-info")


def _unpacked(packed: bytes) -> bytes:
    try:
        if packed.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(packed, UNPACKED_BYTES_MAX)
        if packed.startswith(b"\xfd7zXZ"):
            return lzma.LZMADecompressor(memlimit=2**27).decompress(packed, UNPACKED_BYTES_MAX)
    except (zlib.error, lzma.LZMAError) as error:
        raise Damaged("the artifact's header cannot be unpacked") from error
    return packed


def _name(info: dict[str, Any]) -> str | None:
    provides = info.get("artifact_provides")
    name = provides.get("artifact_name") if isinstance(provides, dict) else None
    name = name or info.get("artifact_name")
    return (printable(name)[:128] or None) if isinstance(name, str) else None


def _device_types(info: dict[str, Any]) -> tuple[str, ...]:
    depends = info.get("artifact_depends")
    types = depends.get("device_type") if isinstance(depends, dict) else None
    types = types or info.get("device_types_compatible")
    if not isinstance(types, list):
        return ()
    return tuple(printable(t)[:128] for t in types[:DEVICE_TYPES_MAX] if isinstance(t, str))
