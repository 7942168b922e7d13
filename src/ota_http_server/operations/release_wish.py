"""What a publisher asks for, right by construction: a release, and an image on its way into it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import get_args

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.identity import FILE_PATTERN, project_name
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.release import (
    DEFAULT_CHANNEL,
    NOTES_CHARACTERS_MAX,
    Release,
    channel_name,
    release_version,
)
from ota_http_server.domain.sighting import TEXT_CHARACTERS_MAX, chip_name
from ota_http_server.storage.folder import counts

PARTS: tuple[Kind, ...] = get_args(Kind)
REASON_CHARACTERS_MAX = 256  # as long as a fact of the audit may be
BOARDS_MAX = 64
SHA256_PATTERN = re.compile(r"[0-9a-f]{64}")
TAKEN_NAMES = frozenset({"latest.bin", "manifest.json", "micropython.json"}) | frozenset(
    {"esp32fota.json", "otapull.json"}
)
"""What the dialects answer under a project, so no image can be had under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseWish:
    """A release as it should be. None leaves what it is, or takes the default."""

    project: str
    version: str
    channel: str | None = None
    notes: str | None = None
    min_from: str | None = None
    security: bool | None = None
    floor: bool | None = None

    @classmethod
    def of(
        cls,
        project: object,
        version: object,
        channel: object = None,
        notes: object = None,
        min_from: object = None,
        security: object = None,
        floor: object = None,
    ) -> "ReleaseWish":
        """The wish that these words from outside express, or `Invalid`."""
        if not isinstance(project, str):
            raise Invalid("project must be text")
        return cls(
            project=project_name(project),
            version=release_version(version),
            channel=None if channel is None else channel_name(channel),
            notes=_notes(notes),
            min_from=None if min_from is None else release_version(min_from),
            security=_flag("security", security),
            floor=_flag("floor", floor),
        )

    @property
    def first_channel(self) -> str:
        return self.channel or DEFAULT_CHANNEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An image on its way in, and what its publisher declares of it."""

    name: str
    blocks: Iterable[bytes] = field(repr=False)
    length: int | None = None
    """Bytes that were announced; fewer or more are refused."""
    chip: str | None = None
    hardware: tuple[str, ...] = ()
    part: Kind | None = None
    """What it is for, where its bytes do not say."""
    sha256: str | None = None
    """Compared with what arrives."""

    @classmethod
    def of(
        cls,
        name: object,
        blocks: Iterable[bytes],
        length: int | None = None,
        chip: object = None,
        hardware: object = (),
        part: object = None,
        sha256: object = None,
    ) -> "Upload":
        """The upload that these words from outside describe, or `Invalid`."""
        return cls(
            name=file_name(name),
            blocks=blocks,
            length=length,
            chip=chip_name(chip),
            hardware=_boards(hardware),
            part=_part(part),
            sha256=_sha256(sha256),
        )


def as_wished(release: Release, wish: ReleaseWish) -> Release:
    """The release with what is wished in place of what it had."""
    return replace(
        release,
        channel=wish.channel or release.channel,
        notes=release.notes if wish.notes is None else wish.notes,
        min_from=release.min_from if wish.min_from is None else wish.min_from,
        security=release.security if wish.security is None else wish.security,
        floor=release.floor if wish.floor is None else wish.floor,
    )


def file_name(name: object) -> str:
    """The name that an image has in URLs, or `Invalid`."""
    if not isinstance(name, str) or not FILE_PATTERN.match(name):
        raise Invalid(
            "a file's name has 1 to 128 of A-Z a-z 0-9 . _ - and begins with a letter or digit"
        )
    if not counts(name) or name in TAKEN_NAMES:
        raise Invalid(f"{name} is a name that the server keeps for itself: give the file another")
    return name


def reason(text: object) -> str:
    """Why somebody does what needs a reason, or `Invalid`."""
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= REASON_CHARACTERS_MAX:
        raise Invalid(f"a reason is needed, of 1 to {REASON_CHARACTERS_MAX} characters")
    return text.strip()


def _flag(name: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise Invalid(f"{name} must be true or false")


def _notes(notes: object) -> str | None:
    if notes is None:
        return None
    if not isinstance(notes, str) or len(notes) > NOTES_CHARACTERS_MAX or "\0" in notes:
        raise Invalid(f"notes must be text of at most {NOTES_CHARACTERS_MAX} characters")
    return notes.encode("utf-8", "replace").decode()


def _boards(hardware: object) -> tuple[str, ...]:
    if not isinstance(hardware, list | tuple) or len(hardware) > BOARDS_MAX:
        raise Invalid(f"hardware must be a list of at most {BOARDS_MAX} boards")
    for board in hardware:
        if (
            not isinstance(board, str)
            or not 1 <= len(board) <= TEXT_CHARACTERS_MAX
            or not board.isprintable()
        ):
            raise Invalid(f"a board's name has 1 to {TEXT_CHARACTERS_MAX} printable characters")
    return tuple(dict.fromkeys(hardware))


def _part(part: object) -> Kind | None:
    if part is None or part == "":
        return None
    for known in PARTS:
        if part == known:
            return known
    raise Invalid(f"part must be one of {', '.join(PARTS)}")


def _sha256(digest: object) -> str | None:
    if digest is None or digest == "":
        return None
    if not isinstance(digest, str) or not SHA256_PATTERN.fullmatch(digest.lower()):
        raise Invalid("sha256 must have 64 hexadecimal digits")
    return digest.lower()
