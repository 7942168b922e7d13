"""What a device says of itself in words of its own, as hawkBit's clients do: keys and values.

The limits are hawkBit's own, so that no client meets others here.
"""

from collections.abc import Mapping
from enum import StrEnum

from ota_http_server.domain.device import ATTRIBUTE_CHARACTERS_MAX, ATTRIBUTES_MAX
from ota_http_server.domain.errors import Invalid, TooMany

LATER_SECONDS = 3_600  # only other words help, and those come with an update

Said = Mapping[str, str | None]
"""By key; None takes the key away."""


class Mode(StrEnum):
    """What becomes of the attributes that are there already."""

    MERGE = "merge"
    REPLACE = "replace"
    REMOVE = "remove"
    """The keys that are said go; their values do not matter."""


def mode_of(value: object) -> Mode:
    """The mode in words from outside, merge where nothing is said, or `Invalid`."""
    if value is None:
        return Mode.MERGE
    try:
        return Mode(str(value).lower())
    except ValueError:
        raise Invalid(f"mode must be one of {', '.join(Mode)}") from None


def said_of(value: object) -> dict[str, str | None]:
    """Keys and values in words from outside, or `Invalid`. Numbers and truths become text."""
    if not isinstance(value, dict):
        raise Invalid("data must be an object of texts")
    return {_key(key): _value(key, one) for key, one in value.items()}


def changed(before: Mapping[str, str], mode: Mode, said: Said) -> dict[str, str]:
    """The attributes afterwards; `TooMany` if a device may not have so many."""
    if mode is Mode.REMOVE:
        return {key: value for key, value in before.items() if key not in said}
    kept: dict[str, str | None] = {} if mode is Mode.REPLACE else dict(before)
    after = {key: value for key, value in (kept | dict(said)).items() if value is not None}
    if len(after) > ATTRIBUTES_MAX:
        raise TooMany(f"a device may have {ATTRIBUTES_MAX} attributes, not more", LATER_SECONDS)
    return after


def _key(key: object) -> str:
    if not isinstance(key, str) or not 1 <= len(key) <= ATTRIBUTE_CHARACTERS_MAX:
        raise Invalid(f"a key of an attribute has 1 to {ATTRIBUTE_CHARACTERS_MAX} characters")
    return key


def _value(key: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str) or len(value) > ATTRIBUTE_CHARACTERS_MAX:
        most = ATTRIBUTE_CHARACTERS_MAX
        raise Invalid(f"{key[:40]!r} must be text of at most {most} characters")
    return value
