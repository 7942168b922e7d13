"""What a device runs and is, from the attributes that it sends: every image names them its own way,
so the usual names are known. What cannot be understood says nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

from ota_http_server.domain.attributes import Said
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.sighting import NOTHING_SAID, Sighting

# In the order in which they count. Case, `-`, `_`, `.` and blanks do not.
VERSION = ("swversion", "softwareversion", "fwversion", "firmwareversion", "appversion", "version")
DIGESTS = ("imagesha256", "firmwaresha256", "sha256")
BOARD_NAME, BOARD_REVISION = "hwboardname", "hwrevision"
"""SWUpdate's own: together they make `gateway 1.0`, as bundles name what they fit."""
BOARD = (BOARD_NAME, "boardname", "board", "devicetype", "compatible", BOARD_REVISION, "hardware")
CHIP = ("chip", "soc")

RAUC = "rauc-hawkbit"
RAUC_RESTART_SECONDS = 3_600
"""rauc-hawkbit-updater reports success, and sends attributes, before the reboot. Who does not let
it reboot by itself does so within an hour."""

_DRESS = str.maketrans("", "", "-_. ")


def sighting_of(said: Said, user_agent: str | None) -> Sighting:
    """The facts in these attributes."""
    words = {key.lower().translate(_DRESS): value for key, value in said.items() if value}
    digests = (_understood(digests=(words.get(name),)).digests for name in DIGESTS)
    is_rauc = user_agent is not None and user_agent.startswith(RAUC)
    return Sighting(
        version=_understood(version=_first(words, VERSION)).version,
        digests=frozenset().union(*digests),
        chip=_understood(chip=_first(words, CHIP)).chip,
        board=_understood(board=_board(words)).board,
        restart_seconds=RAUC_RESTART_SECONDS if is_rauc else 0,
    )


def _understood(**facts: Any) -> Sighting:
    try:
        return Sighting.of(**facts)
    except Invalid:
        return NOTHING_SAID


def _board(words: Mapping[str, str]) -> str | None:
    if BOARD_NAME in words and BOARD_REVISION in words:
        return f"{words[BOARD_NAME]} {words[BOARD_REVISION]}"
    return _first(words, BOARD)


def _first(words: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((words[name] for name in names if name in words), None)
