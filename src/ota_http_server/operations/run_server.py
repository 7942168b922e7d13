"""The server's own start and stop, in the audit like every other event."""

import socket

from ota_http_server import __version__
from ota_http_server.storage.database import Database
from ota_http_server.storage.journal import FileJournal
from ota_http_server.storage.transaction import Writing

EARLY_EVENTS = 100  # tokens may have been minted before the first start


def note_start(database: Database, journal: FileJournal, port: int) -> None:
    """Writes what a crash kept from the log, then the start."""
    journal.repair(database)
    _note(database, "server_start", port)


def note_stop(database: Database, journal: FileJournal, port: int) -> None:
    _note(database, "server_stop", port)
    journal.repair(database)


def was_started(database: Database) -> bool:
    """Whether a server ran on this database before: the start is among the first events then."""
    with database.reading() as rows:
        return any(event.action == "server_start" for event in rows.events.page(0, EARLY_EVENTS))


def _note(database: Database, action: str, port: int) -> None:
    def noted(tx: Writing) -> None:
        tx.events.add(action, host=socket.gethostname(), port=port, version=__version__)

    database.change(noted)
