"""What changes in a decision for a client that reads what there is and compares by itself.

ESPHome, esp32FOTA and their like never say what they run, unless their URL says it for them. That
alone holds nothing back: whether to take what is offered is their own comparison.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.project import Project, UnknownVersion
from ota_http_server.domain.release import FLASHED_WHOLE, Release


def for_self_comparing(project: Project, releases: Sequence[Release]) -> Project:
    """The project as it counts for such a client.

    Its chip is the project's; where nobody said that one, the only chip that there are images for.
    """
    chips = chips_of(releases)
    chip = project.chip or (chips[0] if len(chips) == 1 else None)
    return replace(project, unknown_version=UnknownVersion.OFFER, chip=chip)


def chips_of(releases: Iterable[Release], parts: Sequence[Kind] = FLASHED_WHOLE) -> list[str]:
    """The chips that there are such images for, those of the newest release first."""
    images = (image for release in releases for image in release.images)
    return list(dict.fromkeys(i.chip for i in images if i.chip and i.part in parts))
