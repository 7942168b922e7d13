"""The certificate of a serving process: never another authority behind the operator's back."""

import logging
import shutil

import pytest
from filelock import FileLock

from ota_http_server.cli.certificate import ShownCertificate
from ota_http_server.operations.prepare import LOCK_FILE
from ota_http_server.operations.run_server import note_start
from ota_http_server.ota import open_stores
from ota_http_server.settings import Settings


class Place:
    """A data folder that servers start on."""

    def __init__(self, folder):
        self.tls = folder / "data" / "tls"
        self.data = folder / "data"
        self._settings = Settings(data_dir=self.data, ota_audit_log=folder / "ota_audit.log")

    def start(self):
        stores = open_stores(self._settings)
        shown = ShownCertificate(self._settings)
        shown.prepare(stores.database)
        note_start(stores.database, stores.journal, 8071)
        stores.database.close()
        return shown


@pytest.fixture
def place(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ota_http_server"), "propagate", True)
    caplog.set_level(logging.INFO, "ota_http_server")
    return Place(tmp_path)


def loud(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


def test_the_first_start_and_the_second_warn_of_nothing(place, caplog):
    place.start()
    place.start()

    assert loud(caplog) == []
    assert caplog.text.count("a new authority (CA) was founded") == 1
    assert caplog.text.count("a new certificate was made") == 1


def test_an_authority_that_is_away_is_asked_for_and_not_replaced(place, caplog):
    shown = place.start()
    place.tls.rename(place.data / "away")

    shown.renew()

    assert not place.tls.exists()
    assert loud(caplog) == [
        f"the certificate was not renewed: {place.tls}/ca_cert.pem is gone: restore it"
    ]


def test_a_data_folder_that_is_away_is_not_made_anew(place, caplog):
    shown = place.start()
    place.data.rename(place.data.with_name("away"))

    shown.renew()

    assert not place.data.exists()
    assert f"{place.data} is gone: restore it" in caplog.text


def test_a_start_on_a_used_data_folder_tells_loudly_of_what_it_makes_anew(place, caplog):
    place.start()
    shutil.rmtree(place.tls)
    shutil.rmtree(place.data / "secrets")

    place.start()

    secrets, authority, _seal_of_the_audit_head = loud(caplog)
    assert secrets.startswith("made anew, although this database was served from before: ")
    assert {f"{place.data}/secrets/{name}" in secrets for name in ("jwt", "admin")} == {True}
    assert authority.startswith(f"{place.tls}/ca_cert.pem is a new authority (CA), although")


def test_renewing_waits_for_no_other_process_that_starts(place, caplog):
    shown = place.start()

    with FileLock(place.data / LOCK_FILE):
        shown.renew()

    assert "could not be had for 0.5 seconds" in caplog.text
