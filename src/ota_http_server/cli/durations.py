"""Durations as people write them: 90s, 10m, 1h30m, 2d."""

import re

from ota_http_server.domain.errors import Invalid

UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NUMBER = re.compile(r"[0-9]{1,9}")
_PARTS = re.compile("".join(f"(?:([0-9]{{1,9}}){unit})?" for unit in UNITS))


def duration(text: str) -> int:
    """Seconds, or `Invalid`; a number without a unit is seconds."""
    plain = text.strip().lower()
    if _NUMBER.fullmatch(plain):
        return int(plain)
    parts = _PARTS.fullmatch(plain)
    if parts is None or not plain:
        raise Invalid(f"{text!r} is no duration: write 30s, 10m, 2h, 1d, or a number of seconds")
    return sum(
        int(count) * worth for count, worth in zip(parts.groups("0"), UNITS.values(), strict=True)
    )


def span(seconds: int) -> str:
    """The same the other way round, in the largest units that say it exactly."""
    said = ""
    for unit, worth in UNITS.items():
        count, seconds = divmod(seconds, worth)
        said += f"{count}{unit}" if count else ""
    return said or "0s"
