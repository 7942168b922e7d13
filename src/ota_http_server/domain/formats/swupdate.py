"""The reader of SWUpdate's bundles (.swu): a cpio archive that begins with `sw-description`.

What SWUpdate itself checks without a key is checked: every member's checksum, and its SHA-256 where
the description has one.
"""

from collections.abc import Iterator

from ota_http_server.domain.formats.cpio import MAGICS, TRAILER, Member, members, verified
from ota_http_server.domain.formats.libconfig import Group, Value, read_settings
from ota_http_server.domain.formats.reading import exactly, printable, whole
from ota_http_server.domain.image_facts import Damaged, Fact, ImageFacts, ImageSource

FORMAT = "swupdate"
DESCRIPTION = "sw-description"
SIGNATURE = "sw-description.sig"
DESCRIPTION_BYTES_MAX = 2**18  # one with a hundred images has 40 KB
NAME_AT = 110
NAMES_LISTED_MAX = 20
HARDWARE_MAX = 64
HARDWARE_CHARACTERS_MAX = 128
LINK_START = "#./"


def recognises(head: bytes) -> bool:
    return head.startswith(MAGICS) and head[NAME_AT:].startswith(DESCRIPTION.encode() + b"\0")


def read(source: ImageSource) -> ImageFacts:
    """Version and compatible hardware are the description's, if it can be read."""
    found = list(members(source))
    digests = {member.name: verified(source, member) for member in found[:-1]}
    software = _software(_description(source, found[0]))
    for name, digest in _named_digests(software):
        if digests.get(name, digest) != digest:
            raise Damaged(f"wrong SHA-256: the bytes of {name} are not those of the description")
    version = _version(software)
    return ImageFacts(
        format=FORMAT,
        length=whole(source, found[-1].end),
        version=version,
        header=_facts(found, software, version),
        kind="bundle",
        hardware=_bounded(_hardware(software)),
    )


def _description(source: ImageSource, member: Member) -> str | None:
    """Its text; None if it is encrypted or of a parser of somebody's own."""
    if member.size > DESCRIPTION_BYTES_MAX:
        raise Damaged(f"a description of {member.size} bytes is too long")
    try:
        words = exactly(source, member.start, member.size).decode()
    except UnicodeDecodeError:
        return None
    return None if words.lstrip().startswith("<") else words


def _software(description: str | None) -> Group | None:
    if description is None:
        return None
    software = read_settings(description)["software"]
    if not isinstance(software, Group):
        raise Damaged("the description has no group `software`")
    return software


def _facts(found: list[Member], software: Group | None, version: str | None) -> dict[str, Fact]:
    names = [member.name for member in found if member.name != TRAILER]
    facts: dict[str, Fact] = {
        "members": len(names),
        "files": ", ".join(names[1 : NAMES_LISTED_MAX + 1]),
        "signed": SIGNATURE in names,
        "description_readable": software is not None,
    }
    if version:
        facts["version"] = version
    description = software["description"] if software else None
    if isinstance(description, str):
        facts["description"] = printable(description)[:200]
    return facts


def _version(software: Group | None) -> str | None:
    """A setting may be a link: `{ ref = "#./commonversion"; }`."""
    version = software["version"] if software else None
    if software and isinstance(version, Group):
        link = version["ref"]
        if isinstance(link, str) and link.startswith(LINK_START):
            version = software[link.removeprefix(LINK_START)]
    return (printable(version)[:128] or None) if isinstance(version, str) else None


def _hardware(group: Group | None, board: str | None = None) -> Iterator[str]:
    """`1.0` for a revision, `board 1.0` (as in /etc/hwrevision) inside a board's group."""
    for name, value in group.settings.items() if group else ():
        if name == "hardware-compatibility" and isinstance(value, list):
            for revision in value:
                if isinstance(revision, str):
                    yield f"{board} {revision}" if board else revision
        elif isinstance(value, Group):
            yield from _hardware(value, board or name)


def _bounded(hardware: Iterator[str]) -> tuple[str, ...]:
    distinct = dict.fromkeys(printable(one)[:HARDWARE_CHARACTERS_MAX] for one in hardware)
    if len(distinct) > HARDWARE_MAX:
        raise Damaged(f"more than {HARDWARE_MAX} kinds of compatible hardware")
    return tuple(distinct)


def _named_digests(value: Value | None) -> Iterator[tuple[str, str]]:
    """Every file of the description that has a digest there."""
    if isinstance(value, list):
        for one in value:
            yield from _named_digests(one)
    elif isinstance(value, Group):
        name, digest = value["filename"], value["sha256"]
        if isinstance(name, str) and isinstance(digest, str) and len(digest) == 64:
            yield name, digest.lower()
        for one in value.settings.values():
            yield from _named_digests(one)
