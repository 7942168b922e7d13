"""The same bytes may be released in two projects, under a version of each one's own."""

import pytest

from ota_http_server.domain.attempt import State
from ota_http_server.domain.offer import Hold, Reason
from ota_http_server.operations.report import Told
from tests.operations.fleets import Fleet, lamp

BYTES = b"no format that anybody knows" * 100


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.1.0.bin", BYTES)
    fleet.drop("fan-7.0.0.bin", BYTES, project="fan")
    for project in ("lamp", "fan") * 2:  # what has no format must stand still for a moment
        fleet.catalog.of(project)
        fleet.clock.pass_seconds(2)
    return fleet


def test_the_digest_names_the_release_of_the_devices_own_project(fleet):
    with fleet.database.reading() as rows:
        sha256 = rows.releases.get("lamp", "1.1.0").images[0].sha256

    answer = fleet.comes(digests=(sha256,))

    assert isinstance(answer.decision, Hold)
    assert answer.decision.reason is Reason.UP_TO_DATE
    assert fleet.device().version == "1.1.0"


def test_the_version_of_the_devices_own_project_proves_an_installation(fleet):
    fleet.comes(version="1.0.0")
    fleet.tells(Told.INSTALLED)
    fleet.clock.pass_seconds(10)

    fleet.comes(version="1.1.0")

    assert fleet.attempts()[0].state is State.VERIFIED


def test_a_release_of_no_project_here_is_named_by_its_header(fleet):
    fleet.drop("fan-8.0.0.bin", lamp("8.0.0"), project="fan2")
    fleet.catalog.of("fan2")
    with fleet.database.reading() as rows:
        sha256 = rows.releases.get("fan2", "8.0.0").images[0].sha256

    fleet.comes(digests=(sha256,))

    assert fleet.device().version == "8.0.0"
