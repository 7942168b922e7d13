"""Stop files: `STOP` in the data folder stops everything, `STOP.lamp` the project lamp.

They work while the database is away and need nothing but a hand. Where a name or a content can be
read in two ways, the one counts that stops more: editors append `.txt`, so `STOP.txt` is `STOP`.
"""

import codecs
import os
import re
from collections.abc import Mapping
from pathlib import Path

from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.reach import Stop
from ota_http_server.storage.stops import EVERYTHING

FILE_NAME = "STOP"
FILE_CHARACTERS_MAX = 1_000
DOWNLOADS_WORD = "downloads"
"""A line of a stop file with this word alone: nor is anything sent."""
_MEANS_NOTHING = re.compile(r"(\.(txt)?)+\Z", re.IGNORECASE)

Stops = Mapping[str, Stop]
"""By project; `EVERYTHING` for all."""


def stop_file(folder: Path, project: str) -> Path:
    """The stop file of a project, or of everything."""
    if project == EVERYTHING:
        return folder / FILE_NAME
    place = place_of(f"{FILE_NAME}.{project_name(project)}")
    return folder / (f"{FILE_NAME}.{place}" if place != EVERYTHING else FILE_NAME)


def is_stop_file(name: str) -> bool:
    return name.partition(".")[0] == FILE_NAME


def place_of(name: str) -> str:
    """The project that a stop file of this name stops, or `EVERYTHING`.

    One that is really named `txt` or `lamp.txt` has no file of its own: what stops it stops
    everything, or the project `lamp`, too.
    """
    return _MEANS_NOTHING.sub("", name).partition(".")[2]


def stops_by_file(folder: Path) -> Stops:
    """What the stop files in a data folder say; `OSError` where it cannot be looked at."""
    found: dict[str, Stop] = {}
    for path in sorted(_stop_files(folder)):
        place, said = place_of(path.name), _said(path)
        before = found.get(place, said)
        found[place] = Stop(before.reason, before.downloads or said.downloads)
    return found


def write_stop_file(folder: Path, project: str, stop: Stop) -> Stop:
    """Whole or not at all: a torn file would stop, too, but say nothing. What stands then.

    Downloads that a file stopped before stay stopped.
    """
    path = stop_file(folder, project)
    place = place_of(path.name)
    reason = " ".join(stop.reason.split())
    if reason.lower() == DOWNLOADS_WORD:
        reason = f"({reason})"  # alone in its line it would stop them, too
    try:
        before = stops_by_file(folder).get(place)
        downloads = stop.downloads or (before is not None and before.downloads)
        words = f"{reason}\n" + (f"{DOWNLOADS_WORD}\n" if downloads else "")
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_text(words, encoding="utf-8")
        unfinished.replace(path)
        return Stop(stop.reason, downloads)
    except OSError:
        try:  # an empty file stops as well, and needs no room
            path.touch()
        except OSError as error:
            raise Unavailable(
                f"neither the database nor {path} can be written: {error.strerror}"
            ) from error
    return Stop(stop.reason, _said(path).downloads)


def remove_stop_files(folder: Path, project: str) -> None:
    """All that stop this project alone, or everything, however an editor named them."""
    path = folder
    try:
        for path in _stop_files(folder):
            if place_of(path.name) == project:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{path} still stops: it cannot be removed: {error.strerror}") from error


def _stop_files(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [folder / entry.name for entry in entries if is_stop_file(entry.name)]


def _said(path: Path) -> Stop:
    """An empty file stops; so does one that cannot be read."""
    try:
        with path.open("rb") as file:
            lines = _text(file.read(4 * FILE_CHARACTERS_MAX)).splitlines()
    except OSError:
        lines = []
    words = [line.strip() for line in lines if line.strip()]
    reasons = [word for word in words if word.lower() != DOWNLOADS_WORD]
    reason = reasons[0] if reasons else f"there is a file {path.name} in the data folder"
    return Stop(reason, len(reasons) < len(words))


def _text(content: bytes) -> str:
    """Windows' shell writes UTF-16, its editors a mark before UTF-8."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = content.decode("utf-16" if wide else "utf-8-sig", "replace")[:FILE_CHARACTERS_MAX]
    return text.replace("\0", "")
