"""The bench: its table, its verdicts, its rivals and load makers. What they measure, it shows."""

import http.server
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import jwt
import pytest
from benchmarks import __main__ as bench
from benchmarks import commits, crowd, goosebit, herd, polls, publishing, slow_readers
from benchmarks.contestants import FLASK, GOOSEBIT, NGINX, WE, Absent, ask, free_port, running
from benchmarks.flask_development_server import create_app
from benchmarks.loads import LoadFailed, handshakes_result, run_wrk, wrk_result
from benchmarks.polled import Polled, written
from benchmarks.processes import (
    cpu_seconds,
    forget_peak,
    peak_bytes,
    pss_bytes,
    resident_bytes,
    started,
    tree,
)
from benchmarks.reader import Target
from benchmarks.rows import ROWS, Promise, Row
from benchmarks.stage import IMAGE_PATH, PROJECT, VERSIONS_PATH, prepare
from benchmarks.table import Line, in_words, render
from benchmarks.throughput import Found, Run, lines, notes

ROOT = Path(__file__).resolve().parent.parent
linux = pytest.mark.skipif(sys.platform != "linux", reason="the bench reads Linux's /proc")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("bench"))


def a_row(*promises, **more):
    return Row("work", "some work", lambda *_: None, promises, **more)


def line(row, made):
    return lines(row, made)[0]


def runs(we, nginx, flask, *, our_errors=0):
    return {
        WE: [Run(rate, 0.5, our_errors) for rate in we],
        NGINX: [Run(rate, 0.25, 0) for rate in nginx],
        FLASK: [Run(rate, 2.0, 0) for rate in flask],
    }


def slow(**changed):
    facts = {
        "readers": 100,
        "full_rate": 100,
        "failed": 0,
        "failures": (),
        "poll_p99_ms": 5.0,
        "polls_failed": 0,
        "reader_kb": 20.0,
        "kernel_kb": 700.0,
    }
    return crowd.Slow(**facts | changed)


def test_the_table_has_a_column_for_everybody_and_says_no_where_a_figure_is_missed():
    kept = Line("small", {WE: "10", NGINX: "20"}, "0.50 × nginx", "≥ 0.40 × nginx", True)
    missed = Line("big", {WE: "1"}, met=False)

    table = render([kept, missed], ["a word"]).splitlines()

    cells = [[cell.strip() for cell in text.strip("|").split("|")] for text in table[:4]]
    assert cells[0] == ["work", "we", "nginx", "Flask dev", "gooseBit", *cells[0][5:]]
    assert cells[0][5:] == ["ratio", "promised", "met?"]
    assert cells[2] == ["small", "10", "20", "–", "–", "0.50 × nginx", "≥ 0.40 × nginx", "yes"]
    assert cells[3] == ["big", "1", "–", "–", "–", "–", "–", "NO"]
    assert len({len(text) for text in table[:4]}) == 1
    assert table[4:] == ["", "- a word"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(0.0412, "0.0412"), (9.876, "9.88"), (123.4, "123"), (1_234, "1,230"), (98_765, "98,800")],
)
def test_a_figure_has_three_digits_that_count(number, words):
    assert words == in_words(number)


def test_a_row_shows_medians_cpu_and_how_the_promise_was_kept():
    row = a_row(Promise(FLASK, 10), Promise(NGINX, 0.22), in_bytes=True)

    shown = line(row, runs([9e8, 1e9, 5e9], [2e9, 2e9, 1e8], [1e8, 5e7, 1e8]))

    assert shown.figures == {WE: "1,000 (0.50)", NGINX: "2,000 (0.25)", FLASK: "100 (2.00)"}
    assert shown.ratio == "10 × Flask dev · 0.50 × nginx"
    assert shown.promised == "≥ 10 × Flask dev · ≥ 0.22 × nginx"
    assert shown.met


def test_one_of_two_promises_missed_is_missed():
    row = a_row(Promise(FLASK, 10), Promise(NGINX, 0.22))

    assert not line(row, runs([100], [500], [9])).met


def test_an_answer_with_an_error_keeps_no_promise_and_is_noted():
    row = a_row(Promise(NGINX, 0.5))
    found = runs([100, 100], [100, 100], [1, 1], our_errors=3)

    assert not line(row, found).met
    assert notes([row], Found({"work": found})) == ["work: we had 6 errors"]


def test_a_rival_that_cannot_be_had_is_named_and_the_row_goes_on():
    row = a_row(Promise(GOOSEBIT, 8), contestants=(WE, GOOSEBIT))
    made = {WE: [Run(100, 0.5, 0)], GOOSEBIT: []}

    shown = line(row, made)

    assert shown.figures == {WE: "100 (0.50)", GOOSEBIT: "absent"}
    assert (shown.ratio, shown.promised, shown.met) == ("–", "≥ 8 × gooseBit", None)
    found = Found({"work": made}, {GOOSEBIT: "gooseBit 0.2.12 could not be installed: no pip"})
    assert notes([row], found) == ["gooseBit 0.2.12 could not be installed: no pip"]


@pytest.mark.parametrize(("count", "met"), [(0, True), (3, True), (4, False)])
def test_who_writes_nothing_at_once_commits_once_in_five_seconds_and_worker_and_for_the_lease(
    count, met
):
    row = a_row(contestants=(WE,), writes_nothing=True)

    _, wrote = lines(row, {WE: [Run(9, 1, 0, 2.0, 0), Run(9, 1, 0, 2.0, count)]})

    assert (wrote.work, wrote.figures) == ("work: commits in 2 s", {WE: str(count)})
    assert (wrote.promised, wrote.met) == ("≤ 3", met)


def test_a_rival_that_did_nothing_is_no_measure():
    assert not line(a_row(Promise(NGINX, 0.5)), runs([100], [0], [1])).met


@pytest.mark.parametrize(
    ("changed", "met"),
    [
        ({}, [True, True, True]),
        ({"full_rate": 99}, [False, True, True]),
        ({"poll_p99_ms": 30.0}, [True, False, True]),
        ({"polls_failed": 1}, [True, False, True]),
        ({"reader_kb": 40.5}, [True, True, False]),
    ],
)
def test_each_line_about_slow_readers_has_its_own_verdict(changed, met):
    assert met == [one.met for one in crowd.lines({WE: slow(**changed)}, tls=False)]


def test_over_tls_a_reader_may_cost_more_memory():
    (*_, plain), (*_, tls) = (
        crowd.lines({WE: slow(reader_kb=117.0)}, tls=secure) for secure in (False, True)
    )

    assert (plain.met, tls.met) == (False, True)


def test_every_row_of_the_promise_is_measured():
    assert {row.key: [(p.of, p.at_least) for p in row.promises] for row in ROWS} == {
        "versions": [(FLASK, 8)],
        "versions-new": [(FLASK, 4)],
        "whole": [(NGINX, 0.5)],
        "tail": [(NGINX, 0.6)],
        "pieces": [(FLASK, 10), (NGINX, 0.22)],
        "small-pieces": [],
        "small-pieces-opaque": [],
        "ddi-poll": [(GOOSEBIT, 8)],
        "check": [],
        "tls-whole": [(NGINX, 0.7)],
        "tls-new": [(NGINX, 0.35)],
    }


def test_what_wrk_says_at_its_end_is_read():
    said = 'Running 1s test\nRESULT {"requests": 3, "bytes": 90, "seconds": 1.5, "errors": 0}\n'

    load = wrk_result(said)

    assert (load.requests, load.bytes, load.seconds, load.errors) == (3, 90, 1.5, 0)


def test_a_load_maker_that_fails_is_not_taken_for_a_slow_server():
    with pytest.raises(LoadFailed, match="unable to connect"):
        wrk_result("", "unable to connect to 127.0.0.1")


def test_handshakes_are_counted_as_openssl_says_them():
    said = "*****\n\n1580 connections in 0.74s; 2135.14 connections/user sec, bytes read 8154380\n"

    assert handshakes_result(said) == (1580, 8154380)
    assert handshakes_result("ERROR\n") == (0, 0)


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed():
    assert [polls.percentile([4.0, 1.0, 3.0, 2.0], p) for p in (1, 50, 99)] == [1.0, 2.0, 4.0]
    assert polls.percentile([float(n) for n in range(1, 101)], 99) == 99


def test_missing_tools_are_named_with_what_installs_them():
    assert bench.missing(lambda _name: "/usr/bin/it") == ""
    assert (
        bench.missing({"openssl": "/usr/bin/openssl"}.get)
        == "the bench needs wrk, nginx: apt-get install wrk nginx"
    )


def test_without_its_tools_the_bench_starts_nothing_and_exits_with_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "apt-get install wrk" in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_too_many_readers_for_the_files_that_may_be_open_are_refused_in_words():
    assert "raise ulimit -Hn" in bench.too_few_files(10**9)


def test_the_rival_verifies_each_token(stage):
    client = create_app(stage.www / "firmware", stage.secret).test_client()
    claims = jwt.decode(stage.token(), options={"verify_signature": False})
    forged = jwt.encode(claims, "x" * 32, algorithm="HS256")
    foreign = jwt.encode(claims | {"project": "other"}, stage.secret, algorithm="HS256")
    late = jwt.encode(claims | {"exp": 1}, stage.secret, algorithm="HS256")

    def status(token):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return client.get(VERSIONS_PATH, headers=headers).status_code

    assert [status(token) for token in (stage.token(), None, forged, late, foreign)] == [
        200,
        401,
        401,
        401,
        404,
    ]
    assert client.get(f"{VERSIONS_PATH}?token={stage.token()}").status_code == 200


def test_the_rival_lists_the_versions_of_the_folder_in_their_order(tmp_path, stage):
    project = tmp_path / PROJECT
    project.mkdir()
    for name in ("lamp-1.10.bin", "lamp-1.9.0.bin", "readme.txt"):
        (project / name).touch()
    client = create_app(tmp_path, stage.secret).test_client()

    answer = client.get(f"{VERSIONS_PATH}?token={stage.token()}")

    assert answer.json == {"versions": ["1.9.0", "1.10"], "count": 2, "latest": "1.10"}


@linux
@pytest.mark.parametrize(
    ("name", "tls"),
    [
        pytest.param(NGINX, False, marks=pytest.mark.needs("nginx")),
        pytest.param(NGINX, True, marks=pytest.mark.needs("nginx")),
        (FLASK, False),
        (WE, False),
        (WE, True),
    ],
)
def test_every_contestant_starts_proves_itself_and_leaves_nothing_behind(stage, name, tls):
    with running(name, stage, tls=tls) as server:
        members = tree(server.pid)
        memory = pss_bytes(server.pid)
        used = cpu_seconds(server.pid)

    assert memory > 1_000_000
    assert used >= 0
    assert not [pid for pid in members if is_running(pid)]


@linux
def test_a_child_and_its_children_end_even_when_the_block_fails(tmp_path):
    stubborn = (
        "import signal, subprocess, sys, time;"
        "subprocess.Popen([sys.executable, '-c', "
        "'import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(600)']);"
        "time.sleep(600)"
    )
    members = []

    with (
        pytest.raises(ZeroDivisionError),
        started([sys.executable, "-c", stubborn], tmp_path / "log", os.environ, tmp_path) as child,
    ):
        deadline = time.monotonic() + 30
        while len(members) < 2 and time.monotonic() < deadline:
            members = tree(child.pid)
        raise ZeroDivisionError

    assert len(members) == 2
    assert not [pid for pid in members if is_running(pid)]


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state != b"Z"


class Origin(http.server.BaseHTTPRequestHandler):
    """A small image for whoever shows the token."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    body = bytes(3_000)
    announced = None

    def do_GET(self):
        known = self.headers["Authorization"] == "Bearer t"
        self.server.asked.append(self.path)
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(self.announced or len(self.body)))
        if self.path == "/close":
            self.send_header("Connection", "close")
        if self.path == "/leave":
            self.close_connection = True  # as a server whose patience with an idle one is over
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args):
        """Nobody reads it."""


@pytest.fixture
def origin():
    handler = type("Handler", (Origin,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def read_slowly(port, path, tokens):
    return slow_readers.measure(
        Target(port, path), tokens, rate=20_000, ramp_seconds=0.1, seconds=0.6
    )


@linux
def test_the_devices_of_the_bench_have_credentials_of_their_own_and_nothing_to_do(stage):
    with running(WE, stage, tls=False) as server:
        polled = [ask(server, stage, *one.poll) for one in server.polled[:20]]
        checked = [ask(server, stage, *one.check) for one in server.polled[:20]]

    assert len({one.credential for one in server.polled}) == len(server.polled) == 500
    assert {(status, json.dumps(json.loads(body)["_links"])) for status, body in polled} == {
        (200, "{}")
    }
    assert {(status, json.loads(body)["reason"]) for status, body in checked} == {
        (200, "up-to-date")
    }


@pytest.mark.parametrize(
    ("changed", "met"),
    [
        ({}, True),
        ({"answered_ms": (1_000.0,)}, False),
        ({"offers": 21}, False),
        ({"failures": {"status 503": 1}}, False),
    ],
)
def test_a_herd_is_answered_within_a_second_without_a_failure_or_an_offer_too_many(changed, met):
    facts = {"devices": 5_000, "answered_ms": (999.0,), "offers": 20, "failures": {}} | changed

    bounded, boundless = herd.lines([herd.Herd(at_once=n, **facts) for n in (256, 5_000)])

    assert bounded.met is met
    assert boundless.met is (False if {"offers", "failures"} & set(changed) else None)


@linux
@pytest.mark.parametrize("at_once", [10, 100])
def test_a_herd_asks_and_few_are_offered_a_place(stage, at_once):
    with running(WE, stage, tls=False) as server:
        credentials = herd.enrolled(server, stage, 100)
        time.sleep(herd.SETTLED_SECONDS)
        found = herd.power_comes_back(server.port, credentials, at_once)

    assert (found.devices, len(found.answered_ms), found.offers) == (100, 100, 20)
    assert found.failures == {}
    assert 0 < found.p50_ms <= found.p99_ms


def test_a_herd_that_is_refused_or_meets_nobody_has_failed(origin):
    refused = herd.power_comes_back(origin.server_port, ["wrong"] * 3, 3)
    nobody = herd.power_comes_back(free_port(), ["t"] * 3, 2)

    assert refused.failures == {"status 401": 3}
    assert sum(nobody.failures.values()) == 3


@linux
@pytest.mark.needs("wrk")
def test_requests_of_a_file_take_their_turns(origin, tmp_path):
    requests = [(f"/stay/{name}", {"Authorization": "Bearer t"}) for name in "abcde"]
    file = written(tmp_path / "requests", requests)

    load = run_wrk(
        f"http://127.0.0.1:{origin.server_port}/", {}, connections=2, seconds=1, requests=file
    )

    assert load.errors == 0
    asked = [origin.asked.count(path) for path, _ in requests]
    assert min(asked) > 0
    assert max(asked) - min(asked) <= 4


@linux
@pytest.mark.needs("wrk")
def test_a_stranger_in_the_file_of_requests_is_an_error(origin, tmp_path):
    requests = [("/stay", {"Authorization": "Bearer t"}), ("/stay", {"Authorization": "Bearer no"})]
    file = written(tmp_path / "requests", requests)

    load = run_wrk(
        f"http://127.0.0.1:{origin.server_port}/", {}, connections=2, seconds=1, requests=file
    )

    assert load.errors == pytest.approx(load.requests / 2, abs=2)


def test_a_rival_that_wants_no_token_is_shown_none():
    assert Polled("d1").poll == ("/DEFAULT/controller/v1/d1", {})


def test_what_cannot_be_installed_is_absent_and_says_why(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(Absent, match=r"gooseBit 0\.2\.12 could not be installed: .*file"):
        goosebit.installed(tmp_path / "file" / "goosebit")


def test_what_was_installed_is_taken_as_it_is(tmp_path):
    (tmp_path / "complete").touch()

    assert goosebit.installed(tmp_path) == tmp_path


def test_each_python_has_a_virtualenv_of_its_own_in_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    folder = goosebit.cache_folder()

    assert folder.is_relative_to(tmp_path)
    assert folder.name.endswith(f"python{sys.version_info.major}.{sys.version_info.minor}")


@linux
@pytest.mark.skipif(
    not (goosebit.cache_folder() / "complete").exists(), reason="`make bench` gets gooseBit"
)
def test_goosebit_starts_by_its_own_recipe_and_has_nothing_for_its_devices(stage):
    with goosebit.running(stage) as server:
        status, body = ask(server, stage, *server.polled[7].poll)

    assert (status, json.loads(body)["_links"]) == (200, {})


def test_commits_of_others_are_counted(tmp_path):
    with sqlite3.connect(tmp_path / "rows") as rows:
        rows.execute("PRAGMA journal_mode = WAL")
        rows.execute("CREATE TABLE visits (at)")
    rows.commit()

    with commits.counted(tmp_path / "rows") as quiet:
        rows.execute("SELECT * FROM visits").fetchall()
    with commits.counted(tmp_path / "rows") as busy:
        for at in range(3):
            rows.execute("INSERT INTO visits VALUES (?)", (at,))
            rows.commit()
            time.sleep(20 * commits.ASK_SECONDS)
    rows.close()

    assert quiet.count == 0
    assert busy.count == 3


@pytest.mark.parametrize(("more_mb", "met"), [(31, True), (33, False)])
def test_whoever_publishes_may_take_so_much_more_memory(more_mb, met):
    made = [publishing.Published(0.5, 16_000_000, mb * 1_000_000) for mb in (1, more_mb)]

    shown = publishing.lines(publishing.Publishing(made, made))

    assert [one.met for one in shown] == [met, met]
    assert [one.figures[WE] for one in shown] == [f"{more_mb} (32)"] * 2


@linux
def test_publishing_16_mb_takes_less_than_32_mb_more_memory(stage):
    found = publishing.measure(stage, 1, lambda _text: None)

    (upload,), (command,) = found.uploads, found.commands
    assert upload.size == command.size > 16_000_000
    assert 0 < upload.more_bytes < 32_000_000
    assert command.more_bytes < 32_000_000


@linux
def test_the_peak_of_a_process_counts_from_when_it_was_forgotten():
    pid = os.getpid()
    assert len(b"y" * 80_000_000) == 80_000_000
    forget_peak(pid)
    before = resident_bytes(pid)
    after_nothing = peak_bytes(pid) - before
    held = b"x" * 50_000_000
    after_much = peak_bytes(pid) - before

    assert len(held) == 50_000_000
    assert after_nothing < 20_000_000 < 45_000_000 < after_much


@linux
@pytest.mark.parametrize("path", ["/stay", "/close", "/leave"])
def test_a_slow_reader_that_has_its_image_asks_again(origin, path):
    found = read_slowly(origin.server_port, path, ["t"] * 5)

    assert (found["readers"], found["failed"]) == (5, 0)
    assert len(origin.asked) > 5


@linux
def test_a_slow_reader_that_is_refused_has_failed_and_says_why(origin):
    found = read_slowly(origin.server_port, "/stay", ["t", "wrong"])

    assert found["failed"] == 1
    assert any("401" in failure for failure in found["failures"])


@linux
def test_a_slow_reader_that_is_cut_off_has_failed(origin):
    origin.RequestHandlerClass.announced = 4_000

    found = read_slowly(origin.server_port, "/leave", ["t"])

    assert found["failed"] == 1
    assert found["failures"] == ["reading: the server left"]


@linux
def test_a_slow_reader_without_a_server_has_failed():
    found = read_slowly(free_port(), "/stay", ["t"])

    assert (found["full_rate"], found["failed"]) == (0, 1)


def test_polls_that_fail_are_counted(origin):
    good = polls.measure(origin.server_port, "/stay", "t", 0.2, None)
    bad = polls.measure(origin.server_port, "/stay", "wrong", 0.2, None)

    assert (good["polls"], good["failed"]) == (10, 0)
    assert (bad["polls"], bad["failed"]) == (10, 10)
    assert 0 < good["p50_ms"] <= good["p99_ms"] <= good["most_ms"]


@linux
def test_the_slow_readers_take_tokens_from_a_pipe_and_answer_in_json(origin):
    options = ["--rate", "20000", "--ramp", "0.1", "--seconds", "0.3"]

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.slow_readers", str(origin.server_port), "/", *options],
        input="t\nt\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    ready, found = done.stdout.splitlines()
    assert ready == slow_readers.READY
    assert json.loads(found)["readers"] == 2


def test_the_image_of_the_bench_is_one_and_a_half_megabytes(stage):
    assert (stage.www / IMAGE_PATH.lstrip("/")).stat().st_size == stage.image_bytes
    assert pytest.approx(stage.image_bytes, rel=1e-3) == 1_500_000
