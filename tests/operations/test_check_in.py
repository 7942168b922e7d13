"""Devices come, are offered releases or told why not, and prove what they run."""

import threading
from dataclasses import replace

import pytest

from ota_http_server.domain.attempt import FIRST_ID, State
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.errors import Invalid, NotFound, Unavailable
from ota_http_server.domain.identity import ANYONE, Identity
from ota_http_server.domain.offer import Hold, Offer, Reason
from ota_http_server.domain.project import Project, Registering
from ota_http_server.domain.release import State as ReleaseState
from ota_http_server.operations.report import Told
from ota_http_server.operations.visit import Visit, poll_seconds_of, visit_of
from ota_http_server.storage.releases import Releases
from tests.operations.fleets import BOARD, Fleet, lamp


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.0.0.bin", lamp("1.0.0"))
    return fleet


def reason(answer) -> Reason:
    assert isinstance(answer.decision, Hold), answer
    return answer.decision.reason


def offered(answer) -> str:
    assert isinstance(answer.decision, Offer), answer
    return answer.decision.release.version


def test_a_device_that_comes_for_the_first_time_is_registered(fleet):
    answer = fleet.comes(version="1.0.0", chip="ESP32")

    device = fleet.device()
    assert reason(answer) is Reason.UP_TO_DATE
    assert (device.project, device.chip, device.version) == ("lamp", "esp32", "1.0.0")
    assert (device.version_from, device.created_by) == (VersionFrom.DEVICE, "check-in")


def test_a_newer_file_is_offered_and_the_attempt_is_written_down(fleet):
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))

    answer = fleet.comes(version="1.0.0", chip="esp32")

    (attempt,) = fleet.attempts()
    assert offered(answer) == "1.1.0"
    assert answer.attempt == attempt
    assert (attempt.id, attempt.state, attempt.from_version) == (FIRST_ID, State.OFFERED, "1.0.0")


def test_asking_again_is_the_same_attempt(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))

    first, again = (fleet.comes(version="1.0.0", chip="esp32") for _ in range(2))

    assert first.attempt == again.attempt
    assert len(fleet.attempts()) == 1


def test_a_poll_that_changes_nothing_writes_nothing(fleet):
    fleet.comes(version="1.0.0", chip="esp32")
    before = fleet.device()
    fleet.clock.pass_seconds(30)
    with fleet.database.reading() as rows:
        counters = rows.counters.all()

    fleet.comes(version="1.0.0", chip="esp32")

    with fleet.database.reading() as rows:
        assert rows.counters.all() == counters
    assert fleet.device() == before
    fleet.registry.write()
    assert fleet.device() == replace(before, last_seen=fleet.clock.second)


def test_a_project_may_take_in_only_who_was_invited(fleet):
    project = Project(name="lamp", registering=Registering.INVITED, edition=1)
    fleet.database.change(lambda tx: tx.projects.put(project))

    assert reason(fleet.comes(version="1.0.0", chip="esp32")) is Reason.NOT_REGISTERED
    assert fleet.device() is None


def test_the_registry_has_an_end(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path, devices_max=1)
    fleet.comes()

    with pytest.raises(Unavailable):
        fleet.comes(Visit("another", "lamp", "192.0.2.8"))


def test_facts_that_are_not_known_hold_the_offer(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))

    assert reason(fleet.comes()) is Reason.UNKNOWN_VERSION
    assert reason(fleet.comes(version="1.0.0")) is Reason.UNKNOWN_CHIP
    assert offered(fleet.comes(version="1.0.0", chip="esp32")) == "1.1.0"


def test_a_device_that_names_its_digest_need_say_nothing_else(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.catalog.of("lamp")
    with fleet.database.reading() as rows:
        release = rows.releases.get("lamp", "1.0.0")

    answer = fleet.comes(digests=(release.images[0].appended_sha256.upper(),))

    assert offered(answer) == "1.1.0"
    assert (fleet.device().version, fleet.device().chip) == ("1.0.0", "esp32")


def test_seen_running_the_new_image_the_attempt_is_verified(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.tells(Told.INSTALLED)
    fleet.clock.pass_seconds(10)

    answer = fleet.comes(version="1.1.0", chip="esp32")

    (attempt,) = fleet.attempts()
    assert reason(answer) is Reason.UP_TO_DATE
    assert attempt.state is State.VERIFIED
    assert fleet.device().image_sha256 == attempt.sha256


def test_seen_with_the_old_one_again_it_was_rolled_back_and_is_tried_again_thrice(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    for _ in range(3):
        assert offered(fleet.comes(version="1.0.0", chip="esp32")) == "1.1.0"
        fleet.tells(Told.INSTALLED)
        fleet.clock.pass_seconds(120)

    assert reason(fleet.comes(version="1.0.0", chip="esp32")) is Reason.FAILING
    assert [a.state for a in fleet.attempts()] == [State.ROLLED_BACK] * 3


def test_before_it_restarted_it_is_told_to_do_so(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.tells(Told.INSTALLED)

    assert reason(fleet.comes(version="1.0.0", chip="esp32")) is Reason.AWAITING_RESTART


def test_a_device_that_never_says_its_version_is_believed_when_it_reports(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    device = Device(
        id="board",
        project="lamp",
        chip="esp32",
        version="1.0.0",
        version_from=VersionFrom.OPERATOR,
    )
    fleet.database.change(lambda tx: tx.devices.add(device))
    assert offered(fleet.comes()) == "1.1.0"

    fleet.tells(Told.INSTALLED)

    assert (fleet.device().version, fleet.device().version_from) == ("1.1.0", VersionFrom.REPORT)


def test_the_same_complete_image_over_and_over_is_a_loop(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    for _ in range(3):
        answer = fleet.comes(version="1.0.0", chip="esp32")
        image = answer.decision.image
        fleet.progress.sent("board", image.sha256, image.size, whole=True)
        fleet.progress.write()

    assert reason(fleet.comes(version="1.0.0", chip="esp32")) is Reason.LOOPING


def test_a_newer_release_takes_the_place_of_an_offer_that_was_not_begun(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.drop("lamp-1.2.0.bin", lamp("1.2.0"))

    assert offered(fleet.comes(version="1.0.0", chip="esp32")) == "1.2.0"
    assert [a.state for a in fleet.attempts()] == [State.OFFERED, State.SUPERSEDED]


def test_looking_opens_nothing(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(version="1.0.0", chip="esp32")
    opened = fleet.attempts()
    fleet.drop("lamp-1.2.0.bin", lamp("1.2.0"))

    answer = fleet.check_in(BOARD, opens=False)

    assert offered(answer) == "1.2.0"
    assert fleet.attempts() == opened


def test_another_process_sees_what_this_one_wrote(fleet, database, clock, tmp_path):
    other = Fleet(database, clock, tmp_path)
    other.comes(version="1.0.0", chip="esp32")
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))

    one, two = (f.comes(version="1.0.0", chip="esp32") for f in (fleet, other))

    assert one.attempt == two.attempt


def test_under_the_lock_the_releases_are_those_of_the_rows(fleet, database, clock, tmp_path):
    other = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(Visit("another", "lamp", "192.0.2.8"), version="1.0.0", chip="esp32")

    def withdraw(tx):
        release = tx.releases.get("lamp", "1.1.0")
        tx.releases.change(replace(release, state=ReleaseState.WITHDRAWN))

    other.database.change(withdraw)

    assert reason(fleet.comes(version="1.0.0", chip="esp32")) is Reason.UP_TO_DATE


def test_under_the_lock_nothing_is_read_that_memory_knows(fleet, monkeypatch):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.catalog.of("lamp")
    monkeypatch.setattr(Releases, "of_project", None)

    assert offered(fleet.comes(version="1.0.0", chip="esp32")) == "1.1.0"


def test_parallel_check_ins_of_one_device_open_one_attempt(fleet):
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.catalog.of("lamp")
    answers, errors = [], []

    def come():
        try:
            answers.append(fleet.comes(version="1.0.0", chip="esp32"))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len({answer.attempt.id for answer in answers}) == 1
    assert len(fleet.attempts()) == 1


def test_while_the_database_is_away_a_known_device_hears_what_was_last_known(fleet, monkeypatch):
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.comes(version="1.0.0", chip="esp32")

    def away():
        raise Unavailable("away")

    monkeypatch.setattr(fleet.database, "reading", away)
    fleet.clock.pass_seconds(60)

    assert reason(fleet.comes(version="1.0.0", chip="esp32")) is Reason.UP_TO_DATE


def test_a_credential_says_which_device_it_is():
    caller = Identity("E6F87D77-4216-4BE1-AB83-B5FA6792B747", "lamp", b"x")

    visit = visit_of(caller, "lamp", "another", "192.0.2.1")

    assert visit.device == "e6f87d77-4216-4be1-ab83-b5fa6792b747"


def test_where_no_credential_says_it_the_device_must(fleet):
    assert visit_of(ANYONE, "lamp", "24:0a:c4:00:00:01", "x").device == "24:0a:c4:00:00:01"
    for claimed in (None, "", 7, "a b"):
        with pytest.raises(Invalid):
            visit_of(ANYONE, "lamp", claimed, "x")


def test_another_project_looks_like_none(fleet):
    with pytest.raises(NotFound):
        visit_of(Identity("board", "lamp", b"x"), "fan", None, "x")


def test_boards_that_were_switched_on_together_do_not_ask_together():
    waits = {poll_seconds_of(f"board-{n}", 300) for n in range(200)}

    assert len(waits) > 50
    assert 240 <= min(waits) <= max(waits) <= 360
    assert poll_seconds_of("board-7", 300) == poll_seconds_of("board-7", 300)
