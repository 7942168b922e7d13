"""The options of `rollouts create`: which devices, in which stages, what halts it, how fast.

What an option means is said once, in the words of the API; here stands how it is typed.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from ota_http_server.api.v1.rollout_words import NewRolloutSaid
from ota_http_server.cli.durations import duration, span
from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.rollout import percent_of
from ota_http_server.domain.rollout_plan import Mode, Policy
from ota_http_server.domain.selection import all_of, is_one_of

F = TypeVar("F", bound=Callable[..., Any])

CHOOSE = ("tag", "chip", "board", "channel")
"""Options that choose devices by one fact each, and their names in a selection."""
_STAGE = re.compile(r"\s*([0-9.]{1,9})\s*%?\s*(?:,([^,]*))?(?:,\s*([0-9]{0,9})\s*)?")
_SHARES = {
    "failed_percent_max": "failed_share_max",
    "silent_percent_max": "silent_share_max",
    "rolled_back_percent_max": "rolled_back_share_max",
}
_WORDS = NewRolloutSaid().fields


def stage(text: str) -> dict[str, Any]:
    """A stage in the words of the API, or `Invalid`."""
    parts = _STAGE.fullmatch(text)
    try:
        percent = float(parts[1]) if parts else None
    except ValueError:
        percent = None
    if parts is None or percent is None:
        raise Invalid(
            f"{text!r} is no stage: write PERCENT, PERCENT,DWELL or PERCENT,DWELL,VERIFIED,"
            " such as 5,2h,10"
        )
    said: dict[str, Any] = {"percent": percent}
    if parts[2] and parts[2].strip():
        said["dwell_seconds"] = duration(parts[2])
    if parts[3]:
        said["verified_min"] = int(parts[3])
    return said


def words_of(version: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, in the words of the API; what was not said is not there."""
    chosen = [is_one_of(name, said[name]) for name in CHOOSE if said[name]]
    selects = [text for text in (said["select"],) if text is not None]
    words = {name: value for name, value in said.items() if name not in (*CHOOSE, "select")}
    words |= {"version": version, "select": all_of(*selects, *chosen) or None}
    return {name: value for name, value in words.items() if value not in (None, (), False)}


def rollout_options(command: F) -> F:
    """Adds them all, in the order in which they stand below."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _option(name: str, word: str = "", **more: Any) -> Callable[[F], F]:
    """An option that says this word of the API."""
    word = word or name.removeprefix("--").replace("-", "_")
    meaning = _WORDS[word].metadata["description"]
    return click.option(name, word, help=f"{meaning}{_default(word, more)}", **more)


def _default(word: str, more: Mapping[str, Any]) -> str:
    value = getattr(Policy(), _SHARES.get(word, word), None)
    if value is None or value is False or value == ():
        return ""
    if word in _SHARES:
        value = f"{percent_of(value):g}"
    elif more.get("type") is duration:
        value = span(value)
    return f"  [default: {value}]"


_PERCENT: dict[str, Any] = {"type": float, "metavar": "PERCENT"}
_COUNT: dict[str, Any] = {"type": int, "metavar": "COUNT"}
_DURATION: dict[str, Any] = {"type": duration, "metavar": "DURATION"}

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--stage",
        "stages",
        type=stage,
        multiple=True,
        metavar="PERCENT[,DWELL[,VERIFIED]]",
        help="So far, for so long at least (an hour), until so many devices run it (1); once for"
        " each stage, the last to 100.  [default: 1 or the canaries alone, then 5, 25, 50, 100]",
    ),
    _option("--select", metavar="TEXT"),
    click.option("--tag", multiple=True, help="Devices with this tag, or with one of several."),
    click.option("--chip", multiple=True, help="Devices with this chip, or one of several."),
    click.option("--board", multiple=True, help="Devices of this board, or one of several."),
    click.option(
        "--channel", multiple=True, help="Devices that follow this channel, or one of so."
    ),
    _option("--device", "devices", multiple=True, metavar="ID"),
    _option("--canary", "canaries", multiple=True, metavar="ID"),
    _option("--takes-back", is_flag=True),
    _option("--override", is_flag=True),
    _option("--reason"),
    _option("--failed-percent-max", **_PERCENT),
    _option("--finished-min", **_COUNT),
    _option("--silent-percent-max", **_PERCENT),
    _option("--silent-after", "silent_seconds", **_DURATION),
    _option("--rolled-back-percent-max", **_PERCENT),
    _option("--halting-devices-min", **_COUNT),
    _option("--counts-installed", is_flag=True),
    _option("--concurrent-max", **_COUNT),
    _option("--offers-max", **_COUNT),
    _option("--period", "period_seconds", **_DURATION),
    _option("--window", "windows", multiple=True),
    _option("--site-tag"),
    _option("--site-max", **_COUNT),
    _option("--retry-after", "retry_seconds", **_DURATION),
    _option("--failures-max", **_COUNT),
    _option("--mode", type=click.Choice([str(mode) for mode in Mode])),
)
