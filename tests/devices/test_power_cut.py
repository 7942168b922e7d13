"""The power comes back: 5,000 boards ask in the same moment, and there is an update for all.

A router lets `AT_ONCE` connections through at a time, as an address translation or the kernel's
queue would do; the next board connects as one is done. What is in the rows is counted by the
database itself, at each offer.
"""

import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from benchmarks.polled import Polled, write

from ota_http_server.cli.token import SHELL
from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.simulation.board import Behaviour, Board, Did, Firmware
from ota_http_server.simulation.esp_idf import EspIdf
from ota_http_server.simulation.failed import Cut, Failed
from tests.devices.registry import rows_of
from tests.fleet import access, url
from tests.running import Server, wait_until

BOARDS = 5_000
AT_ONCE = 64
PLACES = 20
COME_BACK = 1_000
"""So many of them are watched as they come again, beside those that were offered the image."""
BAD_LINKS = 5
"""So many of those that are offered the image first lose the connection in the middle of it."""
POLL_SECONDS = 300
PIECE_BYTES = 16_384
FLASHING_SECONDS = 0.4
OLD, NEW = (
    esp_application(version=version, project="lamp", chip="esp32", payload_bytes=40_000)
    for version in ("1.0.0", "1.4.0")
)
COUNTING = """
CREATE TABLE under_way (count INTEGER);
CREATE TRIGGER offered AFTER INSERT ON attempts BEGIN
    INSERT INTO under_way SELECT count(*) FROM attempts
    WHERE is_open IS 1 AND state IN ('offered', 'downloading');
END;
"""


class Ledger:
    """What the boards see, all together."""

    def __init__(self):
        self._turn = threading.Lock()
        self._under_way = set()
        self.most_under_way = 0
        self.offered = Counter()
        self.cut = set()
        self.failures = []
        self.reasons = []
        self.waits = []

    def told(self, board, asked):
        with self._turn:
            self.waits.append((board.name, asked.wait_seconds))
            if asked.address is None:
                self.reasons.append(asked.reason)
                return
            self.offered[board.name] += 1
            self._under_way.add(board.name)
            self.most_under_way = max(self.most_under_way, len(self._under_way))
            if len(self.offered) <= BAD_LINKS:
                board.board.behaviour = Behaviour(cuts_after_bytes=PIECE_BYTES + 100)

    def has_nearly_all(self, board):
        with self._turn:
            self._under_way.discard(board.name)


class AwakenedBoard(EspIdf):
    """It has a place from the offer until it asks for the last piece: what comes after that it
    cannot see in the moment in which the server does."""

    def __init__(self, port, polled, running, ledger):
        board = Board(running)
        way_in = access(polled.credential)
        super().__init__(
            url(port, "/api/device/v1/check"),
            board,
            way_in,
            partial=True,
            resumes=True,
            piece_bytes=PIECE_BYTES,
        )
        self.line = self.ota.line
        self.name = polled.name
        self._ledger = ledger
        self._ask_for_piece, self.ota.piece = self.ota.piece, self._piece

    def read_check(self, answer):
        asked = super().read_check(answer)
        self._ledger.told(self, asked)
        return asked

    def _piece(self, address, first, size, **more):
        time.sleep(FLASHING_SECONDS)
        if first + PIECE_BYTES >= size:
            self._ledger.has_nearly_all(self)
        return self._ask_for_piece(address, first, size, **more)

    def wake(self):
        try:
            return self.step().did
        except Cut as cut:
            if self.board.behaviour.cuts_after_bytes is None:
                self._ledger.failures.append(f"{self.name}: {cut}")
            self._ledger.cut.add(self.name)
        except Failed as failed:
            self._ledger.failures.append(f"{self.name}: {failed}")
        return None


@pytest.fixture(scope="module", name="server")
def a_server_with_few_places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("herd")
    with Server(folder, "--workers", "2", "--poll-seconds", str(POLL_SECONDS)) as running:
        running.drop("lamp", "lamp-1.4.0.bin", NEW)
        running.await_served("lamp", "lamp-1.4.0.bin", NEW, running.mint("lamp"))
        yield running


def enrol(server):
    with rows_of(server) as ota:
        wait_until(lambda: ota.catalog.of("lamp").releases)
        ota.projects.settle(SHELL, "lamp", {"downloads_max": PLACES})
        herd = [Polled(f"board-{n:04d}", ota.opaque.new_credential()) for n in range(BOARDS)]
        ota.stores.database.change(lambda tx: write(tx, herd, "1.0.0"))
    time.sleep(2)  # by then both workers know how many places there are
    return herd


def verified(server, names):
    with rows_of(server) as ota, ota.stores.database.reading() as rows:
        states = {name: rows.attempts.latest_of(name) for name in names}
    return {name for name, attempt in states.items() if attempt and attempt.state == "verified"}


def test_after_a_power_cut_all_are_answered_and_no_more_download_than_may(server):
    ledger, running = Ledger(), Firmware.of(OLD)
    herd = [AwakenedBoard(server.port, one, running, ledger) for one in enrol(server)]
    rows = sqlite3.connect(server.data_dir / "ota.sqlite")
    rows.executescript(COUNTING)
    with ThreadPoolExecutor(AT_ONCE) as router:
        first = list(router.map(AwakenedBoard.wake, herd))
        at_first, ledger.reasons = Counter(ledger.reasons), []
        intervals = dict(ledger.waits)
        herd.sort(key=lambda board: intervals[board.name])
        again = [b for n, b in enumerate(herd) if n < COME_BACK or b.name in ledger.offered]
        second = list(router.map(AwakenedBoard.wake, again))
    with closing(rows):
        in_rows = [count for (count,) in rows.execute("SELECT count FROM under_way")]
    updated = {board.name for board in herd if board.board.true_version == "1.4.0"}

    assert ledger.failures == []
    assert len(ledger.waits) == BOARDS + len(again)
    assert set(at_first) == {"no-slot"}
    assert set(ledger.reasons) <= {"no-slot", "up-to-date"}
    assert max(in_rows) == PLACES
    assert 1 < ledger.most_under_way <= PLACES
    assert len(in_rows) == len(ledger.offered) > PLACES
    assert first.count(Did.UPDATED) > 0 < second.count(Did.UPDATED)
    # Who had begun came first: nobody who lost the connection had to queue again.
    assert len(ledger.cut) == BAD_LINKS
    assert ledger.cut <= updated == set(ledger.offered)
    early = {board.name for board, did in zip(again, second, strict=True) if did is Did.NOTHING}
    assert updated & early == verified(server, updated)
    assert_spread(ledger.waits, intervals)


def assert_spread(waits, intervals):
    """Each has an interval of its own, within a fifth, and together they fill that evenly."""
    assert all(wait == intervals[name] for name, wait in waits)
    seconds = Counter(intervals.values())
    assert 0.8 * POLL_SECONDS <= min(seconds) <= max(seconds) <= 1.2 * POLL_SECONDS
    assert len(seconds) > 0.9 * 0.4 * POLL_SECONDS
    assert max(seconds.values()) < BOARDS / 50
