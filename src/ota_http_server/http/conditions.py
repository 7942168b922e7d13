"""Preconditions: what the other side already knows of an image (RFC 9110 §13).

An image is named by a strong validator, its digest. Arduino and caches ask "still this one?" and
take 304 for "nothing to do"; downloaders that resume say "only if it is still this one".
What cannot be understood is never a reason to fail: a damaged date is ignored (§13.1.3), a
damaged list of tags names no image of ours.
"""

import re
from datetime import UTC, datetime
from email.utils import formatdate

from ota_http_server.http.exchange import Request

MODIFIED_MAX = 253_402_300_799
"""The last second of the year 9999, in unix seconds: a Last-Modified has room for four digits."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*+"'
# Lists may hold empty elements (§5.6.1.2). Possessive: a long hostile header is read once.
_TAGS = re.compile(rf"[ \t,]*+(?:{_TAG}[ \t]*+(?:,[ \t,]*+|\Z))++")

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-5][0-9]|60)"
_DATES = (  # §5.6.7: the form that is sent, then the two that must be understood
    re.compile(
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>[0-9]{{2}}) {_MONTH}"
        rf" (?P<year>[0-9]{{4}}) {_TIME} GMT"
    ),
    re.compile(
        rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-{_MONTH}"
        rf"-(?P<year>[0-9]{{2}}) {_TIME} GMT"
    ),
    re.compile(
        rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME}"
        r" (?P<year>[0-9]{4})"
    ),
)


def precondition_status(request: Request, etag: str, modified: int) -> int | None:
    """412 or 304 if the request's conditions end it, else None; in the order of §13.2.2.

    `etag` is the quoted strong tag and `modified` the unix second of what would be sent now.
    """
    if (tags := request.header("If-Match")) is not None:
        if not _names(tags, etag, strongly=True):
            return 412
    elif (since := _date(request, "If-Unmodified-Since")) is not None and modified > since:
        return 412
    if (tags := request.header("If-None-Match")) is not None:
        if _names(tags, etag, strongly=False):
            return 304
    elif (since := _date(request, "If-Modified-Since")) is not None and modified <= since:
        return 304
    return None


def range_holds(if_range: str | None, etag: str, modified: int) -> bool:
    """Whether the Range header counts: without If-Range, or with exactly our validator (§13.1.5).

    A weak tag never does: two images may be alike enough for it and differ in their bytes.
    """
    if if_range is None:
        return True
    validator = if_range.strip(" \t")
    return validator == etag or unix_seconds(validator) == modified


def http_date(seconds: int) -> str:
    """Unix seconds, 0 to `MODIFIED_MAX`, as `Sun, 06 Nov 1994 08:49:37 GMT` (§5.6.7)."""
    return formatdate(seconds, usegmt=True)


def unix_seconds(date: str) -> int | None:
    """An HTTP date in any of its three forms (§5.6.7), None for anything else.

    The name of the weekday is not compared with the date: it adds nothing.
    """
    for form in _DATES:
        if match := form.fullmatch(date.strip(" \t")):
            return _seconds(match)
    return None


def _date(request: Request, name: str) -> int | None:
    """The date in this header, None without the header or without a date in it."""
    date = request.header(name)
    return None if date is None else unix_seconds(date)


def _seconds(match: re.Match[str]) -> int | None:
    year = int(match["year"])
    if len(match["year"]) == 2:
        # §5.6.7 wants the year that is at most 50 ahead. No image is older than 1970, so the
        # usual split of two-digit years (POSIX) gives the same without asking a clock.
        year += 1900 if year >= 69 else 2000
    try:
        minute = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            tzinfo=UTC,
        )
    except ValueError:  # 31 Feb, 25:00
        return None
    # Added apart, because a leap second (:60) is a date too.
    return int(minute.timestamp()) + int(match["second"])


def _names(tags: str, etag: str, *, strongly: bool) -> bool:
    """Whether a list of entity tags, or `*`, names what we have (§8.8.3.2)."""
    if tags.strip(" \t") == "*":
        return True
    if not _TAGS.fullmatch(tags):
        return False
    # In a list that is well formed, our quoted digest cannot be anything but a tag.
    return etag in (tags.replace("W/" + etag, "") if strongly else tags)
