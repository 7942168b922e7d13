"""Maintenance windows: the hours in which a rollout may make offers, by the clock of a zone.

The wall clock decides. An hour that a change to summer time skips does not occur, one that the
change back repeats occurs twice. Moments are unix seconds; the zones are those of the IANA
database, the operating system's where it has one.
"""

import difflib
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import groupby
from zoneinfo import ZoneInfo, available_timezones

from ota_http_server.domain.errors import Invalid

WINDOWS_MAX = 20  # two a day for each day of a week are 14; all are looked at on a check-in
TEXT_CHARACTERS_MAX = 120  # seven days one by one, hours and the longest zone are 72
LOOK_AHEAD_SECONDS = 8 * 86_400
"""A weekly window opens within a week, and the day more forgives a change of the clock."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
_DAY_SECONDS = DAY_MINUTES * 60
_EXAMPLE = "Mon-Fri 09:00-17:00 Europe/Berlin"
# Not within a zone: `Etc/GMT -5` must not become the zone that lies on the other side.
_LOOSE = re.compile(r"\s*([,-])\s*(?=[0-9]+:|[A-Za-z])")
_SHAPE = re.compile(r"(?:(?P<days>\S+) )?(?P<hours>[0-9]\S*)(?: (?P<zone>\S+))?")
_HOURS = re.compile(r"([0-9]{1,2}):([0-5][0-9])-([0-9]{1,2}):([0-5][0-9])")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}")
# What the machine happens to be set to, and what stands where nobody set anything.
_NO_ZONES = {"localtime", "Factory"}


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week. `parse` makes it, and refuses what cannot be meant."""

    days: tuple[int, ...]
    """Those that it begins on, 0 is Monday; ascending."""
    begin_minutes: int
    """After midnight, inclusive."""
    end_minutes: int
    """After the same midnight, exclusive; more than a day has: it ends on the day after."""
    zone: str

    @classmethod
    def parse(cls, text: object) -> "Window":
        """A window in words from outside (`Mon-Fri,Sun 22:00-04:00 UTC`), or `Invalid`."""
        if not isinstance(text, str):
            raise Invalid(f"a window is a text such as {_EXAMPLE}")
        if len(text) > TEXT_CHARACTERS_MAX:
            raise Invalid(f"a window has at most {TEXT_CHARACTERS_MAX} characters")
        parts = _SHAPE.fullmatch(" ".join(_LOOSE.sub(r"\1", text).split()))
        if parts is None:
            raise Invalid(f"a window is days, hours and a time zone ({_EXAMPLE}), not {text!r}")
        return cls(_days_of(parts["days"]), *_hours_of(parts["hours"]), _zone_of(parts["zone"]))

    @property
    def text(self) -> str:
        """The one spelling of all that mean the same; it parses to this window again."""
        hours = f"{_wall(self.begin_minutes)}-{_wall(self.end_minutes)}"
        days = "" if len(self.days) == len(DAYS) else f"{_named(self.days)} "
        return f"{days}{hours} {self.zone}"

    def is_open(self, at: int) -> bool:
        local = datetime.fromtimestamp(at, _clock(self.zone))
        minutes, today = local.hour * 60 + local.minute, local.weekday()
        return self._has(today, minutes) or self._has(today - 1, minutes + DAY_MINUTES)

    def _has(self, day: int, minutes: int) -> bool:
        """Whether it is open so long after the midnight that this day of the week began with."""
        return day % len(DAYS) in self.days and self.begin_minutes <= minutes < self.end_minutes


def windows_of(values: object) -> tuple[Window, ...]:
    """Windows from a list of texts, each one once, or `Invalid`."""
    if not isinstance(values, list | tuple):
        raise Invalid(f"windows must be a list of texts such as {_EXAMPLE}")
    if len(values) > WINDOWS_MAX:
        raise Invalid(f"there may be {WINDOWS_MAX} windows, not more")
    return tuple(dict.fromkeys(map(Window.parse, values)))


def any_open(windows: Sequence[Window], at: int) -> bool:
    """Whether one of them is open; without any there is no restriction."""
    return not windows or any(window.is_open(at) for window in windows)


def next_opening(windows: Sequence[Window], at: int) -> int | None:
    """The first moment, not before `at`, at which one is open; None: not within eight days.

    That happens only where a change of the clock skips the one opening of a week.
    """
    if any_open(windows, at):
        return at
    return min((moment for window in windows for moment in _openings(window, at)), default=None)


def _openings(window: Window, at: int) -> Iterator[int]:
    """Moments after `at` at which it is open, and among them each at which it opens.

    It opens where it begins, or where a change of the clock lands inside it.
    """
    until = at + LOOK_AHEAD_SECONDS
    clock = _clock(window.zone)
    for moment in (*_begins(window, clock, at, until), *_changes(clock, at, until)):
        if at < moment <= until and window.is_open(moment):
            yield moment


def _begins(window: Window, clock: ZoneInfo, since: int, until: int) -> Iterator[int]:
    """When it begins, by either reading of an hour that occurs twice."""
    begin = time(*divmod(window.begin_minutes, 60), tzinfo=clock)
    # A change back may cross midnight: yesterday's last hour is then still to come.
    first = _date(since, clock) - timedelta(days=1)
    for number in range((_date(until, clock) - first).days + 1):
        day = first + timedelta(days=number)
        if day.weekday() in window.days:
            for fold in (0, 1):
                yield int(datetime.combine(day, begin.replace(fold=fold)).timestamp())


def _changes(clock: ZoneInfo, since: int, until: int) -> Iterator[int]:
    """When the clock is put forward or back. No zone has done so twice within one day."""

    def offset(moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, clock).utcoffset()

    def change(day: range) -> int:
        return day[bisect_left(day, True, key=lambda moment: offset(moment) != offset(day[0]))]

    days = (range(day, day + _DAY_SECONDS + 1) for day in range(since, until, _DAY_SECONDS))
    return (change(day) for day in days if offset(day[0]) != offset(day[-1]))


def _date(moment: int, clock: ZoneInfo) -> date:
    return datetime.fromtimestamp(moment, clock).date()


def _days_of(text: str | None) -> tuple[int, ...]:
    if text is None:
        return tuple(range(len(DAYS)))
    return tuple(sorted({day for span in text.split(",") for day in _span_of(span)}))


def _span_of(text: str) -> list[int]:
    """The days of `Mon` or of `Fri-Mon`, which goes over the end of the week."""
    names = text.title().split("-")
    if len(names) > 2 or not set(names) <= set(DAYS):
        raise Invalid(f"days are {', '.join(DAYS)} or from one to another, not {text!r}")
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return [(first + n) % len(DAYS) for n in range((last - first) % len(DAYS) + 1)]


def _named(days: Sequence[int]) -> str:
    """Three or more in a row as a span, others one by one."""
    rows = [list(row) for _, row in groupby(days, key=lambda day: day - days.index(day))]
    names = [[DAYS[day] for day in row] for row in rows]
    return ",".join(f"{row[0]}-{row[-1]}" if len(row) > 2 else ",".join(row) for row in names)


def _hours_of(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise Invalid(f"hours are written like 09:00-17:00, not {text!r}")
    numbers = [int(number) for number in match.groups()]
    begin, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if begin >= DAY_MINUTES or end > DAY_MINUTES:
        raise Invalid(f"hours go from 00:00 to 24:00, and a window begins before 24:00: {text!r}")
    if begin == end:
        raise Invalid(f"{text} would never be open; the whole day is 00:00-24:00")
    return begin, end if end > begin else end + DAY_MINUTES


def _wall(minutes: int) -> str:
    hours, rest = divmod(minutes if minutes <= DAY_MINUTES else minutes - DAY_MINUTES, 60)
    return f"{hours:02}:{rest:02}"


def _zone_of(name: str | None) -> str:
    if name is None:
        raise Invalid("a window needs a time zone after its hours, such as UTC or Europe/Berlin")
    if not _ZONE.fullmatch(name):
        raise Invalid(f"a time zone is a name such as UTC or Europe/Berlin, not {name!r}")
    if name not in _zones():
        near = difflib.get_close_matches(name.lower(), _zones_by_sound(), n=1)
        hint = f"; did you mean {_zones_by_sound()[near[0]]}?" if near else ", such as UTC"
        raise Invalid(f"{name!r} is no time zone of the IANA database{hint}")
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_ZONES)


@cache
def _zones_by_sound() -> dict[str, str]:
    """Each name in small letters, and each place without its continent: `berlin`."""
    names = sorted(_zones(), reverse=True)
    return {name.lower().rpartition("/")[2]: name for name in names} | {
        name.lower(): name for name in names
    }


@cache
def _clock(zone: str) -> ZoneInfo:
    return ZoneInfo(zone)
