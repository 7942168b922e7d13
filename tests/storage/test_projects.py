"""Rows about projects, on both databases."""

from dataclasses import replace

import pytest

from ota_http_server.domain.project import FolderMode, Project, Registering, UnknownVersion
from ota_http_server.storage.counters import CATALOG
from tests.storage.released import a_device, released

WHOLE = Project(
    name="lamp",
    folder=FolderMode.DRAFT,
    chip="esp32",
    revision=300,
    unknown_version=UnknownVersion.OFFER,
    registering=Registering.INVITED,
    accepts_keys=True,
    tag_channels={"hall": "beta", "floor=2": "night"},
    notes="über allem",
    created_at=5,
    edition=2,
)


def stored(database, name="lamp"):
    with database.reading() as rows:
        return rows.projects.get(name)


@pytest.mark.parametrize("project", [WHOLE, Project(name="lamp")], ids=["whole", "bare"])
def test_settings_are_read_as_they_were_written(database, project):
    database.change(lambda tx: tx.projects.put(project))

    assert stored(database) == project


def test_settings_that_were_written_again_replace_the_old_ones(database):
    database.change(lambda tx: tx.projects.put(WHOLE))
    database.change(lambda tx: tx.projects.put(Project(name="lamp", edition=3)))

    assert stored(database) == Project(name="lamp", edition=3)


def test_a_project_that_nobody_settled_has_the_defaults(database):
    assert stored(database) == Project(name="lamp")
    assert stored(database).edition == 0


def test_projects_differ_by_case(database):
    database.change(lambda tx: tx.projects.put(WHOLE))
    database.change(lambda tx: tx.projects.put(replace(WHOLE, name="Lamp", chip="esp8266")))

    assert (stored(database).chip, stored(database, "Lamp").chip) == ("esp32", "esp8266")


def test_forgotten_settings_are_the_defaults_again(database):
    database.change(lambda tx: tx.projects.put(WHOLE))
    database.change(lambda tx: tx.projects.remove("lamp"))
    database.change(lambda tx: tx.projects.remove("ghost"))

    assert stored(database) == Project(name="lamp")


def test_a_project_is_known_by_whatever_speaks_of_it(database):
    database.change(lambda tx: tx.projects.put(replace(WHOLE, name="settled")))
    database.change(lambda tx: tx.projects.put(WHOLE))
    database.change(lambda tx: released(tx, "1.0.0", project="released"))
    database.change(lambda tx: tx.devices.add(a_device(project="of-a-device")))

    with database.reading() as rows:
        assert rows.projects.known() == {"settled", "lamp", "released", "of-a-device"}
        assert [project.name for project in rows.projects.all()] == ["lamp", "settled"]


def test_a_change_of_settings_is_news(database):
    counts = []
    for work in (lambda tx: tx.projects.put(WHOLE), lambda tx: tx.projects.remove("lamp")):
        database.change(work)
        with database.reading() as rows:
            counts.append(rows.counters.get(CATALOG))

    assert counts == [1, 2]
