"""Projects as rows: defaults where nobody changed anything, and every name that rows speak of."""

import pytest

from ota_http_server.domain.device import Device
from ota_http_server.domain.project import FolderMode, Project, Registering, UnknownVersion
from ota_http_server.domain.release import Release
from ota_http_server.storage.counters import CATALOG

LAMP = Project(
    name="lamp",
    folder=FolderMode.DRAFT,
    chip="esp32",
    revision=300,
    unknown_version=UnknownVersion.OFFER,
    registering=Registering.INVITED,
    accepts_keys=True,
    tag_channels={"b": "beta", "a": "alpha"},
    notes="ä",
    created_at=5,
    edition=3,
)


def put(database, *projects):
    for project in projects:
        database.change(lambda tx, project=project: tx.projects.put(project))


def get(database, name):
    with database.reading() as rows:
        return rows.projects.get(name)


def test_a_project_that_nobody_changed_has_the_defaults(database):
    assert get(database, "lamp") == Project(name="lamp")


def test_settings_are_read_back_as_they_were_written(database):
    put(database, LAMP)

    assert get(database, "lamp") == LAMP
    assert get(database, "Lamp") == Project(name="Lamp")


def test_settings_are_written_over(database):
    after = Project(name="lamp", edition=4)
    put(database, LAMP, after)

    assert get(database, "lamp") == after


def test_projects_with_settings_are_listed_by_name(database):
    put(database, LAMP, Project(name="fan"))
    database.change(lambda tx: tx.devices.add(Device(id="board", project="pump")))

    with database.reading() as rows:
        assert [project.name for project in rows.projects.all()] == ["fan", "lamp"]


def test_a_project_is_known_by_settings_a_release_or_a_device(database):
    put(database, LAMP)
    for version in ("1.0.0", "1.1.0"):
        release = Release(number=0, project="fan", version=version)
        database.change(lambda tx, release=release: tx.releases.add(release))
    database.change(lambda tx: tx.devices.add(Device(id="board", project="pump")))

    with database.reading() as rows:
        assert rows.projects.known() == {"lamp", "fan", "pump"}


def test_without_its_settings_a_project_goes_on_with_the_defaults(database):
    put(database, LAMP)

    database.change(lambda tx: tx.projects.remove("lamp"))

    assert get(database, "lamp") == Project(name="lamp")


@pytest.mark.parametrize("change", ["put", "remove"])
def test_every_change_is_news_for_the_other_processes(database, change):
    put(database, LAMP)
    changes = {
        "put": lambda tx: tx.projects.put(LAMP),
        "remove": lambda tx: tx.projects.remove("lamp"),
    }
    with database.reading() as rows:
        before = rows.counters.get(CATALOG)

    database.change(changes[change])

    with database.reading() as rows:
        assert rows.counters.get(CATALOG) == before + 1
