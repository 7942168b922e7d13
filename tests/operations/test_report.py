"""Devices tell how it goes; late and repeated words change nothing, silence is noticed."""

import itertools

import pytest

from ota_http_server.domain.attempt import LINES_MAX, State
from ota_http_server.domain.errors import NotFound
from ota_http_server.operations.report import Told
from ota_http_server.operations.visit import Visit
from tests.operations.fleets import SILENT_SECONDS, Fleet, lamp


@pytest.fixture(name="fleet")
def a_fleet(database, clock, tmp_path):
    fleet = Fleet(database, clock, tmp_path)
    fleet.drop("lamp-1.1.0.bin", lamp("1.1.0"))
    fleet.comes(version="1.0.0", chip="esp32")
    return fleet


def state(fleet):
    return fleet.attempts()[0].state


def test_a_report_moves_the_attempt_on(fleet):
    for told, expected in (
        (Told.DOWNLOADING, State.DOWNLOADING),
        (Told.DOWNLOADED, State.DOWNLOADED),
        (Told.INSTALLED, State.INSTALLED),
    ):
        assert fleet.tells(told).state is expected


def test_repeated_and_late_reports_change_nothing(fleet):
    for order in itertools.permutations((Told.DOWNLOADING, Told.FAILED, Told.INSTALLED)):
        for told in order:
            fleet.tells(told)
    before = fleet.attempts()[0]

    fleet.tells(Told.INSTALLED, attempt=before.id)
    fleet.tells(Told.DOWNLOADING, attempt=before.id)

    assert fleet.attempts()[0] == before
    assert before.state is State.FAILED


def test_a_failure_says_why(fleet):
    attempt = fleet.tells(Told.FAILED, detail="checksum")

    assert (attempt.state, attempt.detail) == (State.FAILED, "checksum")


def test_another_devices_attempt_is_none(fleet):
    number = fleet.attempts()[0].id

    with pytest.raises(NotFound):
        fleet.tells(Told.INSTALLED, Visit("another", "lamp", "x"), attempt=number)
    with pytest.raises(NotFound):
        fleet.tells(Told.INSTALLED, attempt=number + 1)


def test_what_a_device_says_on_the_way_has_an_end(fleet):
    for _ in range(30):
        fleet.tells(Told.RUNNING, lines=[f"line {n}" for n in range(10)])

    with fleet.database.reading() as rows:
        lines = rows.attempts.lines(fleet.attempts()[0].id)
    assert len(lines) == LINES_MAX


def test_words_with_anything_in_them_can_be_kept(fleet):
    fleet.tells(Told.RUNNING, lines=["a\0b", "\ud800", "x" * 10_000])

    with fleet.database.reading() as rows:
        lines = [line.text for line in rows.attempts.lines(fleet.attempts()[0].id)]
    assert lines == ["ab", "?", "x" * 256]


def test_a_device_that_was_asked_to_give_up_may_refuse(fleet):
    def ask(tx):
        attempt = tx.attempts.latest_of("board")
        tx.attempts.change(
            attempt.__class__(
                **{
                    **{f: getattr(attempt, f) for f in attempt.__dataclass_fields__},
                    "cancel_asked": True,
                }
            )
        )

    fleet.database.change(ask)

    assert not fleet.tells(Told.NOT_CANCELED).cancel_asked
    fleet.database.change(ask)
    assert fleet.tells(Told.CANCELED).state is State.CANCELED


def test_what_went_out_is_the_attempts_progress(fleet):
    attempt = fleet.attempts()[0]

    fleet.progress.sent("board", attempt.sha256, 700, whole=False)
    fleet.progress.sent("board", attempt.sha256, 300, whole=False)
    fleet.progress.write()
    begun = fleet.attempts()[0]
    fleet.progress.sent("board", attempt.sha256, attempt.size - 1_000, whole=True)
    fleet.progress.write()
    done = fleet.attempts()[0]

    assert (begun.state, begun.sent_bytes) == (State.DOWNLOADING, 1_000)
    assert (done.state, done.sent_bytes, done.deliveries) == (State.DOWNLOADED, attempt.size, 1)


def test_a_download_of_something_else_is_no_progress(fleet):
    fleet.progress.sent("board", "f" * 64, 700, whole=True)
    fleet.progress.sent("nobody", "f" * 64, 700, whole=True)
    fleet.progress.write()

    assert fleet.attempts()[0].state is State.OFFERED


def test_a_device_of_which_nothing_is_heard_after_a_download_is_silent(fleet):
    fleet.tells(Told.DOWNLOADED)
    fleet.registry.write()
    fleet.clock.pass_seconds(SILENT_SECONDS + 60)

    assert fleet.mark_silent() == 1
    assert state(fleet) is State.SILENT
    assert fleet.mark_silent() == 0


def test_a_device_that_goes_on_asking_is_not_silent(fleet):
    fleet.tells(Told.DOWNLOADED)
    fleet.clock.pass_seconds(SILENT_SECONDS + 60)
    fleet.comes(version="1.0.0", chip="esp32")
    fleet.registry.write()

    assert fleet.mark_silent() == 0


def test_a_silent_device_that_comes_back_with_the_new_image_is_verified(fleet):
    fleet.tells(Told.INSTALLED)
    fleet.clock.pass_seconds(SILENT_SECONDS + 60)
    fleet.mark_silent()

    fleet.comes(version="1.1.0", chip="esp32")

    assert state(fleet) is State.VERIFIED
