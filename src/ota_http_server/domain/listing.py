"""Which versions a project's files are, and which file is the latest."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ota_http_server.domain.version import (
    VersionKey,
    identity,
    normalised,
    orders,
    version_in_name,
)

VersionFrom = Literal["header", "name", "release"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A file of a project and what is known of it."""

    name: str
    sha256: str
    first_seen_index: int
    """Rises with every file that comes: a larger one was seen later."""
    header_version: str | None
    """The image's own version (`ImageFacts.version`)."""
    release_version: str | None = None
    """The one that it was published under, which counts before both."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file with its version, normalised, and where that was found; both None if nowhere."""

    name: str
    sha256: str
    first_seen_index: int
    version: str | None
    version_from: VersionFrom | None


def listed(files: Iterable[Seen]) -> list[Listed]:
    """Give each file its version, in the order they came.

    The header's counts if it orders, else the one in the file's name, else the header's word.
    """
    seen = list(files)
    forgotten = _headers_that_stood_still(seen)
    return [_listed(file, file.header_version in forgotten) for file in seen]


def versions(files: Iterable[Seen]) -> list[str]:
    """The distinct versions, ascending. Of several spellings the one of the newest file stands."""
    return list({identity(v): v for file in _ascending(files) if (v := file.version)}.values())


def latest(files: Iterable[Seen]) -> Listed | None:
    """The file of the newest version.

    If several files have it, the one seen last: who adds a file of the same version wants it.
    """
    ascending = _ascending(files)
    return ascending[-1] if ascending else None


def _listed(file: Seen, prefers_name: bool) -> Listed:
    if file.release_version is not None:
        where: VersionFrom = "release"
        return Listed(file.name, file.sha256, file.first_seen_index, file.release_version, where)
    header, in_name = file.header_version, version_in_name(file.name)
    found: tuple[str, VersionFrom] | tuple[None, None] = (None, None)
    if in_name and (prefers_name or not (header and orders(header))):
        found = (in_name, "name")
    elif header and normalised(header):
        found = (normalised(header), "header")
    return Listed(file.name, file.sha256, file.first_seen_index, *found)


def _headers_that_stood_still(files: Sequence[Seen]) -> set[str | None]:
    """Header versions that different images claim while their names tell them apart.

    Somebody raises the number in the file's name and forgets the one in the program.
    """
    claims: dict[tuple[VersionKey, str], list[Seen]] = defaultdict(list)
    for file in files:
        if file.header_version and orders(file.header_version):
            claims[identity(file.header_version)].append(file)
    return {
        file.header_version
        for claimants in claims.values()
        if _names_tell_apart(claimants)
        for file in claimants
    }


def _names_tell_apart(files: Sequence[Seen]) -> bool:
    named = [(file.sha256, version) for file in files if (version := version_in_name(file.name))]
    images = {sha256 for sha256, _ in named}
    return len(images) > 1 and len({identity(version) for _, version in named}) > 1


def _ascending(files: Iterable[Seen]) -> list[Listed]:
    """The files that have a version; the newest version, and of it the file seen last, at the end.

    Versions that do not order follow each other as they were first seen, in whichever file.
    """
    versioned = [(identity(file.version), file) for file in listed(files) if file.version]
    first_seen: dict[tuple[VersionKey, str], int] = {}
    for version, file in versioned:
        index = file.first_seen_index
        first_seen[version] = min(index, first_seen.get(version, index))
    versioned.sort(
        key=lambda entry: (
            entry[0][0],
            first_seen[entry[0]],
            entry[0][1],
            entry[1].first_seen_index,
            entry[1].name,
        )
    )
    return [file for _, file in versioned]
