"""What each process remembers of projects and their releases."""

from dataclasses import replace

import pytest

from ota_http_server.domain.errors import Unavailable
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import State
from tests.operations.fleets import Fleet, lamp


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.0.bin", lamp("1.0.0"))
    return fleet


def versions(shelf):
    return [release.version for release in shelf.releases]


def withdraw(database, version):
    def withdrawn(tx):
        release = tx.releases.get("lamp", version)
        tx.releases.change(replace(release, state=State.WITHDRAWN))

    database.change(withdrawn)


def test_the_newest_release_stands_first(fleet):
    fleet.drop("lamp-1.10.0.bin", lamp("1.10.0"))
    fleet.drop("lamp-1.9.0.bin", lamp("1.9.0"))

    assert versions(fleet.catalog.of("lamp")) == ["1.10.0", "1.9.0", "1.0.0"]


def test_a_shelf_is_the_same_object_until_something_changes(fleet):
    first = fleet.catalog.of("lamp")
    again = fleet.catalog.of("lamp")
    fleet.database.change(lambda tx: tx.projects.put(Project(name="lamp", notes="x", edition=1)))
    fleet.news.refresh()

    assert again is first
    assert fleet.catalog.of("lamp").project.notes == "x"


def test_of_a_name_in_several_releases_the_newest_counts(fleet):
    fleet.drop("nightly-1.0.0.bin", lamp("1.0.0", seed=2))
    shelf = fleet.catalog.of("lamp")

    release, image = shelf.by_name["nightly-1.0.0.bin"]

    assert (release.version, image.name) == ("1.0.0", "nightly-1.0.0.bin")
    assert shelf.by_digest[image.sha256[:16], image.name] == image


def test_an_immutable_url_holds_though_the_release_was_withdrawn(fleet):
    image = fleet.catalog.of("lamp").releases[0].images[0]
    withdraw(fleet.database, "1.0.0")
    fleet.news.refresh()

    assert versions(fleet.catalog.of("lamp")) == []
    assert fleet.catalog.image("lamp", image.sha256[:16], image.name) == image
    assert fleet.catalog.image("lamp", "0" * 16, image.name) is None


def test_what_was_known_counts_while_the_news_cannot_be_read(fleet, database, monkeypatch):
    fleet.catalog.of("lamp")
    withdraw(database, "1.0.0")
    fleet.news.refresh()

    def away():
        raise Unavailable("away")

    monkeypatch.setattr(fleet.database, "reading", away)

    assert versions(fleet.catalog.of("lamp")) == ["1.0.0"]
    with pytest.raises(Unavailable):
        fleet.catalog.of("never-asked-for")


def test_a_project_of_which_nothing_is_known_has_an_empty_shelf(fleet):
    assert fleet.catalog.of("ghost").is_empty
