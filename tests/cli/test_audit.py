"""`ota_http_server audit verify` tells whether the chain holds: in words, JSON and exit status."""

import json
import sqlite3

import pytest
from click.testing import CliRunner, Result

from ota_http_server.cli.audit import audit
from ota_http_server.operations.prepare import Places, prepare
from ota_http_server.storage.audit_head import AuditHead
from ota_http_server.storage.database import Database
from ota_http_server.storage.engines import sqlite_url
from ota_http_server.storage.journal import FileJournal


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with three events."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    url = sqlite_url(folder / "ota.sqlite")
    places = Places(folder)
    secrets = prepare(places, url, jwt_secret=None, admin_secret=None)
    journal = FileJournal(tmp_path / "ota_audit.log", AuditHead(places.audit_head, secrets.audit))
    database = Database(url, journal=journal)
    for _ in range(3):
        database.change(lambda tx: tx.events.add("generate_token"))
    database.close()
    return folder


def verify(data, *options: str) -> Result:
    return CliRunner().invoke(audit, ["verify", "--data-dir", str(data), *options])


def tamper(data, statement: str) -> None:
    connection = sqlite3.connect(data / "ota.sqlite")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_chain_that_holds_is_exit_status_0(data):
    result = verify(data)

    assert (result.exit_code, result.output) == (0, "the audit chain holds: 3 events\n")


def test_a_chain_that_does_not_hold_is_exit_status_1_and_says_why(data):
    tamper(data, "UPDATE events SET action = 'server_start' WHERE id = 2")

    result = verify(data)

    assert result.exit_code == 1
    assert "found: event 2 was changed" in result.output


def test_a_copy_of_the_head_shows_a_cut_tail(data, tmp_path):
    copy = tmp_path / "copy"
    (data / "audit.head").rename(copy)
    tamper(data, "DELETE FROM events")

    alone, compared = verify(data), verify(data, "--against", str(copy))

    assert (alone.exit_code, compared.exit_code) == (0, 1)
    assert "events 1 to 3 are missing" in compared.output


def test_programs_get_json(data):
    result = verify(data, "--json")

    assert json.loads(result.output) == {"ok": True, "count": 3, "findings": [], "notes": []}
