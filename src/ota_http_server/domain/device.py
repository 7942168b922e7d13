"""A device as the registry knows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ota_http_server.domain.errors import Invalid

TAG_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=/-]{0,63}")
TAGS_MAX = 32
NOTES_CHARACTERS_MAX = 2_000
ATTRIBUTES_MAX = 100  # hawkBit's own limits, for keys and values too
ATTRIBUTE_CHARACTERS_MAX = 128


class VersionFrom(StrEnum):
    """How we know what a device runs; a later one does not give way to a weaker one."""

    OPERATOR = "operator"
    """Somebody wrote it down."""
    REPORT = "report"
    """It reported an installation, and never says its version."""
    DEVICE = "device"
    """It said so."""
    IMAGE = "image"
    """It named the image's digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One board. Times are unix seconds; None says that it is not known."""

    id: str
    project: str
    chip: str | None = None
    revision: int | None = None
    """Of the chip, in hundredths."""
    revision_min: int | None = None
    """At least so much: it runs an image that older chips refuse."""
    board: str | None = None
    tags: tuple[str, ...] = ()
    channel: str | None = None
    """None: that of its tags, or the default one (`Project.channel_of`)."""
    version: str | None = None
    version_from: VersionFrom | None = None
    image_sha256: str | None = None
    """The image that it runs, where its digest told or an attempt was verified by it."""
    running_since: int | None = None
    secure_version: int | None = None
    """The highest anti-rollback counter that it is known to have run."""
    free_bytes: int | None = None
    """The largest image that fits."""
    last_seen: int | None = None
    address: str | None = None
    notes: str = ""
    blocked: bool = False
    pinned: str | None = None
    """It gets this release and no other, older or not."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What it said of itself in words of its own (hawkBit's configData)."""
    attributes_wanted: bool = True
    created_at: int = 0
    created_by: str = ""
    edition: int = 1
    """Counts the changes by people and of facts; not `last_seen`."""

    @property
    def known_revision(self) -> int | None:
        return self.revision if self.revision is not None else self.revision_min


def tags_of(values: object) -> tuple[str, ...]:
    """Distinct tags in order, or `Invalid`."""
    if not isinstance(values, list | tuple) or len(values) > TAGS_MAX:
        raise Invalid(f"tags must be a list of at most {TAGS_MAX}")
    for value in values:
        if not isinstance(value, str) or not TAG_PATTERN.fullmatch(value):
            raise Invalid(
                "a tag has 1 to 64 of A-Z a-z 0-9 . _ : = / - and begins with a letter or digit"
            )
    return tuple(sorted(set(values)))
