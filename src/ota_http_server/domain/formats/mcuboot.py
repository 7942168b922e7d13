"""The reader of images for MCUboot (Zephyr, nRF Connect SDK, Mynewt, ESP32 with Zephyr).

A device reports what it runs by the digest among the entries, which covers header, body and
protected entries. Encrypted images have the digest of their plain bytes: theirs is not compared.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from ota_http_server.domain.formats.mcuboot_layout import (
    COMPRESSED,
    ENCRYPTED,
    ENTRIES,
    ENTRIES_MAGIC,
    ENTRY,
    HEADER,
    MAGIC,
    PROTECTED_MAGIC,
    SECURITY_COUNTER,
    SHA256,
    SHA384,
    SHA512,
    SIGNATURES,
)
from ota_http_server.domain.formats.reading import blocks, exactly
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource

FORMAT = "mcuboot"
DIGESTS = {SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}


@dataclass(frozen=True, slots=True)
class _Header:
    header_bytes: int
    protected_bytes: int
    body_bytes: int
    flags: int
    version: str

    @property
    def body_end(self) -> int:
        return self.header_bytes + self.body_bytes

    @property
    def covered(self) -> int:
        """What the digest covers."""
        return self.body_end + self.protected_bytes


def recognises(head: bytes) -> bool:
    return head[:4] == MAGIC.to_bytes(4, "little")


def read(source: ImageSource) -> ImageFacts:
    """Compare the digest as MCUboot does; the keys of the signatures are the device's."""
    header = _header(source)
    entries = dict(_protected(source, header))
    unprotected, end = _entries(source, header.covered, ENTRIES_MAGIC)
    entries |= dict(unprotected)
    digest = _digest(source, header, entries)
    counter = _counter(entries)
    return ImageFacts(
        format=FORMAT,
        length=end,
        version=header.version,
        header=_facts(header, entries)
        | ({"image_digest": digest} if digest else {})
        | ({"digest_valid": True} if digest and not header.flags & ENCRYPTED else {})
        | ({"security_counter": counter} if counter is not None else {}),
        kind="application",
        # To a boot loader that looks for a counter, an image without one is below all others.
        secure_version=counter or 0,
        appended_sha256=digest if SHA256 in entries else None,
    )


def _header(source: ImageSource) -> _Header:
    fields = HEADER.unpack(exactly(source, 0, HEADER.size))
    header_bytes, protected_bytes, body_bytes, flags = fields[2:6]
    major, minor, revision, build = fields[6:]
    if header_bytes < HEADER.size:
        raise Damaged(f"a header of {header_bytes} bytes is too short")
    version = f"{major}.{minor}.{revision}" + (f"+{build}" if build else "")
    return _Header(header_bytes, protected_bytes, body_bytes, flags, version)


def _protected(source: ImageSource, header: _Header) -> Iterator[tuple[int, bytes]]:
    if not header.protected_bytes:
        return
    entries, end = _entries(source, header.body_end, PROTECTED_MAGIC)
    if end != header.covered:
        raise Damaged("header and protected entries disagree about their length")
    yield from entries


def _entries(source: ImageSource, at: int, magic: int) -> tuple[list[tuple[int, bytes]], int]:
    """The entries that begin there, and where they end."""
    found, length = ENTRIES.unpack(exactly(source, at, ENTRIES.size))
    if found != magic or length < ENTRIES.size:
        raise Damaged(f"there are no entries (0x{magic:04x}) at {at}, where the image ends")
    area = exactly(source, at, length)
    entries = []
    position = ENTRIES.size
    while position < length:
        if position + ENTRY.size > length:
            raise Damaged("the last entry is cut")
        kind, value_bytes = ENTRY.unpack_from(area, position)
        position += ENTRY.size + value_bytes
        if position > length:
            raise Damaged("an entry is longer than all entries")
        entries.append((kind, area[position - value_bytes : position]))
    return entries, at + length


def _digest(source: ImageSource, header: _Header, entries: dict[int, bytes]) -> str | None:
    """The digest among the entries, compared with the bytes unless they are encrypted."""
    for kind, name in DIGESTS.items():
        if kind not in entries:
            continue
        if not header.flags & ENCRYPTED:
            digest = hashlib.new(name)
            for block in blocks(source, 0, header.covered):
                digest.update(block)
            if digest.digest() != entries[kind]:
                raise Damaged("wrong digest: the bytes of the image were changed")
        return entries[kind].hex()
    return None


def _counter(entries: dict[int, bytes]) -> int | None:
    value = entries.get(SECURITY_COUNTER)
    if value is None:
        return None
    if len(value) != 4:
        raise Damaged(f"a security counter has 4 bytes, not {len(value)}")
    return int.from_bytes(value, "little")


def _facts(header: _Header, entries: dict[int, bytes]) -> dict[str, Fact]:
    signatures = [name for kind, name in SIGNATURES.items() if kind in entries]
    facts: dict[str, Fact] = {
        "version": header.version,
        "encrypted": bool(header.flags & ENCRYPTED),
        "compressed": bool(header.flags & COMPRESSED),
    }
    return facts | ({"signature": ", ".join(signatures)} if signatures else {})
