"""Whether a device runs a release already, and whether a release is newer than what it runs."""

from collections.abc import Sequence
from functools import cached_property

from ota_http_server.domain.device import Device
from ota_http_server.domain.offer import Hold, Reason, Rule
from ota_http_server.domain.project import Project, UnknownVersion
from ota_http_server.domain.release import Release
from ota_http_server.domain.version import VersionKey, identity, version_key


class Running:
    """Which of the releases a device runs, as far as digest or version tell.

    One for each decision: all of them are looked through once, and only where that is needed.
    """

    def __init__(
        self, device: Device, releases: Sequence[Release], closed: Sequence[Release] = ()
    ) -> None:
        """`closed`: floors that were withdrawn; a device may run one of them all the same."""
        self._device = device
        self._published = releases
        self._closed = closed

    def is_release(self, release: Release) -> bool:
        """On the hot path for the newest: most devices run that one."""
        device = self._device
        if device.image_sha256 is not None:
            if _has(release, device.image_sha256):
                return True
        elif device.version is not None and release.is_version(device.version):
            return True
        return any(one.number == release.number for one in self._all)

    @property
    def newest(self) -> Release | None:
        return self._all[0] if self._all else None

    @property
    def version(self) -> str | None:
        """The release's, where the device tells another one of it."""
        return self._device.version if self.newest is None else self.newest.version

    @property
    def is_unknown(self) -> bool:
        """It tells no version, or one that says nothing and is of no release."""
        version = self.version
        return version is None or (self.newest is None and not version_key(version).orders)

    @cached_property
    def _releases(self) -> Sequence[Release]:
        if not self._closed:
            return self._published
        both = [*self._published, *self._closed]
        return sorted(both, key=lambda one: one.order, reverse=True)

    @cached_property
    def floors(self) -> list[Release]:
        """Those of them that nobody goes past, the oldest first."""
        return [release for release in reversed(self._releases) if release.floor]

    @cached_property
    def _all(self) -> list[Release]:
        digest, version = self._device.image_sha256, self._device.version
        if digest is not None and (found := [r for r in self._releases if _has(r, digest)]):
            return found  # the digest knows better than any version
        if version is None:
            return []
        told = identity(version)
        inside = [r for r in self._releases if _tells(r, told)]
        # What several tell tells none of them apart.
        by_header = inside[0].number if len(inside) == 1 else None
        return [r for r in self._releases if identity(r.version) == told or r.number == by_header]


def _has(release: Release, sha256: str) -> bool:
    return any(image.sha256 == sha256 for image in release.images)


def _tells(release: Release, told: tuple[VersionKey, str]) -> bool:
    """Whether a device tells this version, when it runs the release: that in its image's header."""
    return any(i.header_version and identity(i.header_version) == told for i in release.images)


def runs(device: Device, release: Release, releases: Sequence[Release]) -> bool:
    """Whether it runs this one of the releases."""
    return Running(device, releases).is_release(release)


def newer(running: Running, project: Project, release: Release) -> Rule | Hold:
    """By which rule it is newer than what runs, or that it is not."""
    version = running.version
    if version is None:
        if project.unknown_version is UnknownVersion.OFFER:
            return Rule.UNKNOWN
        detail = "it never said which version it runs, so no release is known to be newer"
        return Hold(Reason.UNKNOWN_VERSION, detail, release)
    mine, its = version_key(version), version_key(release.version)
    if mine.orders or its.orders:
        if its > mine:
            return Rule.VERSION
        return Hold(Reason.NOT_NEWER, f"{release.version} is not newer than {version}", release)
    if running.newest is not None:
        if release.number > running.newest.number:
            return Rule.UPLOAD_ORDER
        detail = f"{release.version} came before {version}"
        return Hold(Reason.NOT_NEWER, detail, release)
    if project.unknown_version is UnknownVersion.OFFER:
        return Rule.UNKNOWN
    detail = f"{version} is no version number and no release, so none is known to be newer"
    return Hold(Reason.UNKNOWN_VERSION, detail, release)
