"""A knob: what is known of one setting beside its name, type and default."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Knob:
    """What is known of one setting beside its type and default."""

    meaning: str
    group: str
    env: str | None = None
    """The environment name, where the brief's differs from the regular `OTA_` + KEY."""
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    shown_default: str | None = None
    """What the reference says of a default that is worked out at start."""


def knob(default: Any, meaning: str, group: str, **more: Any) -> Any:
    """A field of `Settings`: its default, and what is known of it in its metadata."""
    said = Knob(meaning, group, **more)
    # A secret is left out of the `repr`, or a traceback might show it.
    # pylint: disable-next=invalid-field-call  # only `Settings` calls this
    return field(default=default, repr=not said.secret, metadata={"knob": said})


SERVE, FILES, TOKENS, DEVICES, PROXY, LIMITS, LOGS = (
    "Serving",
    "Files",
    "Tokens",
    "Devices",
    "Behind a proxy",
    "Limits and patience",
    "Logs",
)
