"""What people settle about a device, in words from outside: what is said is checked, the rest
stays. What the device itself tells counts for more than what somebody wrote down before.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ota_http_server.domain.device import NOTES_CHARACTERS_MAX, Device, VersionFrom, tags_of
from ota_http_server.domain.errors import Conflict, Invalid
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.release import channel_name, release_version
from ota_http_server.domain.sighting import Sighting


def changed(device: Device, wish: Mapping[str, object], at: int) -> Device:
    """The device as it is wanted, or `Invalid`. The edition is the caller's to count.

    Raises `Conflict` for the version of a device that tells its version.
    """
    strange = [name for name in wish if name not in DEVICE_SETTINGS]
    if strange:
        raise Invalid(f"a device has no setting {strange[0][:64]}")
    said = {name: parsed(wish[name]) for name, parsed in _SETTINGS.items() if name in wish}
    # mypy cannot know that each function gives its own field's type.
    after = replace(device, **said)  # type: ignore[arg-type]
    return _running(after, wish["version"], at) if "version" in wish else after


def _running(device: Device, value: object, at: int) -> Device:
    version = Sighting.of(version=value).version
    if version == device.version:
        return device
    if device.version_from not in (None, VersionFrom.OPERATOR):
        raise Conflict("the device itself tells what it runs")
    return replace(
        device,
        version=version,
        version_from=VersionFrom.OPERATOR if version else None,
        running_since=at if version else None,
    )


def _project(value: object) -> str:
    return project_name(value if isinstance(value, str) else "")


def _chip(value: object) -> str | None:
    return Sighting.of(chip=value).chip


def _revision(value: object) -> int | None:
    return Sighting.of(revision=value).revision


def _board(value: object) -> str | None:
    return Sighting.of(board=value).board


def _channel(value: object) -> str | None:
    return None if value in (None, "") else channel_name(value)


def _pinned(value: object) -> str | None:
    return None if value in (None, "") else release_version(value)


def _blocked(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid("blocked must be true or false")
    return value


def _notes(value: object) -> str:
    if not isinstance(value, str) or len(value) > NOTES_CHARACTERS_MAX:
        raise Invalid(f"notes must be text of at most {NOTES_CHARACTERS_MAX:,} characters")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Invalid("notes must not hold U+0000 or half a surrogate pair")
    return value


_SETTINGS: dict[str, Callable[[object], object]] = {
    "project": _project,
    "chip": _chip,
    "revision": _revision,
    "board": _board,
    "tags": tags_of,
    "channel": _channel,
    "notes": _notes,
    "blocked": _blocked,
    "pinned": _pinned,
}
DEVICE_SETTINGS = (*_SETTINGS, "version")
