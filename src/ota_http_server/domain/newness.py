"""Whether a device runs a release already, and whether a release is newer than what it runs."""

from collections.abc import Sequence

from ota_http_server.domain.device import Device
from ota_http_server.domain.offer import Hold, Reason, Rule
from ota_http_server.domain.project import Project, UnknownVersion
from ota_http_server.domain.release import Release
from ota_http_server.domain.version import identity, version_key


def runs(device: Device, release: Release, releases: Sequence[Release]) -> bool:
    """Whether it runs this release, as far as digest or version tell."""
    if device.image_sha256 is not None:
        if any(image.sha256 == device.image_sha256 for image in release.images):
            return True
        if any(i.sha256 == device.image_sha256 for r in releases for i in r.images):
            return False  # the digest knows better than any version
    if device.version is None:
        return False
    if release.is_version(device.version):
        return True
    return _by_header(device.version, release, releases)


def _by_header(version: str, release: Release, releases: Sequence[Release]) -> bool:
    """The device tells the version in its image's header, which may not be the release's.

    It counts only where it tells releases apart.
    """
    told = identity(version)
    having = [
        r
        for r in releases
        if any(i.header_version and identity(i.header_version) == told for i in r.images)
    ]
    return len(having) == 1 and having[0].number == release.number


def version_of(device: Device, releases: Sequence[Release]) -> str | None:
    """What it runs: the release's version, where the device tells another one of it."""
    running = _running(device, releases)
    return device.version if running is None else running.version


def _running(device: Device, releases: Sequence[Release]) -> Release | None:
    return next((r for r in releases if runs(device, r, releases)), None)


def newer(
    device: Device, project: Project, release: Release, releases: Sequence[Release]
) -> Rule | Hold:
    """By which rule it is newer than what runs, or that it is not."""
    running = _running(device, releases)
    version = device.version if running is None else running.version
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
    if running is not None:
        if release.number > running.number:
            return Rule.UPLOAD_ORDER
        detail = f"{release.version} came before {version}"
        return Hold(Reason.NOT_NEWER, detail, release)
    if project.unknown_version is UnknownVersion.OFFER:
        return Rule.UNKNOWN
    detail = f"{version} is no version number and no release, so none is known to be newer"
    return Hold(Reason.UNKNOWN_VERSION, detail, release)
