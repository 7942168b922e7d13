"""A database of 1.0.0 becomes one of this version: what it knew stays, and is read once more."""

import hashlib

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from ota_http_server.storage.database import Database
from ota_http_server.storage.engines import engine_for
from ota_http_server.storage.migrations.migrate import STEPS, migrate
from tests.operations.fleets import Fleet, lamp

NAMES = {"lamp-1.4.0.bin": lamp("1.4.0"), "lamp-1.5.0.bin": lamp("1.5.0", secure_version=2)}
COLLECTED_AT = 1_750_000_000
IMAGE = (
    "INSERT INTO images (sha256, size, md5, format, version, project, header, collected_at)"
    " VALUES (:sha256, :size, :md5, 'esp-idf-app', :version, 'lamp', '{}', :at)"
)
FILE = (
    "INSERT INTO files (project, name, sha256, inode, size, mtime_ns, ctime_ns, collected_at)"
    " VALUES ('lamp', :name, :sha256, :inode, :size, :mtime, :ctime, :at)"
)


@pytest.fixture(name="url")
def a_database_of_before(empty_url, tmp_path):
    """Files that 1.0.0 has read; they lie in the folder as they did then."""
    folder = tmp_path / "firmware" / "lamp"
    folder.mkdir(parents=True)
    engine = engine_for(empty_url, begin="BEGIN IMMEDIATE")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(STEPS))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for name, content in NAMES.items():
            (folder / name).write_bytes(content)
            look = (folder / name).stat()
            row = {
                "name": name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "md5": hashlib.md5(content).hexdigest(),
                "version": name[5:-4],
                "inode": str(look.st_ino),
                "size": look.st_size,
                "mtime": look.st_mtime_ns,
                "ctime": look.st_ctime_ns,
                "at": COLLECTED_AT,
            }
            connection.execute(text(IMAGE), row)
            connection.execute(text(FILE), row)
        connection.execute(text("INSERT INTO revoked_devices VALUES ('AA-BB-CC-DD-EE-FF', 9)"))
        connection.execute(text("INSERT INTO counters VALUES ('revocations', 1)"))
    engine.dispose()
    migrate(empty_url)
    return empty_url


@pytest.fixture(name="fleet")
def a_fleet(url, clock, tmp_path):
    database = Database(url, clock=clock)
    yield Fleet(database, clock, tmp_path)
    database.close()


def test_what_was_read_before_is_read_for_what_was_not_asked_then(fleet):
    releases = fleet.catalog.of("lamp").releases

    assert [release.version for release in releases] == ["1.5.0", "1.4.0"]
    (image,) = releases[0].images
    assert (image.chip, image.secure_version) == ("esp32", 2)
    assert len(image.appended_sha256) == 64


def test_names_keep_their_numbers_and_times(fleet):
    with fleet.database.reading() as rows:
        before = [(file.id, file.name) for file in rows.files.all()]

    found = fleet.collection.all_of("lamp")

    assert sorted((one.seen, one.name) for one in found) == before
    assert {one.collected_at for one in found} == {COLLECTED_AT}


def test_what_was_revoked_stays_so(fleet):
    with fleet.database.reading() as rows:
        revoked = rows.revocations.snapshot()

    assert (revoked.counter, revoked.devices) == (1, {"aa:bb:cc:dd:ee:ff": 9})


def test_devices_are_served_from_the_first_request(fleet):
    answer = fleet.comes(version="1.4.0", chip="esp32")

    assert answer.decision.release.version == "1.5.0"
