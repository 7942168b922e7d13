"""Releases come through the API: whole and right or not at all, and never change again."""

import hashlib
import os
import threading

import pytest

from ota_http_server.domain.errors import (
    Conflict,
    DiskFull,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    Unavailable,
    Unfit,
)
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.offer import Reason
from ota_http_server.domain.operator import Operator, Role
from ota_http_server.domain.project import FolderMode, Project
from ota_http_server.domain.release import State
from ota_http_server.operations.publish_release import PublishRelease
from ota_http_server.operations.receive_image import AT_ONCE_MAX, ReceiveImage
from ota_http_server.operations.release_wish import ReleaseWish, Upload
from ota_http_server.operations.rollout_wish import RolloutWish
from tests.operations.fleets import Fleet, lamp

ADMIN = Operator("ann", "192.0.2.9")
PIPELINE = Operator("pipeline", "192.0.2.9", Role.PUBLISHER, "lamp")
BYTES_MAX = 1_000_000


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    return Fleet(database, clock, tmp_path)


@pytest.fixture(name="publish")
def the_operation(fleet):
    receive = ReceiveImage(fleet.blobs, image_bytes_max=BYTES_MAX, in_thread=lambda work: work())
    return PublishRelease(fleet.database, receive, fleet.news)


def an_upload(content, name="lamp.bin", **more):
    pieces = [content[at : at + 1_000] for at in range(0, len(content), 1_000)]
    return Upload.of(name, pieces, len(content), **more)


def published(publish, version="1.4.0", content=None, operator=PIPELINE, **more):
    content = lamp(version) if content is None else content
    publish.add_image(operator, "lamp", version, an_upload(content), **more)
    return publish.publish(operator, "lamp", version)


def blobs(fleet):
    return sorted(fleet.blobs.names())


def test_a_draft_gets_its_image_and_is_published(fleet, publish):
    wish = ReleaseWish.of("lamp", "v1.4.0", "beta", "Warmer light.", "1.0", True)
    draft = publish.draft(PIPELINE, wish)
    publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0")))

    release = publish.publish(PIPELINE, "lamp", "1.4.0")

    assert (draft.state, release.state) == (State.DRAFT, State.PUBLISHED)
    assert (release.channel, release.notes, release.min_from) == ("beta", "Warmer light.", "1.0")
    assert release.security
    assert (release.images[0].chip, release.images[0].part) == ("esp32", "application")
    assert fleet.catalog.of("lamp").releases == (release,)


def test_a_draft_is_offered_to_nobody(fleet, publish):
    publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0")))

    assert fleet.catalog.of("lamp").releases == ()


def test_the_version_may_come_from_the_image(publish):
    release = publish.add_image(PIPELINE, "lamp", None, an_upload(lamp("1.4.0")))

    assert release.version == "1.4.0"


def test_an_image_without_a_version_needs_one_said(publish):
    with pytest.raises(Unfit, match="say which one"):
        publish.add_image(PIPELINE, "lamp", None, an_upload(b"raw bytes" * 100))


def test_the_same_bytes_again_are_fine_and_others_are_refused(publish):
    first = published(publish)

    assert publish.publish(PIPELINE, "lamp", "1.4.0") == first
    again = publish.add_image(PIPELINE, "lamp", "v1.4", an_upload(lamp("1.4.0")))
    assert again == first
    with pytest.raises(Conflict):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0", seed=9)))
    with pytest.raises(Conflict):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0"), "other.bin"))
    with pytest.raises(Conflict):
        publish.draft(PIPELINE, ReleaseWish.of("lamp", "1.4.0", "beta"))


def test_other_bytes_in_a_draft_are_refused_too(publish):
    publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0")))

    with pytest.raises(Conflict, match="remove the draft"):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0", seed=9)))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"project": "fan", "version": "1.5.0"}, "says that it is fan"),
        ({"project": "lamp", "version": "9.9.9"}, "carries version 9.9.9"),
        ({"project": "lamp", "version": "1.5.0", "secure_version": 1}, "secure_version 1"),
    ],
)
def test_what_would_brick_a_fleet_is_refused_and_may_be_overruled_with_a_reason(
    fleet, publish, facts, words
):
    published(publish, content=esp_application(project="lamp", version="1.4.0", secure_version=2))
    wrong = esp_application(**{"secure_version": 2, **facts})

    with pytest.raises(Unfit, match=words):
        publish.add_image(PIPELINE, "lamp", "1.5.0", an_upload(wrong))
    release = publish.add_image(
        PIPELINE, "lamp", "1.5.0", an_upload(wrong), force="the vendor's own build"
    )

    assert release.forced == "the vendor's own build"
    assert publish.publish(PIPELINE, "lamp", "1.5.0").state is State.PUBLISHED


def test_an_image_for_another_chip_than_declared_is_refused(fleet, publish):
    with pytest.raises(Unfit, match="built for esp32, and esp32s3 was declared"):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0"), chip="ESP32-S3"))
    fleet.database.change(lambda tx: tx.projects.put(Project(name="lamp", chip="esp32c3")))
    with pytest.raises(Unfit, match="project lamp declares esp32c3"):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0")))


def test_what_two_pipelines_publish_is_compared_when_it_is_published(publish):
    low = esp_application(project="lamp", version="1.5.0", secure_version=1)
    publish.add_image(PIPELINE, "lamp", "1.5.0", an_upload(low))
    high = esp_application(project="lamp", version="1.4.0", secure_version=2)
    published(publish, content=high)

    with pytest.raises(Unfit, match="secure_version 1"):
        publish.publish(PIPELINE, "lamp", "1.5.0")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x7fELF" + bytes(100), "ELF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (lamp("1.4.0")[:-40], "bytes"),
        (lamp("1.4.0")[:-1] + b"\0", "digest"),
    ],
)
def test_mistakes_are_named_and_leave_nothing_behind(fleet, publish, content, words):
    with pytest.raises(Unfit, match=words):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(content))

    assert blobs(fleet) == []
    assert list((fleet.blobs.path("00").parent.parent).glob("*.partial")) == []


def test_another_length_or_digest_than_announced_is_refused(fleet, publish):
    content = lamp("1.4.0")

    for wrong in (
        Upload.of("lamp.bin", [content], len(content) + 1),
        Upload.of("lamp.bin", [content], len(content) - 1),
        Upload.of("lamp.bin", [], 0),
        Upload.of("lamp.bin", [content], len(content), sha256="0" * 64),
    ):
        with pytest.raises(Invalid):
            publish.add_image(PIPELINE, "lamp", "1.4.0", wrong)
    assert blobs(fleet) == []


def test_more_than_may_be_is_refused_before_it_comes(publish):
    def never():
        yield from ()
        raise AssertionError("it was read")

    with pytest.raises(TooLarge):
        publish.add_image(
            PIPELINE, "lamp", "1", Upload(name="x.bin", blocks=never(), length=BYTES_MAX + 1)
        )
    endless = iter(lambda: bytes(100_000), None)
    with pytest.raises(TooLarge):
        publish.add_image(PIPELINE, "lamp", "1", Upload(name="x.bin", blocks=endless))


def test_so_many_at_a_time_and_no_more(publish):
    arrived, go_on = threading.Semaphore(0), threading.Event()

    def slow():
        arrived.release()
        go_on.wait(30)
        yield lamp("1.4.0")

    def blocked(number):
        try:
            publish.add_image(
                PIPELINE, "lamp", f"{number}.0", Upload(name="x.bin", blocks=slow()), force="test"
            )
        except Conflict:
            pass

    threads = [threading.Thread(target=blocked, args=(n,)) for n in range(AT_ONCE_MAX)]
    for thread in threads:
        thread.start()
    for _ in threads:
        arrived.acquire()
    with pytest.raises(Unavailable):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0")))
    go_on.set()
    for thread in threads:
        thread.join()
    assert publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0")))


def test_a_bootloader_must_be_meant(publish):
    table = bytes.fromhex("aa50 0102 0090 0000 0060 0000".replace(" ", "")).ljust(32, b"\0")
    table = table + b"\xff" * (0xC00 - len(table))

    with pytest.raises(Invalid, match="declare part=partition-table"):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(table, "table.bin"))


def test_names_of_the_server_are_not_taken():
    for name in ("latest.bin", "manifest.json", "versions", "x.part", "../x", "", None):
        with pytest.raises(Invalid):
            Upload.of(name, [])


def test_a_release_without_an_image_is_not_published(publish):
    publish.draft(PIPELINE, ReleaseWish.of("lamp", "1.4.0"))

    with pytest.raises(Unfit):
        publish.publish(PIPELINE, "lamp", "1.4.0")
    with pytest.raises(NotFound):
        publish.publish(PIPELINE, "lamp", "1.5.0")


def test_withdrawn_it_is_offered_no_more_until_it_is_restored(fleet, publish):
    published(publish)

    withdrawn = publish.withdraw(ADMIN, "lamp", "1.4.0", "boards lose their settings")
    assert (withdrawn.state, withdrawn.withdrawn_by) == (State.WITHDRAWN, "ann")
    assert fleet.catalog.of("lamp").releases == ()
    with pytest.raises(Conflict):
        publish.publish(ADMIN, "lamp", "1.4.0")
    restored = publish.restore(ADMIN, "lamp", "1.4.0", "it was the network")

    assert fleet.catalog.of("lamp").releases == (restored,)
    for nothing in ("", "  ", "x" * 257, None):
        with pytest.raises(Invalid):
            publish.withdraw(ADMIN, "lamp", "1.4.0", nothing)


def test_a_draft_may_go_and_a_release_may_not(fleet, publish):
    publish.draft(PIPELINE, ReleaseWish.of("lamp", "1.5.0"))
    publish.remove_draft(PIPELINE, "lamp", "1.5.0")
    published(publish)

    with pytest.raises(Conflict):
        publish.remove_draft(PIPELINE, "lamp", "1.4.0")
    with fleet.database.reading() as rows:
        assert [r.version for r in rows.releases.of_project("lamp")] == ["1.4.0"]


def begin_rollout(fleet, version="1.5.0"):
    return fleet.begin_rollout(ADMIN, RolloutWish.of("lamp", {"version": version})).rollout.id


def begin_and_abort_rollout(fleet, version="1.5.0"):
    fleet.roll_out.abort(ADMIN, begin_rollout(fleet, version), "not that one")


def test_a_draft_whose_rollouts_were_all_aborted_may_go_and_the_audit_keeps_their_story(
    fleet, publish
):
    publish.draft(PIPELINE, ReleaseWish.of("lamp", "1.5.0"))
    begin_and_abort_rollout(fleet)
    begin_and_abort_rollout(fleet)

    publish.remove_draft(PIPELINE, "lamp", "1.5.0")

    with fleet.database.reading() as rows:
        assert rows.releases.of_project("lamp") == []
        assert rows.rollouts.of_project("lamp") == []
        actions = [event.action for event in rows.events.page(0, 10)]
    story = ["create_rollout", "abort_rollout"]
    assert actions == ["create_draft", *story, *story, "remove_draft"]


@pytest.mark.parametrize("move", ["", "pause"])
def test_a_draft_that_a_rollout_still_waits_for_stays_whatever_was_aborted(fleet, publish, move):
    publish.draft(PIPELINE, ReleaseWish.of("lamp", "1.5.0"))
    begin_and_abort_rollout(fleet)
    waiting = begin_rollout(fleet)
    if move:
        getattr(fleet.roll_out, move)(ADMIN, waiting, "lunch")

    with pytest.raises(Conflict, match=r"a rollout waits for 1\.5\.0"):
        publish.remove_draft(PIPELINE, "lamp", "1.5.0")

    with fleet.database.reading() as rows:
        assert len(rows.rollouts.of_project("lamp")) == 2


def test_nothing_of_an_aborted_rollout_holds_the_version_when_it_comes_again(fleet, publish):
    published(publish, "1.4.0")
    publish.draft(PIPELINE, ReleaseWish.of("lamp", "1.5.0"))
    begin_and_abort_rollout(fleet)
    before = fleet.comes(version="1.3.0", chip="esp32")

    publish.remove_draft(PIPELINE, "lamp", "1.5.0")
    published(publish, "1.5.0")

    after = fleet.comes(version="1.3.0", chip="esp32")
    assert (before.decision.release.version, after.decision.release.version) == ("1.4.0", "1.5.0")


def test_a_published_release_stays_with_its_aborted_rollout_which_holds_it_back(fleet, publish):
    published(publish, "1.5.0")
    begin_and_abort_rollout(fleet)

    with fleet.database.reading() as rows:
        assert rows.releases.is_in_use(rows.releases.get("lamp", "1.5.0").number)
    assert fleet.comes(version="1.4.0", chip="esp32").decision.reason is Reason.ABORTED


def test_a_draft_of_the_folder_goes_with_its_file_after_its_rollout_was_aborted(fleet, publish):
    fleet.database.change(
        lambda tx: tx.projects.put(Project(name="lamp", folder=FolderMode.DRAFT, edition=1))
    )
    path = fleet.drop("lamp-1.5.0.bin", lamp("1.5.0"))
    fleet.catalog.of("lamp")
    begin_and_abort_rollout(fleet)
    path.unlink()
    fleet.clock.pass_seconds(2)
    fleet.catalog.of("lamp")

    with fleet.database.reading() as rows:
        assert rows.releases.of_project("lamp") == []
    assert publish.draft(PIPELINE, ReleaseWish.of("lamp", "1.5.0")).state is State.DRAFT


def test_the_folders_own_drafts_are_the_folders(fleet, publish):
    """What is not in the folder would be gone with the next look at it."""
    fleet.database.change(
        lambda tx: tx.projects.put(Project(name="lamp", folder=FolderMode.DRAFT, edition=1))
    )
    fleet.drop("lamp-1.4.0.bin", lamp("1.4.0"))
    fleet.catalog.of("lamp")

    with pytest.raises(Conflict, match="put the image there"):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0", chip="esp32s3")))
    with pytest.raises(Conflict, match="remove them there"):
        publish.remove_draft(PIPELINE, "lamp", "1.4.0")
    assert publish.publish(PIPELINE, "lamp", "1.4.0").state is State.PUBLISHED


def test_who_may_not_may_not(publish):
    viewer, stranger = Operator("eve", None, Role.VIEWER), Operator("f", None, Role.ADMIN, "fan")
    for operator in (viewer, stranger):
        with pytest.raises(Forbidden):
            published(publish, operator=operator)
        with pytest.raises(Forbidden):
            publish.draft(operator, ReleaseWish.of("lamp", "1"))
        with pytest.raises(Forbidden):
            publish.publish(operator, "lamp", "1")
        with pytest.raises(Forbidden):
            publish.remove_draft(operator, "lamp", "1")
    with pytest.raises(Forbidden):
        publish.withdraw(PIPELINE, "lamp", "1", "because")


def test_everything_is_in_the_audit_with_who_and_why(fleet, publish):
    published(publish)
    publish.withdraw(ADMIN, "lamp", "1.4.0", "boards lose their settings")

    with fleet.database.reading() as rows:
        events = rows.events.page(0, 10)
    assert [(e.action, e.facts["actor"]) for e in events] == [
        ("create_draft", "pipeline"),
        ("add_image", "pipeline"),
        ("publish_release", "pipeline"),
        ("withdraw_release", "ann"),
    ]
    assert events[-1].facts["reason"] == "boards lose their settings"
    assert events[1].facts["image"] == "lamp.bin"
    assert events[1].facts["sha256"] == hashlib.sha256(lamp("1.4.0")).hexdigest()


def test_a_full_disk_leaves_nothing_and_says_so(fleet, publish, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFull):
        publish.add_image(PIPELINE, "lamp", "1.4.0", an_upload(lamp("1.4.0")))
    monkeypatch.undo()

    assert blobs(fleet) == []
    with fleet.database.reading() as rows:
        assert rows.releases.of_project("lamp") == []
