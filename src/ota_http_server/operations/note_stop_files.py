"""Stop files in the audit: that one came, what it says now, and that it went; each told once.

A row says what the audit was last told of the files in a data folder. Every process looks; who
gets the turn compares the files with the rows and writes both, so the others, and the same one
after a restart, find nothing left to tell.
"""

import hashlib
import socket
from dataclasses import replace
from pathlib import Path

from ota_http_server.domain.errors import Invalid, Unavailable
from ota_http_server.domain.identity import project_name
from ota_http_server.domain.reach import Stop
from ota_http_server.logs import logger
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.stop_files import Stops, stops_by_file
from ota_http_server.storage.database import Database
from ota_http_server.storage.stops import EVERYTHING
from ota_http_server.storage.transaction import Writing

EVERY_SECONDS = 1.0
ACTOR = "file"
LOG = logger("stop")


class NoteStopFiles:
    """The chore; one for each process. Called while nothing changed, it asks no database."""

    def __init__(self, database: Database, brake: Brake) -> None:
        self._database = database
        self._brake = brake
        self._seen: Stops = {}
        self._told: Stops | None = None

    def __call__(self) -> None:
        files = self._brake.by_files
        self._log(files)
        if files == self._told:
            return
        with self._database.reading() as rows:
            noted = rows.stops.noted(folder_id(self._brake.folder))
        if noted == _of_projects(files):
            self._told = files
            return
        self._told = self._database.change(self._noted)

    def _log(self, files: Stops) -> None:
        """At once, and by every process: the audit may have to wait for the database."""
        for place in sorted(files.keys() | self._seen.keys()):
            before, now = self._seen.get(place), files.get(place)
            if now is None:
                LOG.warning("no file stops %s any more", place or "everything")
            elif now != before:
                LOG.warning("a file stops %s: %s", place or "everything", now.reason)
        self._seen = files

    def _noted(self, tx: Writing) -> Stops:
        return note_stop_files(tx, self._brake.folder)


def note_stop_files(tx: Writing, folder: Path) -> Stops:
    """Tells the audit what it does not know yet. Until the transaction ends nobody else does."""
    tx.stops.take_turn()
    try:
        files = stops_by_file(folder)
    except OSError as error:
        raise Unavailable(f"{folder} cannot be looked at: {error.strerror}") from error
    host = folder_id(folder)
    noted, found = tx.stops.noted(host), _of_projects(files)
    for place, stop in found.items():
        if noted.get(place) != stop:
            tx.stops.note(host, place, stop)
            _note(tx, "stop_offers", place, stop)
    for place in noted.keys() - found.keys():
        tx.stops.forget(host, place)
        _note(tx, "lift_stop", place, replace(noted[place], downloads=False))
    return files


def folder_id(folder: Path) -> str:
    """Hosts that share a database have data folders, and stop files, of their own."""
    place = f"{socket.gethostname()}\0{folder.resolve()}"
    return hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()


def _of_projects(files: Stops) -> Stops:
    """Those that can concern anything; `STOP.(copy)` stops no project that there can be."""
    return {place: stop for place, stop in files.items() if _is_place(place)}


def _is_place(name: str) -> bool:
    try:
        return name == EVERYTHING or bool(project_name(name))
    except Invalid:
        return False


def _note(tx: Writing, action: str, place: str, stop: Stop) -> None:
    tx.events.add(
        action,
        project=place or None,
        downloads="yes" if stop.downloads else None,
        reason=stop.reason,
        actor=ACTOR,
    )
