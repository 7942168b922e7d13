"""Maintenance windows: how they are written, and when they are open by the clock of a zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.windows import (
    LOOK_AHEAD_SECONDS,
    TEXT_CHARACTERS_MAX,
    WINDOWS_MAX,
    Window,
    any_open,
    next_opening,
    windows_of,
)

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
HOUR = 3_600
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def moment(text, zone="UTC", fold=0):
    """Unix seconds of a wall clock's time; `fold` 1 is the second one of an hour that repeats."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp())


def opening(text, at):
    return next_opening([Window.parse(text)], at)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Mon-Fri 09:00-17:00 Europe/Berlin", "Mon-Fri 09:00-17:00 Europe/Berlin"),
        ("22:00-04:00 UTC", "22:00-04:00 UTC"),
        ("Sat,Sun 00:00-24:00 America/New_York", "Sat,Sun 00:00-24:00 America/New_York"),
        ("Mon-Fri,Sun 08:30-12:00 Asia/Tokyo", "Mon-Fri,Sun 08:30-12:00 Asia/Tokyo"),
        ("  mon-FRI \t 9:00-17:00   Europe/Berlin ", "Mon-Fri 09:00-17:00 Europe/Berlin"),
        ("Sat, Sun 09:00 - 17:00 UTC", "Sat,Sun 09:00-17:00 UTC"),
        ("Mon - Fri , Sun 09:00 -17:00 UTC", "Mon-Fri,Sun 09:00-17:00 UTC"),
        ("Sun,Sat,Sat 09:00-17:00 UTC", "Sat,Sun 09:00-17:00 UTC"),
        ("Sat-Sun 09:00-17:00 UTC", "Sat,Sun 09:00-17:00 UTC"),
        ("Mon,Tue,Wed,Fri 09:00-17:00 UTC", "Mon-Wed,Fri 09:00-17:00 UTC"),
        ("Fri-Mon 09:00-17:00 UTC", "Mon,Fri-Sun 09:00-17:00 UTC"),
        ("Tue-Tue 09:00-17:00 UTC", "Tue 09:00-17:00 UTC"),
        ("Mon-Sun 09:00-17:00 UTC", "09:00-17:00 UTC"),
        ("Wed-Tue 09:00-17:00 UTC", "09:00-17:00 UTC"),
        ("22:00-00:00 UTC", "22:00-24:00 UTC"),
        ("00:00-23:59 Etc/GMT+5", "00:00-23:59 Etc/GMT+5"),
        ("09:00-17:00 America/Argentina/ComodRivadavia",) * 2,
    ],
)
def test_a_window_is_written_as_people_write_it_and_kept_in_one_spelling(text, canonical):
    assert Window.parse(text).text == canonical


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "is a text such as"),
        (7, "is a text such as"),
        (["22:00-04:00 UTC"], "is a text such as"),
        ("", "days, hours and a time zone"),
        ("UTC", "days, hours and a time zone"),
        ("Mon-Fri UTC", "days, hours and a time zone"),
        ("Mon Tue 09:00-17:00 UTC", "days, hours and a time zone"),
        ("09:00-17:00 UTC UTC", "days, hours and a time zone"),
        ("09:00-17:00 Etc/GMT -5", "days, hours and a time zone"),
        ("0:00-1:00 UTC" + " " * TEXT_CHARACTERS_MAX, "at most"),
        ("Mo-Fr 09:00-17:00 UTC", "days are Mon, Tue"),
        ("Monday 09:00-17:00 UTC", "days are Mon, Tue"),
        ("Mon-Wed-Fri 09:00-17:00 UTC", "days are Mon, Tue"),
        ("Mon,,Tue 09:00-17:00 UTC", "days are Mon, Tue"),
        ("-Fri 09:00-17:00 UTC", "days are Mon, Tue"),
        ("Europe/Berlin 09:00-17:00", "days are Mon, Tue"),
        ("9-17 UTC", "written like 09:00-17:00"),
        ("09:00 UTC", "written like 09:00-17:00"),
        ("09:60-17:00 UTC", "written like 09:00-17:00"),
        ("09:00:00-17:00:00 UTC", "written like 09:00-17:00"),
        ("٠٩:٠٠-17:00 UTC", "days, hours and a time zone"),
        ("0٩:00-17:00 UTC", "written like 09:00-17:00"),
        ("09:00-24:01 UTC", "from 00:00 to 24:00"),
        ("09:00-99:00 UTC", "from 00:00 to 24:00"),
        ("24:00-04:00 UTC", "begins before 24:00"),
        ("24:00-24:00 UTC", "begins before 24:00"),
        ("00:00-00:00 UTC", "whole day is 00:00-24:00"),
        ("12:00-12:00 UTC", "whole day is 00:00-24:00"),
        ("Mon-Fri 09:00-17:00", "needs a time zone after its hours, such as UTC"),
        ("09:00-17:00 Europe/Berlim", "did you mean Europe/Berlin?"),
        ("09:00-17:00 europe/berlin", "did you mean Europe/Berlin?"),
        ("09:00-17:00 Berlin", "did you mean Europe/Berlin?"),
        ("09:00-17:00 utc", "did you mean UTC?"),
        ("09:00-17:00 Qqqqqq", "no time zone of the IANA database, such as UTC"),
        ("09:00-17:00 localtime", "no time zone"),
        ("09:00-17:00 Factory", "no time zone"),
        ("09:00-17:00 Europe", "no time zone"),
        ("09:00-17:00 +02:00", "a time zone is a name"),
        ("09:00-17:00 ../../etc/passwd", "a time zone is a name"),
        ("09:00-17:00 /usr/share/zoneinfo/UTC", "a time zone is a name"),
        ("09:00-17:00 Europe/../UTC", "a time zone is a name"),
        ("09:00-17:00 Europe\\Berlin", "a time zone is a name"),
        ("09:00-17:00 UTC\0", "a time zone is a name"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_would_be_right(text, word):
    with pytest.raises(Invalid) as refusal:
        Window.parse(text)

    assert word in refusal.value.detail


@pytest.mark.parametrize(
    ("text", "at", "is_open"),
    [
        ("Mon-Fri 09:00-17:00 UTC", "2026-06-01T08:59:59", False),
        ("Mon-Fri 09:00-17:00 UTC", "2026-06-01T09:00:00", True),
        ("Mon-Fri 09:00-17:00 UTC", "2026-06-01T16:59:59", True),
        ("Mon-Fri 09:00-17:00 UTC", "2026-06-01T17:00:00", False),
        ("Mon-Fri 09:00-17:00 UTC", "2026-06-06T12:00:00", False),
        ("Sat,Sun 00:00-24:00 UTC", "2026-06-05T23:59:59", False),
        ("Sat,Sun 00:00-24:00 UTC", "2026-06-06T00:00:00", True),
        ("Sat,Sun 00:00-24:00 UTC", "2026-06-07T23:59:59", True),
        ("Sat,Sun 00:00-24:00 UTC", "2026-06-08T00:00:00", False),
    ],
)
def test_it_is_open_from_its_begin_until_just_before_its_end(text, at, is_open):
    assert Window.parse(text).is_open(moment(at)) is is_open


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-06-05T03:00:00", False),  # Friday, but Thursday has none
        ("2026-06-05T22:00:00", True),
        ("2026-06-06T03:59:59", True),  # Saturday, still Friday's
        ("2026-06-06T04:00:00", False),
        ("2026-06-06T22:00:00", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_that_it_begins_on(at, is_open):
    assert Window.parse("Fri 22:00-04:00 UTC").is_open(moment(at)) is is_open


def test_a_window_over_midnight_goes_over_the_end_of_the_week_too():
    window = Window.parse("Sun 22:00-04:00 UTC")

    assert window.is_open(moment("2026-06-08T03:00:00"))  # Monday
    assert not window.is_open(moment("2026-06-07T03:00:00"))


def test_the_wall_clock_of_its_zone_decides():
    at = moment("2026-06-05T23:30:00")  # Friday in London, Saturday in Tokyo

    assert Window.parse("Sat 08:00-09:00 Asia/Tokyo").is_open(at)
    assert Window.parse("Fri 19:00-20:00 America/New_York").is_open(at)
    assert not Window.parse("Fri 23:00-24:00 Asia/Tokyo").is_open(at)


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
def test_office_hours_stay_by_the_clock_in_summer_and_winter(zone):
    window = Window.parse(f"09:00-17:00 {zone}")

    for day in ("2026-01-15", "2026-07-15"):
        begin = moment(f"{day}T09:00:00", zone)
        assert [window.is_open(begin + n) for n in (-1, 0, 8 * HOUR - 1, 8 * HOUR)] == [
            *(False, True, True, False)
        ]


@pytest.mark.parametrize(
    ("zone", "change"),
    [(BERLIN, "2026-03-29T01:00:00"), (NEW_YORK, "2026-03-08T07:00:00")],
)
def test_an_hour_that_is_skipped_does_not_occur(zone, change):
    at = moment(change)
    skipped = Window.parse(f"02:00-03:00 {zone}")

    assert not any(skipped.is_open(at + n) for n in range(-3 * HOUR, 3 * HOUR, 60))
    assert next_opening([skipped], at - 3 * HOUR) == at + 23 * HOUR


@pytest.mark.parametrize(
    ("zone", "change", "hour"),
    [(BERLIN, "2026-10-25T01:00:00", 2), (NEW_YORK, "2026-11-01T06:00:00", 1)],
)
def test_an_hour_that_occurs_twice_counts_twice(zone, change, hour):
    at = moment(change)
    repeated = Window.parse(f"{hour:02}:00-{hour + 1:02}:00 {zone}")

    assert [repeated.is_open(at + n) for n in (-HOUR - 1, -HOUR, -1, 0, HOUR - 1, HOUR)] == [
        *(False, True, True, True, True, False)
    ]


def test_a_night_is_an_hour_shorter_in_spring_and_longer_in_autumn():
    window = Window.parse("Sat 22:00-06:00 Europe/Berlin")

    def hours(evening):
        begin = moment(f"{evening}T22:00:00", BERLIN)
        return sum(window.is_open(begin + n * HOUR) for n in range(24))

    assert hours("2026-03-28") == 7
    assert hours("2026-10-24") == 9
    assert hours("2026-10-31") == 8


def test_where_one_is_open_the_next_opening_is_now():
    at = moment("2026-06-01T12:34:56")

    assert opening("Mon 09:00-17:00 UTC", at) == at
    assert next_opening([], at) == at


def test_after_its_last_hour_it_opens_again_in_a_week():
    assert opening("Mon 09:00-17:00 UTC", moment("2026-06-01T17:00:00")) == moment(
        "2026-06-08T09:00:00"
    )


def test_the_first_of_several_openings_is_the_next_one():
    windows = windows_of(["Sun 09:00-17:00 UTC", "Mon-Fri 22:00-04:00 America/New_York"])

    assert next_opening(windows, moment("2026-06-06T12:00:00")) == moment("2026-06-07T09:00:00")
    assert next_opening(windows, moment("2026-06-07T17:00:00")) == moment(
        "2026-06-08T22:00:00", NEW_YORK
    )


def test_a_begin_that_is_skipped_comes_with_the_moment_after_the_gap():
    before = moment("2026-03-28T12:00:00", BERLIN)

    assert opening("Sun 02:30-05:00 Europe/Berlin", before) == moment("2026-03-29T01:00:00")


def test_a_window_that_is_skipped_whole_opens_on_its_next_day():
    before = moment("2026-03-28T12:00:00", BERLIN)

    assert opening("02:30-02:45 Europe/Berlin", before) == moment("2026-03-30T02:30:00", BERLIN)
    assert opening("Sun 02:30-02:45 Europe/Berlin", before) == moment("2026-04-05T02:30:00", BERLIN)


def test_the_one_hour_of_a_week_that_is_skipped_comes_too_late_to_be_waited_for():
    after_the_one_before = moment("2026-03-22T03:00:00", BERLIN)

    assert opening("Sun 02:00-03:00 Europe/Berlin", after_the_one_before) is None


def test_a_begin_that_occurs_twice_opens_twice():
    first = moment("2026-10-25T02:15:00", BERLIN)
    window = "02:15-02:45 Europe/Berlin"

    assert opening(window, first - 60) == first
    assert opening(window, first + 30 * 60) == first + HOUR


def test_a_clock_that_is_put_back_into_a_window_opens_it_again():
    change = moment("2026-10-25T01:00:00")
    window = "01:30-02:30 Europe/Berlin"

    assert not Window.parse(window).is_open(change - 1)
    assert opening(window, change - 30 * 60) == change


def test_a_clock_that_is_put_back_over_midnight_repeats_the_last_hour_of_yesterday():
    zone = "America/St_Johns"
    before = moment("2009-11-01T00:00:30", zone)  # at 00:01 it is 23:01 of Saturday again

    assert opening(f"Sat 23:30-24:00 {zone}", before) == moment("2009-10-31T23:30:00", zone, fold=1)


def test_a_day_that_a_zone_left_out_has_no_windows():
    before = moment("2011-12-29T23:00:00", "Pacific/Apia")  # the 31st came next

    assert opening("Fri,Sat 00:00-24:00 Pacific/Apia", before) == before + HOUR
    assert opening("Fri 09:00-17:00 Pacific/Apia", before) == moment(
        "2012-01-06T09:00:00", "Pacific/Apia"
    )


def test_without_windows_there_is_no_restriction():
    assert any_open([], 0)
    assert any_open((), 1_800_000_000)


def test_one_open_window_is_enough():
    windows = windows_of(["Mon 09:00-10:00 UTC", "Mon 12:00-13:00 UTC"])

    assert any_open(windows, moment("2026-06-01T12:30:00"))
    assert not any_open(windows, moment("2026-06-01T11:00:00"))


def test_windows_are_a_list_and_each_is_kept_once():
    assert windows_of([]) == ()
    assert [
        window.text for window in windows_of(["22:00-4:00 UTC", "Mon-Sun 22:00-04:00 UTC"])
    ] == ["22:00-04:00 UTC"]


@pytest.mark.parametrize(
    "values", [None, "22:00-04:00 UTC", {"22:00-04:00 UTC": 1}, [None], ["x"], [["x"]]]
)
def test_what_is_no_list_of_windows_is_refused(values):
    with pytest.raises(Invalid):
        windows_of(values)


def test_there_are_never_more_than_may_be():
    texts = [f"00:{n:02}-24:00 UTC" for n in range(WINDOWS_MAX + 1)]

    assert len(windows_of(texts[:-1])) == WINDOWS_MAX
    with pytest.raises(Invalid):
        windows_of(texts)


zones = st.sampled_from(
    [
        *("UTC", BERLIN, NEW_YORK, "Asia/Tokyo", "Asia/Kathmandu", "Etc/GMT+12"),
        # Half an hour forward and back; at midnight; with the moon.
        *("Australia/Lord_Howe", "America/Havana", "Africa/Casablanca"),
    ]
)
minutes = st.integers(0, 1_439)
some_days = st.lists(st.sampled_from(DAYS), min_size=1, max_size=4).map(",".join)
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
hours = st.tuples(clocks, clocks | st.just("24:00")).filter(lambda two: two[0] != two[1])
texts = st.builds(
    lambda days, two, zone: " ".join([*([days] if days else []), "-".join(two), zone]),
    st.none() | some_days,
    hours,
    zones,
)
windows = texts.map(Window.parse)
near_changes = st.builds(
    lambda day, seconds: moment(day) + seconds,
    st.sampled_from(
        ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-02-15"]
    ),
    st.integers(-3 * 86_400, 2 * 86_400),
)
moments = near_changes | st.integers(0, 4_000_000_000)


@given(texts)
def test_the_canonical_text_is_a_fixpoint_and_means_the_same(text):
    window = Window.parse(text)

    assert Window.parse(window.text) == window
    assert Window.parse(window.text).text == window.text


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from([*"-,: /0249", "Mon", "fri", "UTC", "Europe", BERLIN])).map("".join)
)
def test_any_text_is_parsed_or_refused(text):
    try:
        window = Window.parse(text)
    except Invalid:
        return
    assert Window.parse(window.text) == window


@given(windows, moments)
def test_it_is_open_as_the_wall_clock_reads(window, at):
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(window.zone))
    wall = local.replace(tzinfo=None)

    def covers(day):
        midnight = datetime(day.year, day.month, day.day)
        begin = midnight + timedelta(minutes=window.begin_minutes)
        end = midnight + timedelta(minutes=window.end_minutes)
        return day.weekday() in window.days and begin <= wall < end

    assert window.is_open(at) == (covers(wall) or covers(wall - timedelta(days=1)))


@given(st.lists(windows, min_size=1, max_size=3), moments, st.data())
def test_the_next_opening_is_open_and_no_moment_before_it_is(windows, at, data):
    found = next_opening(windows, at)

    end = at + LOOK_AHEAD_SECONDS + 1 if found is None else found
    assert at <= end <= at + LOOK_AHEAD_SECONDS + 1
    assert found is None or any_open(windows, found)
    between = set(range(at, end, 1_800)) | set(range(max(at, end - 180), end))
    between |= set(data.draw(st.lists(st.integers(at, end - 1), max_size=20)) if end > at else ())
    assert not any(any_open(windows, each) for each in between)
