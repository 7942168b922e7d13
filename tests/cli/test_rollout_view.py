"""What `rollouts` draws, as text: bars that read without colour, tables, durations and stages."""

from dataclasses import replace

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.cli.durations import duration, span
from ota_http_server.cli.rollout_options import stage, words_of
from ota_http_server.cli.rollout_view import (
    BAR_WIDTH,
    Seen,
    bar_of,
    coloured,
    drawn,
    fitted,
    headline,
    in_a_line,
    legend,
    planned,
    what_counts,
)
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.rollout import Rollout, State, Target
from ota_http_server.domain.rollout_health import Tally
from ota_http_server.domain.rollout_plan import Policy, Stage
from ota_http_server.domain.selection import Selection
from ota_http_server.operations.rollout_wish import RolloutWish
from ota_http_server.operations.show_rollout import Shown, StageShown

ROLLOUT = Rollout(
    id=3,
    project="lamp",
    release=1,
    version="1.4.0",
    salt=b"salt",
    stages=(Stage(500, 60, 2), Stage(10_000, 3_600, 0)),
)
counts = st.integers(0, 60_000)
tallies = st.builds(
    Tally,
    **dict.fromkeys(
        ("offered", "downloading", "installed", "verified", "failed", "rolled_back", "silent"),
        counts,
    ),
)


def a_stage(percent, devices, tally=None, dwell=60, verified_min=1):
    return StageShown(
        percent=percent,
        dwell_seconds=dwell,
        verified_min=verified_min,
        devices=devices,
        tally=tally,
    )


def seen(*stages, rollout=ROLLOUT, waits_for=None, wrong=(), left_out=None):
    told = [one.tally or Tally() for one in stages]
    names = Tally.__dataclass_fields__
    whole = Tally(**{name: sum(getattr(one, name) for one in told) for name in names})
    shown = Shown(
        rollout=rollout, tally=whole, waits_for=waits_for, stages=stages, left_out=left_out
    )
    return Seen(shown, wrong)


def test_the_picture_says_how_far_how_well_and_what_it_waits_for():
    first = Tally(verified=4, failed=1, rolled_back=1, silent=1, downloading=2)
    picture = drawn(
        seen(
            a_stage(5.0, 10, first),
            a_stage(100.0, 200, Tally()),
            waits_for="6 more seconds in this stage",
            wrong=(("dev-7", "rolled_back"), ("dev-9", "failed")),
            rollout=replace(ROLLOUT, stage_seconds=54),
        )
    )

    assert picture == [
        "rollout 3 of lamp 1.4.0 is running, stage 1 of 2 (5 %)",
        "54s in this stage; waits for 6 more seconds in this stage",
        "",
        "      up to   devices",
        "> 1     5 %        10  [################xxxxxxxx????>>>>>>>>....]",
        "  2   100 %       190  [........................................]",
        "",
        "# 4 verified   x 2 failed (1 rolled back)   ? 1 silent   > 2 under way"
        "   . 191 nothing yet",
        "",
        "It went wrong on:",
        "  dev-7                                rolled back",
        "  dev-9                                failed",
        "  … and 1 more",
        "Why: ota_http_server devices explain dev-7",
    ]


def test_what_halted_it_and_who_lets_it_go_on_stand_at_the_top():
    halted = replace(ROLLOUT, state=State.HALTED, reason="3 of 12 devices failed (25.0 %)")

    lines = drawn(seen(a_stage(5.0, 10, Tally()), a_stage(100.0, 200, Tally()), rollout=halted))

    assert lines[:2] == [
        "rollout 3 of lamp 1.4.0 is halted, stage 1 of 2 (5 %): 3 of 12 devices failed (25.0 %)",
        "it goes on when somebody says so: ota_http_server rollouts resume 3 --reason …, or abort",
    ]


def test_whom_it_is_for_is_said_where_somebody_said_it():
    target = Target(Selection.parse("tag==roof"), frozenset(f"dev-{n}" for n in range(7)))
    chosen = replace(ROLLOUT, target=target, canaries=frozenset({"desk"}), takes_back=9)

    lines = drawn(seen(a_stage(5.0, 1, Tally()), a_stage(100.0, 2, Tally()), rollout=chosen))

    assert lines[2:7] == [
        "back to 1.4.0, for devices with the tag accepts-downgrade",
        "for tag==roof",
        "for dev-0, dev-1, dev-2, dev-3, dev-4 and 2 more alone",
        "canaries: desk",
        "",
    ]


def test_a_finished_one_marks_no_stage_and_says_since_when():
    done = replace(ROLLOUT, state=State.FINISHED, stage=1, changed_at=1_760_000_000)

    lines = drawn(seen(a_stage(5.0, 1, Tally()), a_stage(100.0, 2, Tally()), rollout=done))

    assert lines[0] == "rollout 3 of lamp 1.4.0 is finished (100 %)"
    assert lines[1] == "since 2025-10-09 08:53:20 UTC"
    assert not any(line.startswith(">") for line in lines)


def test_a_reason_cannot_forge_a_line():
    forged = replace(ROLLOUT, reason="fine\nrollout 4 is finished\x1b[2J")

    assert headline(forged).endswith("(5 %): fine\\nrollout 4 is finished\\x1b[2J")


@given(tallies, counts)
def test_a_bar_has_its_width_and_shows_whatever_there_is(tally, devices):
    bar = bar_of(ROLLOUT, tally, devices)

    assert len(bar) == BAR_WIDTH
    assert ("#" in bar) == (tally.verified > 0)
    assert ("x" in bar) == (tally.failed + tally.rolled_back > 0)
    assert ("?" in bar) == (tally.silent > 0)
    assert (">" in bar) == (tally.pending > 0)
    assert ("." in bar) == (devices > tally.devices or tally.devices == 0)


def test_one_failure_among_thousands_is_seen():
    assert bar_of(ROLLOUT, Tally(verified=49_999, failed=1), 50_000) == "#" * 39 + "x"


def test_a_report_of_success_is_one_only_where_reports_are_believed():
    believing = replace(ROLLOUT, policy=Policy(counts_installed=True))

    assert bar_of(ROLLOUT, Tally(installed=2), 2) == ">" * BAR_WIDTH
    assert bar_of(believing, Tally(installed=2), 2) == "#" * BAR_WIDTH


def test_who_was_excused_has_a_mark_only_where_there_is_one():
    both = seen(a_stage(100.0, 4, Tally(verified=2, excused=2)))

    assert bar_of(ROLLOUT, both.shown.tally, 4) == "#" * 20 + "-" * 20
    assert "- 2 excused" in legend(both.shown)
    assert "excused" not in legend(seen(a_stage(100.0, 4, Tally())).shown)


def test_what_was_not_counted_is_not_told():
    assert "nothing yet" not in legend(seen(a_stage(100.0, None)).shown)


def test_colour_adds_nothing_but_colour(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = "> 1     5 %         10  [##xx??>>..]\n# 1 verified   x 2 failed [sic]"

    assert coloured(text) != text
    assert click.unstyle(coloured(text)) == text
    assert "[sic]" in coloured(text)
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured(text) == text


def test_a_small_terminal_gets_what_fits_and_no_broken_line():
    assert fitted(["abcdef", "b", "c"], columns=5, rows=3) == ["abcd", "b"]


def test_a_line_for_a_log_names_what_there_is():
    one = seen(a_stage(100.0, 40, Tally(verified=12, rolled_back=1, offered=3)))

    assert in_a_line(one) == (
        "rollout 3 of lamp 1.4.0 is running, stage 1 of 2 (5 %); 12 verified, 1 failed, 3 under way"
    )


def test_time_alone_is_no_change():
    before = seen(a_stage(100.0, 40, Tally(offered=3)), waits_for="9 more seconds")
    later = replace(ROLLOUT, stage_seconds=5, changed_at=9, edition=2)
    after = seen(a_stage(100.0, 41, Tally(offered=3)), rollout=later, waits_for="4 more seconds")
    other = seen(a_stage(100.0, 40, Tally(offered=2, failed=1)))

    assert what_counts(before) == what_counts(after)
    assert what_counts(before) != what_counts(other)


def test_a_plan_is_a_table():
    stages = (a_stage(1.29, 1, dwell=5_400), a_stage(100.0, 12_345, dwell=0, verified_min=50))

    assert planned(stages) == [
        "stage    up to  devices now  at least for  until so many run it",
        "    1   1.29 %            1         1h30m                       1",
        "    2    100 %       12,345            0s                      50",
    ]


@given(st.integers(0, 10**8))
def test_a_duration_is_read_as_it_is_written(seconds):
    assert duration(span(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("2h", 7_200), ("1d", 86_400), ("90", 90), (" 1H30M ", 5_400)],
)
def test_durations_are_written_as_people_do(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "5w", "1.5h", "1h30", "30m1h", "9" * 20, "s"])
def test_what_is_no_duration_is_refused_with_what_is_one(text):
    with pytest.raises(Invalid, match="write 30s, 10m, 2h, 1d"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", {"percent": 5.0}),
        ("0.5%", {"percent": 0.5}),
        ("25,2h", {"percent": 25.0, "dwell_seconds": 7_200}),
        ("25 % , 90 , 10", {"percent": 25.0, "dwell_seconds": 90, "verified_min": 10}),
        ("25,,10", {"percent": 25.0, "verified_min": 10}),
    ],
)
def test_a_stage_is_up_to_three_words(text, said):
    assert stage(text) == said


@pytest.mark.parametrize("text", ["", "five", "5,1h,2,3", "5,1h,few", "-1", "1.2.3", "5;1h", "."])
def test_what_is_no_stage_is_refused_with_what_is_one(text):
    with pytest.raises(Invalid, match="write PERCENT"):
        stage(text)


def test_devices_are_chosen_by_all_that_is_said_of_them():
    nothing = {"select": None, "tag": (), "chip": (), "board": (), "channel": ()}
    said = nothing | {"select": "version<1.4", "tag": ("roof", "a b"), "chip": ("ESP32-S3",)}

    select = words_of("1.4.0", said)["select"]

    assert select == "version<1.4 and tag=in=(roof,'a b') and chip==esp32s3"
    assert words_of("1.4.0", nothing) == {"version": "1.4.0"}
    assert RolloutWish.of("lamp", words_of("1.4.0", said)).target.selection.text == select


def test_boards_that_are_in_no_stage_are_told_of_with_the_reason():
    one = seen(a_stage(100.0, 40), left_out={"up-to-date": 2, "wrong-chip": 1_000})

    line = drawn(one)[-1]

    assert line.endswith("could not be offered to them now: 2 up-to-date, 1,000 wrong-chip")
