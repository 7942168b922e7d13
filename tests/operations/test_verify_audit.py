"""Whoever edits, removes, reorders or cuts off events is found out."""

import re
import shutil

import pytest
from sqlalchemy import create_engine

from ota_http_server.operations import verify_audit as verifying
from ota_http_server.operations.verify_audit import Verdict, verify_audit
from ota_http_server.storage.audit_head import AuditHead, Head
from ota_http_server.storage.database import Database
from ota_http_server.storage.journal import FileJournal

KEY = b"key"


class Place:
    """A server's rows, log and head, and an intruder who can change them."""

    def __init__(self, url: str, folder, clock) -> None:
        self.url = url.replace("postgresql://", "postgresql+psycopg://")
        self.head = folder / "audit.head"
        self.journal = FileJournal(folder / "ota_audit.log", AuditHead(self.head, KEY))
        self.database = Database(url, clock=clock, journal=self.journal)

    def add(self, count: int) -> None:
        for number in range(count):
            self.database.change(lambda tx, n=number: tx.events.add("generate_token", exp=n))

    def tamper(self, *statements: str) -> None:
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def verify(self, **options) -> Verdict:
        return verify_audit(self.database, self.head, KEY, **options)


@pytest.fixture
def place(database_url, tmp_path, clock):
    place = Place(database_url, tmp_path, clock)
    yield place
    place.database.close()


def assert_found(verdict: Verdict, sentence: str) -> None:
    assert not verdict.ok
    assert any(re.search(sentence, finding) for finding in verdict.findings), verdict.findings


def test_before_the_first_event_the_chain_holds(place):
    assert place.verify() == Verdict(True, 0, (), ())


def test_an_untouched_chain_holds(place):
    place.add(7)

    assert place.verify() == Verdict(True, 7, (), ())


def test_a_chain_longer_than_a_page_holds(place, monkeypatch):
    monkeypatch.setattr(verifying, "PAGE", 3)
    place.add(7)

    assert place.verify() == Verdict(True, 7, (), ())


@pytest.mark.parametrize(
    "edit",
    [
        "facts = '{\"exp\":7}'",
        "facts = 'no json'",
        "facts = '[]'",
        "at = at + 1",
        "action = 'server_start'",
        "previous = 'x'",
        "hash = 'x'",
    ],
)
@pytest.mark.parametrize("number", [1, 4, 7])
def test_an_edited_event_is_found(place, edit, number):
    place.add(7)

    place.tamper(f"UPDATE events SET {edit} WHERE id = {number}")

    assert_found(place.verify(), f"event {number} ")


def test_marking_a_line_as_written_is_no_edit(place):
    place.add(3)

    place.tamper("UPDATE events SET written = true, journal = ''")

    assert place.verify().ok


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (1, "event 1 is missing"),
        (4, "event 4 is missing"),
        (7, "the end of the chain is cut off: event 7 is missing, as the head shows"),
    ],
)
def test_a_removed_event_is_found(place, number, sentence):
    place.add(7)

    place.tamper(f"DELETE FROM events WHERE id = {number}")

    assert_found(place.verify(), sentence)


def test_a_removed_event_whose_number_was_given_to_the_next_is_found(place):
    place.add(7)

    place.tamper(
        "DELETE FROM events WHERE id = 4",
        *(f"UPDATE events SET id = {n - 1} WHERE id = {n}" for n in (5, 6, 7)),
    )

    assert_found(place.verify(), "event 4 does not follow the event before it")
    assert_found(place.verify(), "the end of the chain is cut off")


def test_events_in_another_order_are_found(place):
    place.add(7)

    place.tamper(
        "UPDATE events SET id = 99 WHERE id = 3",
        "UPDATE events SET id = 3 WHERE id = 5",
        "UPDATE events SET id = 5 WHERE id = 99",
    )

    assert_found(place.verify(), "event 3 does not follow")
    assert_found(place.verify(), "event 5 was changed")


def test_a_cut_tail_is_found_and_stays_found_while_events_are_added(place):
    place.add(7)
    place.tamper("DELETE FROM events WHERE id > 4")

    at_once = place.verify()
    place.add(5)
    later = place.verify()

    assert_found(at_once, "events 5 to 7 are missing")
    assert_found(later, "event 7 is not the one that the head names")


def test_no_events_at_all_beside_a_head_is_found(place):
    place.add(2)

    place.tamper("DELETE FROM events")

    assert_found(place.verify(), "events 1 to 2 are missing")


def test_a_chain_forged_anew_does_not_fit_the_head(place, tmp_path, clock):
    place.add(3)
    place.tamper("DELETE FROM events")
    forger = Database(place.url, clock=clock)
    forger.change(lambda tx: [tx.events.add("server_start") for _ in range(3)])
    forger.close()

    assert place.verify().findings == ("event 3 is not the one that the head names",)


def test_a_head_behind_the_rows_is_only_noted(place):
    place.add(3)
    earlier = place.head.read_bytes()
    place.add(2)
    place.head.write_bytes(earlier)

    verdict = place.verify()

    assert (verdict.ok, verdict.count) == (True, 5)
    assert re.search("the head is 2 behind the rows", verdict.notes[0])


def test_a_head_that_was_changed_is_found(place):
    place.add(3)

    place.head.write_text(place.head.read_text().replace('"count":3', '"count":2'))

    assert_found(place.verify(), "the seal of .* does not hold")


def test_a_head_made_without_the_key_is_found(place):
    place.add(3)
    place.head.unlink()
    AuditHead(place.head, b"another key").advance(Head(3, "x"))

    assert_found(place.verify(), "the seal of .* does not hold")


def test_a_missing_head_is_found(place):
    place.add(1)

    place.head.unlink()

    assert_found(place.verify(), "the head is missing")


def test_a_copy_kept_elsewhere_shows_a_cut_even_if_the_head_went_back_too(place, tmp_path):
    place.add(3)
    earlier = place.head.read_bytes()
    place.add(4)
    copy = shutil.copy(place.head, tmp_path / "copy.head")
    place.tamper("DELETE FROM events WHERE id > 3")
    place.head.write_bytes(earlier)

    alone, compared = place.verify(), place.verify(against=copy)

    assert alone.ok
    assert_found(compared, "events 4 to 7 are missing, as the copy of the head shows")


def test_an_older_copy_that_fits_is_only_noted(place, tmp_path):
    place.add(3)
    copy = shutil.copy(place.head, tmp_path / "copy.head")
    place.add(1)

    verdict = place.verify(against=copy)

    assert verdict.ok
    assert "the copy of the head is 1 behind" in verdict.notes[0]


def test_a_copy_that_is_not_there_is_found(place, tmp_path):
    assert_found(place.verify(against=tmp_path / "gone"), "the copy of the head is missing")


def test_a_chain_with_many_faults_lists_the_first(place, monkeypatch):
    monkeypatch.setattr(verifying, "FINDINGS_MAX", 3)
    place.add(7)

    place.tamper("UPDATE events SET at = at + 1")

    findings = place.verify().findings
    assert len(findings) == 4
    assert "only the first is listed" in findings[-1]
