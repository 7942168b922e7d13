"""A download in many ranges is one download, told of once."""

import pytest

from ota_http_server.http.exchange import FilePart
from ota_http_server.http.transfers import CUT_SECONDS, LINES_A_SECOND_MAX, Transfers
from ota_http_server.logs import TextLine

SIZE = 1000


class Connection:
    credentialed = False
    on_transfer = None


@pytest.fixture(name="now")
def a_time():
    return [100.0]


@pytest.fixture(name="transfers")
def some_transfers(now):
    return Transfers(monotonic=lambda: now[0])


@pytest.fixture(name="image")
def an_image(tmp_path):
    path = tmp_path / ("ab" * 32)
    path.write_bytes(bytes(SIZE))
    return path


@pytest.fixture(name="lines")
def the_lines(caplog):
    caplog.set_level("INFO")
    return lambda: [TextLine().format(r) for r in caplog.records if r.name.endswith(".download")]


def sent(transfers, image, start, length, address="192.0.2.1", arrived=None):
    connection = Connection()
    transfers.watch(connection, FilePart(image, start, length), address)
    # pylint: disable-next=not-callable  # `watch` made it so
    connection.on_transfer(length if arrived is None else arrived, arrived is None)


def test_the_ranges_of_an_image_are_summed_up_and_told_of_once(transfers, image, lines, now):
    for start in range(0, SIZE, 100):
        now[0] += 1
        sent(transfers, image, start, 100)

    (line,) = lines()
    assert "download finished" in line
    assert f"bytes={SIZE} of={SIZE} seconds=9.0" in line


def test_bytes_that_were_sent_twice_make_no_image_whole(transfers, image, lines):
    for _ in range(4):  # the line breaks each time, and it begins anew
        sent(transfers, image, 0, SIZE, arrived=600)
    cut_off = lines()
    sent(transfers, image, 500, 500)

    assert not cut_off
    (line,) = lines()
    assert "download finished" in line
    assert f"bytes={4 * 600 + 500} of={SIZE}" in line


def test_a_device_has_an_image_when_all_of_it_went_out(image, now):
    heard = []
    transfers = Transfers(
        monotonic=lambda: now[0],
        heard=lambda device, sha256, sent_bytes, whole: heard.append((sent_bytes, whole)),
    )
    for start, length in ((0, 100), (900, 100), (100, 700), (0, 300), (800, 200)):
        connection = Connection()
        transfers.watch(connection, FilePart(image, start, length), "192.0.2.1", "board")
        # pylint: disable-next=not-callable  # `watch` made it so
        connection.on_transfer(length, True)

    assert heard == [(100, False), (100, False), (700, False), (300, False), (200, True)]


def test_two_callers_are_two_downloads(transfers, image, lines):
    sent(transfers, image, 0, 600, "192.0.2.1")
    sent(transfers, image, 0, 600, "192.0.2.2")

    assert not lines()


def test_what_was_cut_off_is_told_of_after_a_silence(transfers, image, lines, now):
    sent(transfers, image, 0, SIZE, arrived=300)
    transfers.log_the_silent()
    early = lines()
    now[0] += CUT_SECONDS + 1
    transfers.log_the_silent()
    transfers.log_the_silent()

    assert not early
    (line,) = lines()
    assert "download stopped" in line
    assert f"bytes=300 of={SIZE}" in line


def test_a_flood_of_downloads_fills_no_log(transfers, image, lines, now):
    for _ in range(1000):
        sent(transfers, image, 0, SIZE)
    transfers.log_the_silent()
    flood = lines()
    now[0] += 1
    sent(transfers, image, 0, SIZE)
    transfers.log_the_silent()

    assert len(flood) == LINES_A_SECOND_MAX + 1
    assert f"count={1000 - LINES_A_SECOND_MAX}" in flood[-1]
    assert [len(lines()), "download finished" in lines()[-1]] == [len(flood) + 1, True]
