"""How fast bytes go out: never more than the rate says, in equal shares, and at no cost without."""

import heapq
from itertools import accumulate
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.esp_sample import esp_application
from ota_http_server.domain.operator import Operator
from ota_http_server.http.pace import (
    BLOCK_BYTES_MIN,
    BURST_SECONDS,
    REST_SECONDS_MAX,
    Bucket,
    Flow,
    Pace,
)
from tests.http.test_lane import Wrapped, answered, bearing, environ
from tests.instance import Instance

RATE = 64 * 4_096  # blocks of 4 KiB
BLOCK = 4_096
IMAGE = esp_application(payload_bytes=300_000)
PATH = "/firmware/lamp/lamp.bin"


class Clock:
    """Stands still, but for those who rest."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now

    def rest(self, seconds):
        self.now += seconds


@pytest.fixture(name="clock")
def a_clock():
    return Clock()


def a_pace(clock, rate=None, processes=1, **rates):
    pace = Pace(rate, lambda: rates, processes=processes, monotonic=clock)
    pace.refresh()
    return pace, rates


def sent_by(bucket, clock, senders):
    """(moment, bytes) in order, of senders who each send blocks, a pause before each of them."""
    sent = []
    waiting = [
        (clock.now + blocks[0][0], number, 0) for number, blocks in enumerate(senders) if blocks
    ]
    heapq.heapify(waiting)
    while waiting:
        clock.now, number, index = heapq.heappop(waiting)
        count = min(senders[number][index][1], bucket.block_bytes)
        due = max(clock.now, bucket.take(count))
        sent.append((due, count, number))
        if index + 1 < len(senders[number]):
            pause = senders[number][index + 1][0]
            heapq.heappush(waiting, (due + pause, number, index + 1))
    return sorted(sent)


pauses = st.just(0.0) | st.floats(0, 3)
blocks = st.tuples(pauses, st.integers(1, 300_000))
senders = st.lists(st.lists(blocks, max_size=12), min_size=1, max_size=6)
rates = st.integers(1_024, 10**8)


@given(rates, senders)
def test_in_no_span_of_time_go_out_more_bytes_than_the_rate_and_a_burst(rate, senders):
    clock = Clock()
    bucket = Bucket(rate, clock)

    sent = sent_by(bucket, clock, senders)

    totals = [0, *accumulate(count for _, count, _ in sent)]
    for first, (begin, _, _) in enumerate(sent):
        for last in range(first, len(sent)):
            seconds = sent[last][0] - begin
            most = rate * seconds + bucket.burst_bytes
            assert totals[last + 1] - totals[first] <= most * (1 + 1e-9) + 1


@given(rates, st.integers(1, 6), st.integers(1, 20))
def test_who_always_wants_more_has_all_of_the_rate_and_an_equal_share(rate, count, blocks_each):
    clock = Clock()
    begin, bucket = clock.now, Bucket(rate, clock)
    greedy = [[(0.0, 10**9)] * blocks_each for _ in range(count)]

    sent = sent_by(bucket, clock, greedy)

    total = sum(size for _, size, _ in sent)
    assert sent[-1][0] - begin <= total / rate + 1e-6
    so_far = [0] * count
    for _, _, number in sent[: count * (blocks_each - 1)]:
        so_far[number] += 1
        assert max(so_far) - min(so_far) <= bucket.burst_bytes / bucket.block_bytes + 1


@given(rates)
def test_a_burst_is_a_quarter_of_a_second_and_at_least_a_block(rate):
    bucket = Bucket(rate, Clock())

    assert bucket.burst_bytes == max(rate * BURST_SECONDS, bucket.block_bytes)
    assert bucket.block_bytes >= BLOCK_BYTES_MIN


def test_without_any_rate_nobody_asks(clock):
    pace, _ = a_pace(clock)

    assert not pace.is_on
    assert not Flow(pace, "lamp").is_paced


def test_a_download_is_as_fast_as_the_slower_of_its_two_rates(clock):
    pace, _ = a_pace(clock, 10 * RATE, lamp=RATE, plug=100 * RATE)

    seconds = {project: time_of(pace, clock, project) for project in ("lamp", "plug", "other")}

    assert seconds["lamp"] == pytest.approx(10 - BURST_SECONDS, abs=0.1)
    assert seconds["plug"] == pytest.approx(1, abs=0.3)
    assert seconds["other"] == pytest.approx(1, abs=0.3)


def time_of(pace, clock, project, size=10 * RATE):
    """The seconds that so many bytes take."""
    begin, flow = clock.now, Flow(pace, project)
    while size > 0:
        size -= flow.wait(size, clock.rest) if flow.is_paced else size
    return clock.now - begin


def test_who_waits_for_a_projects_rate_takes_nothing_from_the_others(clock):
    pace, _ = a_pace(clock, RATE, lamp=1_024)
    slow = Flow(pace, "lamp")
    slow.wait(BLOCK, clock.rest)
    begin = clock.now
    with pytest.raises(LookupError):
        slow.wait(BLOCK, gives_up)

    Flow(pace, "plug").wait(BLOCK, clock.rest)

    assert clock.now == begin


def gives_up(_seconds):
    raise LookupError


def test_the_processes_of_an_instance_share_its_rates(clock):
    pace, _ = a_pace(clock, 4 * RATE, processes=4, lamp=2 * RATE)

    assert [bucket.bytes_per_second for bucket in pace.buckets("lamp")] == [RATE / 2, RATE]
    assert [bucket.bytes_per_second for bucket in pace.buckets("plug")] == [RATE]


@pytest.mark.parametrize("new", [None, 10**9])
def test_a_rate_that_is_changed_counts_for_who_waits_already(clock, new):
    pace, rates = a_pace(clock, lamp=1_024)
    flow = Flow(pace, "lamp")
    while clock.now < 1_010:
        flow.wait(BLOCK, clock.rest)
    rests = []

    def rest(seconds):
        rests.append(seconds)
        clock.rest(seconds)
        rates.clear()
        rates.update({} if new is None else {"lamp": new})
        pace.refresh()

    assert flow.wait(BLOCK, rest) == BLOCK
    assert len(rests) == 1
    assert rests[0] <= REST_SECONDS_MAX


def test_a_lower_rate_counts_soon_too(clock):
    pace, rates = a_pace(clock, lamp=10**8)
    time_of(pace, clock, "lamp", 10**8)
    rates["lamp"] = RATE
    pace.refresh()

    assert time_of(pace, clock, "lamp") == pytest.approx(10 - BURST_SECONDS, abs=0.1)


def test_the_same_rate_learnt_again_gives_no_new_burst(clock):
    pace, _ = a_pace(clock, RATE, lamp=RATE)
    before = pace.buckets("lamp")

    pace.refresh()

    assert pace.buckets("lamp") is before


# --- the lane under a server that is not ours


@pytest.fixture(name="ota")
def an_instance(tmp_path, monkeypatch):
    with Instance(tmp_path, download_bytes_per_second=RATE) as ota:
        ota.drop("lamp", "lamp.bin", IMAGE)
        sleeps = SimpleNamespace(sleep=ota.clock.pass_seconds)
        monkeypatch.setattr("ota_http_server.http.lane.time", sleeps)
        yield ota


@pytest.mark.parametrize("range_", [None, "bytes=0-", "bytes=0-99999,100000-299999"])
def test_the_lane_sends_the_blocks_itself_where_a_wrapper_knows_no_rate(ota, range_):
    asked = bearing(ota.mint("lamp"), **({"range": range_} if range_ else {}))
    begin = ota.clock.monotonic()

    status, _, content = answered(ota.app, asked | {"wsgi.file_wrapper": Wrapped})

    assert status in (200, 206)
    assert range_ not in (None, "bytes=0-") or content == IMAGE
    assert ota.clock.monotonic() - begin >= len(content) / RATE - BURST_SECONDS - 0.1


def test_its_blocks_are_small_enough_to_share_the_line(ota):
    body = ota.app(bearing(ota.mint("lamp")), lambda _status, _fields: None)

    sizes = [len(block) for block in body]
    body.close()
    assert max(sizes) == BLOCK
    assert sum(sizes) == len(IMAGE)


def test_a_projects_own_rate_is_learnt_by_the_chore(ota):
    wish = {"download_bytes_per_second": 1_024}
    ota.ota.projects.settle(Operator("test", None), "lamp", wish)
    chores = {chore.name: chore for chore in ota.app.extensions["background"]._chores}
    chores["learning rates"].work()
    begin = ota.clock.monotonic()

    ota.get(PATH, ota.mint("lamp"), Range="bytes=0-20479")

    assert ota.clock.monotonic() - begin >= 18


@pytest.mark.parametrize("range_", [None, "bytes=5-", "bytes=0-9,20-29"])
def test_without_a_rate_no_answer_asks_for_its_turn(tmp_path, monkeypatch, range_):
    def asked(*_):
        raise AssertionError("there is no rate")

    monkeypatch.setattr(Flow, "wait", asked)
    with Instance(tmp_path) as ota:
        ota.drop("lamp", "lamp.bin", IMAGE)
        fields = {"Range": range_} if range_ else {}

        answer = ota.get(PATH, ota.mint("lamp"), **fields)

    assert answer.status_code in (200, 206)


def test_what_is_no_image_waits_for_nothing(ota, monkeypatch):
    token = ota.mint("lamp")
    monkeypatch.setattr(Flow, "wait", gives_up)

    assert answered(ota.app, environ(path="/firmware/lamp/versions", query=f"token={token}"))[2]
    assert ota.ask("HEAD", PATH, token).status_code == 200
