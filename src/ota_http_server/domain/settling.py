"""A project's settings in words from outside: what is said is checked, the rest stays."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from ota_http_server.domain.device import TAGS_MAX, tags_of
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.project import (
    FolderMode,
    Project,
    Registering,
    Spread,
    UnknownVersion,
)
from ota_http_server.domain.release import channel_name
from ota_http_server.domain.sighting import REVISION_MAX, chip_name

NOTES_CHARACTERS_MAX = 2_000
DOWNLOADS_MAX = 1_000_000
BYTES_PER_SECOND_MIN = 1_024  # slower than this a connection counts as stalled
BYTES_PER_SECOND_MAX = 10**12

Word = TypeVar("Word", bound=StrEnum)


def settled(project: Project, wish: Mapping[str, object]) -> Project:
    """The project as it is wanted, or `Invalid`. The edition is the caller's to count."""
    strange = [name for name in wish if name not in _SETTINGS]
    if strange:
        raise Invalid(f"a project has no setting {strange[0]}")
    # mypy cannot know that each function gives its own field's type.
    said = {name: _SETTINGS[name](name, value) for name, value in wish.items()}
    return replace(project, **said)  # type: ignore[arg-type]


def _word_of(kind: type[Word]) -> Callable[[str, object], Word]:
    def word(name: str, value: object) -> Word:
        for one in kind:
            if value == one.value:
                return one
        raise Invalid(f"{name} must be one of {', '.join(kind)}")

    return word


def _chip(_name: str, value: object) -> str | None:
    return chip_name(value)


def _revision(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= REVISION_MAX:
        raise Invalid(f"{name} must be a whole number of hundredths from 0 to {REVISION_MAX}")
    return value


def _yes_or_no(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{name} must be true or false")
    return value


def _tag_channels(name: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or len(value) > TAGS_MAX:
        raise Invalid(f"{name} must name a channel for each of at most {TAGS_MAX} tags")
    tags_of(list(value))
    return {tag: channel_name(channel) for tag, channel in sorted(value.items())}


def _notes(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > NOTES_CHARACTERS_MAX:
        raise Invalid(f"{name} must be text of at most {NOTES_CHARACTERS_MAX:,} characters")
    return value


def _count(least: int, most: int) -> Callable[[str, object], int | None]:
    def count(name: str, value: object) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise Invalid(f"{name} must be a whole number from {least:,} to {most:,}, or nothing")
        return value

    return count


_SETTINGS: dict[str, Callable[[str, object], object]] = {
    "folder": _word_of(FolderMode),
    "chip": _chip,
    "revision": _revision,
    "unknown_version": _word_of(UnknownVersion),
    "registering": _word_of(Registering),
    "accepts_keys": _yes_or_no,
    "tag_channels": _tag_channels,
    "spread": _word_of(Spread),
    "downloads_max": _count(1, DOWNLOADS_MAX),
    "download_bytes_per_second": _count(BYTES_PER_SECOND_MIN, BYTES_PER_SECOND_MAX),
    "notes": _notes,
}
SETTINGS = tuple(_SETTINGS)
