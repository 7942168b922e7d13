"""Fetching an image takes up the offer of it, and nothing stands in the way of the fetching."""

import pytest

from ota_http_server.domain.errors import DiskFull, Unavailable
from ota_http_server.operations.take_up import TakeUp
from ota_http_server.operations.visit import Visit
from tests.operations.fleets import BOARD, Fleet, lamp


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.0.bin", lamp("1.0.0", seed=1))
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    return fleet


@pytest.fixture(name="take_up")
def a_take_up(fleet):
    return TakeUp(fleet.registry, fleet.check_in)


def sha256_of(fleet, version):
    (release,) = (r for r in fleet.catalog.of("lamp").releases if r.version == version)
    return release.images[0].sha256


def looks(fleet, visit=BOARD):
    return fleet.check_in(visit, opens=False, compares=True)


def test_what_is_offered_is_begun_by_fetching_it(fleet, take_up):
    looks(fleet)

    take_up(BOARD, sha256_of(fleet, "1.1.0"))
    take_up(BOARD, sha256_of(fleet, "1.1.0"))

    (attempt,) = fleet.attempts()
    assert (attempt.version, str(attempt.state)) == ("1.1.0", "offered")


def test_another_image_begins_nothing(fleet, take_up):
    looks(fleet)

    take_up(BOARD, sha256_of(fleet, "1.0.0"))

    assert fleet.attempts() == []


def test_who_never_looked_is_not_registered_by_a_download(fleet, take_up):
    take_up(BOARD, sha256_of(fleet, "1.1.0"))

    assert fleet.device() is None


def test_an_attempt_that_is_open_goes_on_though_something_newer_came(fleet, take_up):
    looks(fleet)
    digest = sha256_of(fleet, "1.1.0")
    take_up(BOARD, digest)
    fleet.drop("lamp-1.2.0.bin", lamp("1.2.0", seed=2))

    take_up(BOARD, digest)

    assert [attempt.version for attempt in fleet.attempts()] == ["1.1.0"]


def test_fetching_the_newer_one_supersedes_what_was_not_begun(fleet, take_up):
    looks(fleet)
    take_up(BOARD, sha256_of(fleet, "1.1.0"))
    fleet.drop("lamp-1.2.0.bin", lamp("1.2.0", seed=2))

    take_up(BOARD, sha256_of(fleet, "1.2.0"))

    states = [(attempt.version, str(attempt.state)) for attempt in fleet.attempts()]
    assert states == [("1.2.0", "offered"), ("1.1.0", "superseded")]


def test_a_device_of_another_project_begins_nothing_here(fleet, take_up):
    fleet.drop("fan-1.0.0.bin", lamp("1.0.0", seed=3), project="fan")
    looks(fleet, Visit("board", "fan", "192.0.2.7"))

    take_up(BOARD, sha256_of(fleet, "1.1.0"))

    assert fleet.attempts() == []


@pytest.mark.parametrize("refusal", [Unavailable("away"), DiskFull("full")])
def test_a_database_that_takes_nothing_stops_no_download(fleet, refusal):
    looks(fleet)

    def check_in(*_, **__):
        raise refusal

    TakeUp(fleet.registry, check_in)(BOARD, sha256_of(fleet, "1.1.0"))

    assert fleet.attempts() == []
