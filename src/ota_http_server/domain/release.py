"""A release: one version of a project's firmware, the images it has, and where each fits."""

import re
from dataclasses import dataclass
from enum import StrEnum

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.version import (
    VERSION_CHARACTERS_MAX,
    VersionKey,
    identity,
    normalised,
    version_key,
)

DEFAULT_CHANNEL = "stable"
CHANNEL_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
VERSION_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_~()-]*")
NOTES_CHARACTERS_MAX = 4_000
IMAGES_MAX = 64  # of one release: a dozen boards with application and file system each
FLASHED_WHOLE: tuple[Kind, ...] = ("application", "bundle", "opaque")
"""What takes the place of the running program; only these are offered by themselves. A patch is
not: who was not made for it would flash its bytes, and it goes with one running image alone."""

_FILESYSTEM_IN_NAME = re.compile(r"(?i)(?:^|[._-])(spiffs|littlefs|fatfs|filesystem|fs)(?:[._-]|$)")
_FACTORY_IN_NAME = re.compile(r"(?i)(?:^|[._-])(factory|merged)(?:[._-]|$)")


class State(StrEnum):
    """A release's life."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.PUBLISHED}),
    State.PUBLISHED: frozenset({State.WITHDRAWN}),
    State.WITHDRAWN: frozenset({State.PUBLISHED}),  # withdrawn by mistake: the same bytes again
}


class Origin(StrEnum):
    """Which door it came through."""

    FOLDER = "folder"
    API = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseImage:
    """An image of a release, and which hardware it is for."""

    name: str
    """The file's name in URLs."""
    sha256: str
    size: int
    part: Kind = "application"
    format: str = "opaque"
    md5: str = ""
    sha1: str = ""
    chip: str | None = None
    min_chip_revision: int | None = None
    max_chip_revision: int | None = None
    hardware: tuple[str, ...] = ()
    """Boards that it is for; empty: the chip alone decides."""
    secure_version: int | None = None
    header_version: str | None = None
    """The version that a device running it may tell, where it is not the release's."""
    appended_sha256: str | None = None
    elf_sha256: str | None = None
    modified_at: int = 0
    """Unix seconds, for Last-Modified."""

    @property
    def digests(self) -> frozenset[str]:
        """Each of them names this image when a device tells what it runs."""
        all_of_them = (self.sha256, self.md5, self.appended_sha256, self.elf_sha256)
        return frozenset(digest for digest in all_of_them if digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`number` counts up: of two versions that do not order, the larger came later."""

    number: int
    project: str
    version: str
    state: State = State.PUBLISHED
    origin: Origin = Origin.API
    channel: str = DEFAULT_CHANNEL
    images: tuple[ReleaseImage, ...] = ()
    notes: str = ""
    min_from: str | None = None
    """The lowest version that may go to this one at once."""
    floor: bool = False
    """No device goes past it: from an older version it goes to this one first."""
    security: bool = False
    forced: str | None = None
    """Why a check was overruled when it was published."""
    created_at: int = 0
    published_at: int | None = None
    withdrawn_at: int | None = None
    withdrawn_by: str | None = None
    """What the folder withdrew it may publish again."""
    edition: int = 1

    @property
    def order(self) -> tuple[VersionKey, int]:
        """The newest release is the largest."""
        key = version_key(self.version)
        return key, 0 if key.orders else self.number

    def is_version(self, version: str) -> bool:
        return identity(self.version) == identity(version)


def channel_name(value: object) -> str:
    """A channel's name in lower case, or `Invalid`."""
    if not isinstance(value, str) or not CHANNEL_PATTERN.fullmatch(value.lower()):
        raise Invalid("channel must be 1 to 32 of a-z 0-9 . _ - and begin with a letter or digit")
    return value.lower()


def release_version(value: object) -> str:
    """A version as releases are listed by, normalised, or `Invalid`."""
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= VERSION_CHARACTERS_MAX
        or not VERSION_PATTERN.fullmatch(value)
    ):
        raise Invalid(
            f"a version has 1 to {VERSION_CHARACTERS_MAX} of A-Z a-z 0-9 . + _ ~ ( ) - and begins"
            " with a letter or digit"
        )
    return normalised(value)


def identity_text(version: str) -> str:
    """One text for each version, however it is spelt: what must be unique in a project."""
    key, word = identity(version)
    if not key.orders:
        return f"={word}"
    before = ".".join(text if is_word else str(number) for is_word, number, text in key.before)
    fields = ".".join(map(str, key.fields))
    return f"{fields}-{before}+{key.commits}{'' if key.clean else '-dirty'}"


def part_of(kind: Kind, name: str) -> Kind:
    """What an image is for; where its bytes do not say, its name may."""
    if kind != "opaque":
        return kind
    if _FILESYSTEM_IN_NAME.search(name):
        return "filesystem"
    return "factory" if _FACTORY_IN_NAME.search(name) else "opaque"
