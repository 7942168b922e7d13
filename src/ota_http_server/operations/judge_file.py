"""Judging a file for a board that asks for it by its name and says what it is.

Asking by name is somebody's explicit wish, so what is not known stands in nobody's way. Only what
is known to be wrong does: a board that runs these very bytes would flash them at every boot, and
one that cannot run them would lose its link, or more.
"""

from dataclasses import dataclass

from ota_http_server.domain.device import Device
from ota_http_server.domain.fitting import misfit_of
from ota_http_server.domain.identity import Identity
from ota_http_server.domain.offer import Hold, Reason
from ota_http_server.domain.release import FLASHED_WHOLE, Release, ReleaseImage, part_of
from ota_http_server.domain.sighting import Sighting
from ota_http_server.domain.version import identity
from ota_http_server.operations.brake import Brake
from ota_http_server.operations.catalog import Catalog
from ota_http_server.operations.collect import Collected
from ota_http_server.operations.download import Download
from ota_http_server.operations.registry import Registry

CANNOT_RUN = frozenset(
    {
        Reason.WRONG_CHIP,
        Reason.WRONG_REVISION,
        Reason.WRONG_BOARD,
        Reason.TOO_BIG,
        Reason.LOWER_COUNTER,
    }
)
SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A board that asks for a file by its name."""

    device: Device
    """What is known of it."""
    sighting: Sighting
    """What it says of itself."""
    as_program: bool = True
    """It would take the place of what runs; else it is a filesystem,"""
    has_version: str | None = None
    """of which it may say which version it has."""


@dataclass(frozen=True, slots=True)
class Judged:
    version: str | None
    """Of the file: the release's, else the header's."""
    hold: Hold | None
    """What stands against sending it."""


class JudgeFile:
    """The operation; one for each process."""

    def __init__(
        self, catalog: Catalog, download: Download, registry: Registry, brake: Brake
    ) -> None:
        self._brake = brake
        self._catalog = catalog
        self._download = download
        self._registry = registry

    def __call__(self, caller: Identity, project: str, name: str, asking: Asking) -> Judged:
        """Raises `NotFound`, and all that looking for the file does."""
        found = self._download.find(caller, project, name)
        release, image = self._catalog.of(project).by_name.get(name, (None, None))
        if image is None or image.sha256 != found.image.sha256:
            image = _of_folder(found)
            version = image.header_version or image.name
            release = Release(number=0, project=project, version=version, images=(image,))
            return Judged(image.header_version, self._against(asking, release, image))
        assert release is not None
        return Judged(release.version, self._against(asking, release, image))

    def _against(self, asking: Asking, release: Release, image: ReleaseImage) -> Hold | None:
        version = release.version
        if asking.device.blocked:
            return Hold(Reason.BLOCKED, "an operator blocked this device")
        stop = self._brake.of(release.project)
        if stop is not None and stop.downloads:
            return Hold(Reason.STOPPED, stop.reason)
        if not asking.as_program:
            has_it = _same(asking.has_version, version)
            return Hold(Reason.UP_TO_DATE, f"it has {image.name} of {version}") if has_it else None
        if self._is_running(asking.sighting, image, version):
            return Hold(Reason.UP_TO_DATE, f"it runs {image.name} already")
        if image.part not in FLASHED_WHOLE:
            detail = f"{image.name} is a {image.part} and cannot take the place of the program"
            return Hold(Reason.OTHER_KIND, detail)
        settings = self._catalog.of(release.project).project
        misfit = misfit_of(asking.device, settings, release, image)
        return misfit if misfit is not None and misfit.reason in CANNOT_RUN else None

    def _is_running(self, sighting: Sighting, image: ReleaseImage, version: str) -> bool:
        """Whether it runs these very bytes, as far as it says.

        The digest that an image carries knows best. An MD5 of other bytes says little: an ESP8266
        rewrites one byte as it flashes. The version counts then.
        """
        if sighting.digests & image.digests:
            return True
        tells = any(len(digest) == SHA256_DIGITS for digest in sighting.digests)
        if (tells and image.appended_sha256) or self._registry.named_by(sighting.digests):
            return False
        said = sighting.version
        return _same(said, version) or _same(said, image.header_version)


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and identity(one) == identity(other)


def _of_folder(found: Collected) -> ReleaseImage:
    """A file that is no release's."""
    image = found.image
    return ReleaseImage(
        name=found.name,
        sha256=image.sha256,
        size=image.size,
        part=part_of(image.kind, found.name),
        format=image.format,
        md5=image.md5,
        chip=image.chip,
        min_chip_revision=image.min_chip_revision,
        max_chip_revision=image.max_chip_revision,
        hardware=image.hardware,
        secure_version=image.secure_version,
        header_version=image.version,
        appended_sha256=image.appended_sha256,
        elf_sha256=image.elf_sha256,
        modified_at=found.modified_at,
    )
