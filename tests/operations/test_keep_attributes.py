"""What a device says of itself in its own words is kept, and asked for no more."""

import pytest

from ota_http_server.domain.attributes import Mode
from ota_http_server.domain.errors import NotFound, TooMany
from ota_http_server.operations.guess_project import GuessProject
from ota_http_server.operations.keep_attributes import KeepAttributes
from ota_http_server.operations.report import Told
from ota_http_server.operations.visit import Visit
from tests.operations.fleets import BOARD, Fleet, lamp


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.0.bin", lamp("1.0.0"))
    fleet.comes(version="1.0.0", chip="esp32")
    return fleet


@pytest.fixture(name="keep")
def the_operation(fleet, database):
    return KeepAttributes(database, fleet.registry)


def test_attributes_are_kept_and_asked_for_no_more(fleet, keep):
    assert fleet.device().attributes_wanted

    keep(BOARD, Mode.MERGE, {"serial": "7"})

    assert dict(fleet.device().attributes) == {"serial": "7"}
    assert not fleet.device().attributes_wanted


def test_nothing_said_is_an_answer_too(fleet, keep):
    edition = fleet.device().edition

    keep(BOARD, Mode.MERGE, {})

    assert not fleet.device().attributes_wanted
    assert fleet.device().edition == edition


def test_said_again_nothing_is_written(fleet, keep, database):
    keep(BOARD, Mode.REPLACE, {"serial": "7"})
    with database.reading() as rows:
        counters = rows.counters.all()

    keep(BOARD, Mode.REPLACE, {"serial": "7"})

    with database.reading() as rows:
        assert rows.counters.all() == counters


def test_a_device_that_waits_for_its_proof_is_alive(fleet, keep):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.tells(Told.INSTALLED)
    fleet.clock.pass_seconds(90)

    keep(BOARD, Mode.MERGE, {})

    (attempt,) = fleet.attempts()
    assert attempt.changed_at == fleet.clock.second
    assert attempt.installed_at == fleet.clock.second - 90


@pytest.mark.parametrize(
    "visit", [Visit("nobody", "lamp", "192.0.2.8"), Visit("board", "plug", "192.0.2.8")]
)
def test_nobody_speaks_for_a_device_of_another_project(fleet, keep, visit):
    with pytest.raises(NotFound):
        keep(visit, Mode.MERGE, {"serial": "8"})
    assert dict(fleet.device().attributes) == {}


def test_too_many_are_refused_and_none_is_kept(fleet, keep):
    with pytest.raises(TooMany):
        keep(BOARD, Mode.MERGE, {f"key-{n}": "x" for n in range(101)})
    assert dict(fleet.device().attributes) == {}


def test_a_check_in_for_another_project_tells_nothing_of_the_device(fleet):
    before = fleet.device()

    fleet.comes(Visit("board", "plug", "192.0.2.8"), version="9.9.9", chip="esp32s3")

    assert fleet.device() == before


def test_the_project_of_a_stranger_is_the_only_one_there_is(fleet, database):
    guess = GuessProject(database, fleet.registry, lambda: ["lamp"])
    several = GuessProject(database, fleet.registry, lambda: ["lamp", "plug"])

    assert guess("stranger") == "lamp"
    assert several("board") == "lamp"
    with pytest.raises(NotFound, match="of 2 projects nobody knows"):
        several("stranger")
