"""What lies in the folder are releases: replaced, removed, brought back, by several processes."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.offer import Offer
from ota_http_server.domain.operator import Operator
from ota_http_server.domain.release import Origin, State
from ota_http_server.operations import follow_folder
from ota_http_server.operations.change_release import ChangeRelease
from ota_http_server.operations.publish_release import PublishRelease
from ota_http_server.operations.receive_image import ReceiveImage
from ota_http_server.operations.release_wish import ReleaseWish, Upload
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.settle_project import SettleProject
from ota_http_server.operations.tidy import sweep
from ota_http_server.storage.database import Database
from tests.operations.fleets import Fleet, lamp

ANN = Operator("ann", None)
FILE = "lamp-1.4.0.bin"
X, Y = lamp("1.4.0"), lamp("1.4.0", seed=7)
NOTES = b"What is new: the light is warmer.\n" * 20


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    return Fleet(database, clock, tmp_path)


@pytest.fixture(name="other")
def another_process(database_url, clock, tmp_path):
    other = Database(database_url, clock=clock)
    yield Fleet(other, clock, tmp_path)
    other.close()


def publishing(fleet):
    receive = ReceiveImage(fleet.blobs, image_bytes_max=2**20, in_thread=lambda work: work())
    return PublishRelease(fleet.database, receive, fleet.news)


def publish(fleet, version, content, name):
    operation = publishing(fleet)
    operation.add_image(ANN, "lamp", version, Upload.of(name, [content], len(content)))
    return operation.publish(ANN, "lamp", version)


def settle(fleet, **wish):
    SettleProject(fleet.database, fleet.news).settle(ANN, "lamp", wish)


def remove(fleet, name=FILE):
    (fleet.firmware / "lamp" / name).unlink()
    fleet.clock.pass_seconds(2)


def drop_notes(fleet):
    """Nobody knows how long they should be: they count once they stood still."""
    fleet.drop("notes_v7.dat", NOTES)
    on_offer(fleet)
    fleet.clock.pass_seconds(2)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def on_offer(fleet):
    """The digests of each release that this process would offer."""
    return {r.version: [i.sha256 for i in r.images] for r in fleet.catalog.of("lamp").releases}


def kept_out(fleet):
    fleet.catalog.of("lamp")
    return fleet.release_folder.kept_out("lamp")


def release(fleet, version="1.4.0"):
    fleet.catalog.of("lamp")
    with fleet.database.reading() as rows:
        return rows.releases.get("lamp", version)


def offered(fleet, **said):
    """The digest that a board is offered which says this of itself."""
    decision = fleet.comes(**{"version": "1.0.0", "chip": "esp32", **said}).decision
    return decision.image.sha256 if isinstance(decision, Offer) else None


def words(fleet):
    """What the audit says of releases: who did what to which."""
    with fleet.database.reading() as rows:
        events = rows.events.page(0, 100)
    return [(e.action, e.facts.get("release"), e.facts["actor"]) for e in events]


def test_a_dropped_file_is_a_published_release(fleet):
    fleet.drop(FILE, X)

    found = release(fleet)

    assert (found.state, found.origin, found.channel) == (
        State.PUBLISHED,
        Origin.FOLDER,
        "stable",
    )
    assert on_offer(fleet) == {"1.4.0": [digest(X)]}
    assert words(fleet) == [("publish_release", "1.4.0", "folder")]


def test_files_of_one_version_are_one_release(fleet):
    s3 = lamp("1.4.0", chip="esp32s3")
    fleet.drop(FILE, X)
    on_offer(fleet)
    fleet.drop("lamp-1.4.0-s3.bin", s3)

    assert on_offer(fleet) == {"1.4.0": [digest(X), digest(s3)]}


def test_a_look_at_an_unchanged_folder_writes_nothing(fleet, monkeypatch):
    fleet.drop(FILE, X)
    before = on_offer(fleet)
    fleet.clock.pass_seconds(5)
    monkeypatch.setattr(fleet.database, "change", lambda _work: pytest.fail("it was written to"))

    assert on_offer(fleet) == before


def test_until_somebody_is_in_use_it_a_file_may_be_replaced(fleet):
    fleet.drop(FILE, X)
    on_offer(fleet)
    fleet.drop(FILE, Y)

    assert on_offer(fleet) == {"1.4.0": [digest(Y)]}
    assert kept_out(fleet) == {}


def test_who_replaces_a_file_need_not_say_again_for_whom_it_is(fleet):
    """Or a build for the desk, dropped once more, would go to everybody."""
    fleet.drop(FILE, X)
    on_offer(fleet)
    wish = ReleaseWish.of("lamp", "1.4.0", "beta", "for the desk", "1.2.0", True, True)
    ChangeRelease(fleet.database, fleet.news)(ANN, wish)
    fleet.drop(FILE, Y)

    found = release(fleet)

    assert [image.sha256 for image in found.images] == [digest(Y)]
    assert (found.channel, found.notes, found.min_from) == ("beta", "for the desk", "1.2.0")
    assert (found.security, found.floor) == (True, True)


def test_a_file_replaced_after_an_offer_is_told_of_and_offered_to_nobody(fleet, caplog):
    fleet.drop(FILE, X)
    assert offered(fleet) == digest(X)
    fleet.drop(FILE, Y)

    assert offered(fleet) is None
    assert release(fleet).state is State.WITHDRAWN
    assert "other bytes" in kept_out(fleet)[FILE]
    assert f"not released: lamp/{FILE}" in caplog.text


def test_the_old_bytes_come_back_under_their_version(fleet):
    fleet.drop(FILE, X)
    offered(fleet)
    fleet.drop(FILE, Y)
    on_offer(fleet)
    fleet.drop(FILE, X)

    assert offered(fleet) == digest(X)
    assert words(fleet) == [
        ("publish_release", "1.4.0", "folder"),
        ("withdraw_release", "1.4.0", "folder"),
        ("publish_release", "1.4.0", "folder"),
    ]


def test_what_is_in_use_is_withdrawn_with_its_file_and_comes_back_with_it(fleet):
    fleet.drop(FILE, X)
    offered(fleet)
    remove(fleet)
    gone = on_offer(fleet), release(fleet).state
    fleet.drop(FILE, X)

    assert gone == ({}, State.WITHDRAWN)
    assert on_offer(fleet) == {"1.4.0": [digest(X)]}


def test_other_bytes_under_another_name_do_not_slip_into_what_is_in_use(fleet):
    fleet.drop(FILE, X)
    offered(fleet)
    fleet.drop("lamp-1.4.0-fixed.bin", Y)

    assert on_offer(fleet) == {"1.4.0": [digest(X)]}
    assert "1.4.0" in kept_out(fleet)["lamp-1.4.0-fixed.bin"]


def test_neither_do_they_once_its_own_file_is_gone(fleet):
    fleet.drop(FILE, X)
    offered(fleet)
    remove(fleet)
    on_offer(fleet)
    fleet.drop("lamp-1.4.0-fixed.bin", Y)
    told = kept_out(fleet)
    fleet.drop(FILE, X)

    assert "raise the version" in told["lamp-1.4.0-fixed.bin"]
    assert on_offer(fleet) == {"1.4.0": [digest(X)]}


def test_an_image_for_other_hardware_may_follow_what_is_in_use(fleet):
    s3 = lamp("1.4.0", chip="esp32s3")
    fleet.drop(FILE, X)
    offered(fleet)
    fleet.drop("lamp-1.4.0-s3.bin", s3)

    assert on_offer(fleet) == {"1.4.0": [digest(X), digest(s3)]}


def test_one_of_two_files_that_is_removed_after_an_offer_takes_nothing_from_the_other(fleet):
    fleet.drop(FILE, X)
    fleet.drop("lamp-1.4.0-s3.bin", lamp("1.4.0", chip="esp32s3"))
    offered(fleet)
    remove(fleet, "lamp-1.4.0-s3.bin")

    assert offered(fleet) == digest(X)


def test_what_it_was_for_is_offered_no_more(fleet):
    fleet.drop(FILE, X)
    fleet.drop("lamp-1.4.0-s3.bin", lamp("1.4.0", chip="esp32s3"))
    offered(fleet)
    remove(fleet, "lamp-1.4.0-s3.bin")

    assert on_offer(fleet) == {"1.4.0": [digest(X)]}


def test_one_of_two_that_comes_back_brings_nothing_else_along(fleet):
    s3 = lamp("1.4.0", chip="esp32s3")
    fleet.drop(FILE, X)
    fleet.drop("lamp-1.4.0-s3.bin", s3)
    offered(fleet)
    remove(fleet)
    remove(fleet, "lamp-1.4.0-s3.bin")
    gone = on_offer(fleet)
    fleet.drop("lamp-1.4.0-s3.bin", s3)
    one = on_offer(fleet)
    fleet.drop(FILE, X)

    assert (gone, one) == ({}, {"1.4.0": [digest(s3)]})
    assert on_offer(fleet) == {"1.4.0": [digest(s3), digest(X)]}


def test_other_bytes_do_not_take_the_place_of_an_offered_image_that_was_removed(fleet):
    fleet.drop(FILE, X)
    fleet.drop("lamp-1.4.0-s3.bin", lamp("1.4.0", chip="esp32s3"))
    offered(fleet)
    remove(fleet)
    on_offer(fleet)
    fleet.drop("lamp-1.4.0-fixed.bin", Y)
    fleet.drop(FILE, Y)

    assert on_offer(fleet) == {"1.4.0": [digest(lamp("1.4.0", chip="esp32s3"))]}
    assert set(kept_out(fleet)) == {FILE, "lamp-1.4.0-fixed.bin"}


def test_one_of_two_files_that_is_removed_before_an_offer_is_gone(fleet):
    fleet.drop(FILE, X)
    fleet.drop("lamp-1.4.0-s3.bin", lamp("1.4.0", chip="esp32s3"))
    on_offer(fleet)
    remove(fleet, "lamp-1.4.0-s3.bin")

    assert on_offer(fleet) == {"1.4.0": [digest(X)]}


def test_who_puts_the_old_version_back_under_the_same_name_takes_the_new_one_away(fleet):
    older = lamp("1.3.0")
    fleet.drop("lamp.bin", older)
    on_offer(fleet)
    fleet.drop("lamp.bin", X)
    newer = on_offer(fleet)
    fleet.drop("lamp.bin", older)

    assert newer == {"1.4.0": [digest(X)]}
    assert on_offer(fleet) == {"1.3.0": [digest(older)]}


def test_the_same_after_an_offer_withdraws_it(fleet):
    older = lamp("1.3.0")
    for content in (older, X, older):
        fleet.drop("lamp.bin", content)
        offered(fleet)

    assert on_offer(fleet) == {"1.3.0": [digest(older)]}
    assert release(fleet).state is State.WITHDRAWN


def test_a_file_that_is_being_copied_over_keeps_its_place(fleet):
    """Half of it is there: nobody knows yet what it will be."""
    path = fleet.drop(FILE, X)
    offered(fleet)
    path.write_bytes(X[:1_000])
    fleet.clock.pass_seconds(1)

    assert on_offer(fleet) == {"1.4.0": [digest(X)]}


@pytest.mark.parametrize("is_in_use", [False, True])
def test_what_an_operator_withdrew_stays_so_whatever_becomes_of_its_file(fleet, is_in_use):
    fleet.drop(FILE, X)
    if is_in_use:
        offered(fleet)
    on_offer(fleet)
    publishing(fleet).withdraw(ANN, "lamp", "1.4.0", "boards lose their settings")
    remove(fleet)
    on_offer(fleet)
    fleet.drop(FILE, X)

    assert on_offer(fleet) == {}
    assert release(fleet).withdrawn_by == "ann"


def test_other_bytes_do_not_bring_it_back_either(fleet):
    fleet.drop(FILE, X)
    on_offer(fleet)
    publishing(fleet).withdraw(ANN, "lamp", "1.4.0", "boards lose their settings")
    fleet.drop(FILE, Y)

    assert on_offer(fleet) == {}
    assert FILE in kept_out(fleet)


def test_notes_beside_images_are_no_release(fleet):
    fleet.drop(FILE, X)
    drop_notes(fleet)

    assert list(on_offer(fleet)) == ["1.4.0"]
    assert "no format" in kept_out(fleet)["notes_v7.dat"]


def test_notes_that_were_there_first_are_offered_to_no_board(fleet):
    drop_notes(fleet)
    before = on_offer(fleet)
    fleet.drop(FILE, X)

    assert list(before) == ["7"]
    assert offered(fleet) == digest(X)


def test_a_foreign_image_and_a_lower_counter_are_kept_out_and_said_why(fleet):
    fleet.drop(FILE, esp_application(version="1.4.0", project="lamp", secure_version=2))
    on_offer(fleet)
    fleet.drop("fan-1.5.0.bin", esp_application(version="1.5.0", project="fan", secure_version=2))
    fleet.drop("low-1.6.0.bin", esp_application(version="1.6.0", project="lamp", secure_version=1))

    assert list(on_offer(fleet)) == ["1.4.0"]
    assert "says that it is fan" in kept_out(fleet)["fan-1.5.0.bin"]
    assert "secure_version 1" in kept_out(fleet)["low-1.6.0.bin"]


def test_what_was_kept_out_is_let_in_once_nothing_stands_against_it(fleet):
    settle(fleet, chip="esp32s3")
    fleet.drop(FILE, X)
    before = on_offer(fleet), kept_out(fleet)
    settle(fleet, chip="esp32")
    fleet.clock.pass_seconds(2)

    assert before[0] == {}
    assert "declares esp32s3" in before[1][FILE]
    assert on_offer(fleet) == {"1.4.0": [digest(X)]}
    assert kept_out(fleet) == {}


def test_dropped_files_may_be_drafts_until_somebody_publishes_them(fleet):
    settle(fleet, folder="draft")
    fleet.drop(FILE, X)
    before = on_offer(fleet)
    publishing(fleet).publish(ANN, "lamp", "1.4.0")

    assert before == {}
    assert on_offer(fleet) == {"1.4.0": [digest(X)]}
    assert words(fleet)[-1] == ("publish_release", "1.4.0", "ann")


def test_a_draft_whose_file_is_removed_was_no_release(fleet):
    settle(fleet, folder="draft")
    fleet.drop(FILE, X)
    on_offer(fleet)
    remove(fleet)

    assert release(fleet) is None
    assert [word for word, version, _ in words(fleet) if version] == [
        "create_draft",
        "remove_draft",
    ]


def test_a_draft_that_a_rollout_waits_for_comes_back_with_its_file_as_a_draft(fleet):
    settle(fleet, folder="draft")
    fleet.drop(FILE, X)
    on_offer(fleet)
    fleet.begin_rollout(ANN, RolloutWish.of("lamp", {"version": "1.4.0"}))
    remove(fleet)
    assert release(fleet).state is State.WITHDRAWN

    fleet.drop(FILE, X)

    assert release(fleet).state is State.DRAFT
    assert "publish_release" not in [word for word, _, _ in words(fleet)]


def test_a_replaced_draft_keeps_what_was_said_about_it(fleet):
    settle(fleet, folder="draft")
    fleet.drop(FILE, X)
    on_offer(fleet)
    publishing(fleet).draft(ANN, ReleaseWish.of("lamp", "1.4.0", "beta", "Warmer."))
    fleet.drop(FILE, Y)

    found = release(fleet)

    assert (found.state, found.channel, found.notes) == (State.DRAFT, "beta", "Warmer.")
    assert [image.sha256 for image in found.images] == [digest(Y)]


def test_a_file_adds_nothing_to_what_was_published_through_another_door(fleet):
    before = publish(fleet, "1.4.0", X, "program.bin")
    fleet.drop(FILE, X)
    fleet.drop("lamp-1.4.0-s3.bin", lamp("1.4.0", chip="esp32s3"))
    fleet.drop("program.bin", X)

    assert release(fleet) == before
    assert list(kept_out(fleet)) == ["lamp-1.4.0-s3.bin"]


def test_neither_to_a_draft_of_somebody(fleet):
    operation = publishing(fleet)
    operation.draft(ANN, ReleaseWish.of("lamp", "1.4.0", "beta"))
    fleet.drop(FILE, X)
    on_offer(fleet)

    found = release(fleet)

    assert (found.state, found.images) == (State.DRAFT, ())
    assert FILE in kept_out(fleet)


def test_what_the_api_published_stays_when_the_folder_is_emptied(fleet):
    publish(fleet, "1.4.0", X, "program.bin")
    fleet.drop("lamp-1.5.0.bin", lamp("1.5.0"))
    on_offer(fleet)
    remove(fleet, "lamp-1.5.0.bin")

    assert on_offer(fleet) == {"1.4.0": [digest(X)]}


def test_a_folder_of_many_versions_is_released_in_several_transactions(fleet, monkeypatch):
    monkeypatch.setattr(follow_folder, "MADE_AT_ONCE_MAX", 2)
    for version in range(5):
        fleet.drop(f"lamp-1.{version}.0.bin", lamp(f"1.{version}.0"))
    drop_notes(fleet)
    for version in range(5, 9):
        fleet.drop(f"lamp-1.{version}.0.bin", lamp(f"1.{version}.0"))

    assert len(on_offer(fleet)) == 9
    assert set(kept_out(fleet)) == {"notes_v7.dat"}


def test_a_replaced_file_among_many_new_ones_keeps_what_was_said_of_it(fleet, monkeypatch):
    monkeypatch.setattr(follow_folder, "MADE_AT_ONCE_MAX", 1)
    fleet.drop("lamp-1.9.0.bin", lamp("1.9.0"))
    on_offer(fleet)
    beta = {"channel": "beta"}
    fleet.database.change(
        lambda tx: tx.releases.change(replace(tx.releases.get("lamp", "1.9.0"), **beta))
    )
    for version in range(3):
        fleet.drop(f"lamp-1.{version}.0.bin", lamp(f"1.{version}.0"))
    fleet.drop("lamp-1.9.0.bin", lamp("1.9.0", seed=3))

    assert len(on_offer(fleet)) == 4
    assert release(fleet, "1.9.0").channel == "beta"


def test_two_processes_agree(fleet, other):
    fleet.drop(FILE, X)
    assert on_offer(fleet) == on_offer(other) == {"1.4.0": [digest(X)]}
    assert offered(other) == digest(X)
    fleet.drop(FILE, Y)

    assert on_offer(other) == {}
    fleet.clock.pass_seconds(2)
    assert on_offer(fleet) == {}
    assert kept_out(fleet) == kept_out(other) != {}
    assert [word for word, _, _ in words(fleet)] == ["publish_release", "withdraw_release"]


def test_who_looked_before_a_file_was_replaced_does_not_bring_the_old_one_back(fleet, other):
    fleet.drop(FILE, X)
    on_offer(fleet)
    listing = other.collection.all_of("lamp")  # looks, and is slow to go on
    fleet.drop(FILE, Y)
    on_offer(fleet)
    other.collection.all_of = lambda _project: listing

    other.release_folder.follow("lamp")

    assert [image.sha256 for image in release(fleet).images] == [digest(Y)]


def test_who_looked_before_a_file_came_does_not_take_its_release_back(fleet, other):
    fleet.drop(FILE, X)
    other.collection.all_of("lamp")  # looks, and is slow to go on
    listing = other.collection.all_of("lamp"), other.collection.names("lamp")
    fleet.drop("lamp-1.5.0.bin", lamp("1.5.0"))
    both = on_offer(fleet)
    other.collection.all_of = lambda _project: listing[0]
    other.collection.names = lambda _project: listing[1]

    other.release_folder.follow("lamp")
    fleet.news.refresh()

    assert sorted(both) == ["1.4.0", "1.5.0"]
    assert on_offer(fleet) == both
    assert {word for word, *_ in words(fleet)} == {"publish_release"}


def test_many_processes_that_find_a_file_at_once_make_one_release(fleet, database_url, clock):
    others = [
        Fleet(Database(database_url, clock=clock), clock, fleet.firmware.parent) for _ in range(4)
    ]
    fleet.drop(FILE, X)
    fleet.drop("lamp-1.4.0-s3.bin", lamp("1.4.0", chip="esp32s3"))
    with ThreadPoolExecutor(len(others)) as pool:
        found = list(pool.map(on_offer, others))
    for process in others:
        process.database.close()

    assert [len(images["1.4.0"]) for images in found] == [2, 2, 2, 2]
    assert len(release(fleet).images) == 2
    assert words(fleet) == [("publish_release", "1.4.0", "folder")]


def test_a_project_whose_whole_folder_is_gone_has_no_release_of_it(fleet):
    fleet.drop(FILE, X)
    fleet.drop("fan-1.0.bin", lamp("1.0"), project="fan")
    on_offer(fleet)
    remove(fleet)
    (fleet.firmware / "lamp").rmdir()
    still = on_offer(fleet)

    sweep(fleet.collection, fleet.database, fleet.release_folder)

    assert still == {"1.4.0": [digest(X)]}  # a folder that is away may come back
    fleet.news.refresh()
    assert on_offer(fleet) == {}


def test_a_firmware_folder_that_is_away_takes_no_release_back(fleet):
    fleet.drop(FILE, X)
    on_offer(fleet)
    fleet.firmware.rename(fleet.firmware.with_name("away"))
    fleet.clock.pass_seconds(5)

    assert on_offer(fleet) == {"1.4.0": [digest(X)]}


def test_a_version_that_no_url_can_say_is_served_and_not_released(fleet):
    fleet.drop("strange.bin", lamp("1.0 beta/2"))

    assert on_offer(fleet) == {}


def test_headers_that_stood_still_leave_the_names_to_decide(fleet):
    first = lamp("1.0.0")
    fleet.drop("lamp-2.bin", first)
    before = on_offer(fleet)
    second = lamp("1.0.0", seed=5)
    fleet.drop("lamp-3.bin", second)

    assert before == {"1.0.0": [digest(first)]}
    assert on_offer(fleet) == {"3": [digest(second)], "2": [digest(first)]}
