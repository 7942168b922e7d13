"""Grouping the files of a folder by the version that each of them is."""

from collections.abc import Sequence
from dataclasses import dataclass

from ota_http_server.domain.errors import Invalid
from ota_http_server.domain.listing import Seen, listed
from ota_http_server.domain.release import (
    Release,
    ReleaseImage,
    identity_text,
    part_of,
    release_version,
)
from ota_http_server.operations.collect import Collected
from ota_http_server.storage.images import Image


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that has a version."""

    collected: Collected
    version: str

    @property
    def name(self) -> str:
        return self.collected.name

    @property
    def sha256(self) -> str:
        return self.collected.image.sha256

    def as_image(self) -> ReleaseImage:
        """What it is in a release. What its bytes say needs no declaring."""
        image = self.collected.image
        return ReleaseImage(
            name=self.name,
            sha256=image.sha256,
            size=image.size,
            part=part_of(image.kind, self.name),
            modified_at=self.collected.modified_at,
        )

    def is_in(self, release: Release) -> bool:
        return any((i.name, i.sha256) == (self.name, self.sha256) for i in release.images)

    def is_in_under_any_name(self, release: Release) -> bool:
        return any(image.sha256 == self.sha256 for image in release.images)

    def rivals(self, name: str, image: Image) -> bool:
        """Whether these are other bytes under its name, or for the same part of its hardware."""
        mine, its = self.collected.image, (part_of(image.kind, name), image.chip, image.hardware)
        same = (part_of(mine.kind, self.name), mine.chip, mine.hardware) == its
        return (same or name == self.name) and image.sha256 != self.sha256


Grouped = dict[str, list[Dropped]]
"""By the text that a version is one by, however it is spelt."""


def grouped(found: Sequence[Collected]) -> Grouped:
    """What has a known format comes first, then as they were seen. Some have no version."""
    versions = {
        one.name: one.version
        for one in listed(Seen(c.name, c.image.sha256, c.seen, c.image.version) for c in found)
    }
    groups: Grouped = {}
    for collected in sorted(found, key=lambda one: (one.image.format == "opaque", one.seen)):
        if (version := _version(versions[collected.name])) is not None:
            dropped = Dropped(collected, version)
            groups.setdefault(identity_text(version), []).append(dropped)
    return groups


def _version(text: str | None) -> str | None:
    """A header may say things that no URL or column of ours can."""
    if text is None:
        return None
    try:
        return release_version(text)
    except Invalid:
        return None
