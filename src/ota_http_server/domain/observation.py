"""What follows from seeing a device: which facts about it change, and what became of its attempt.

A report is the device's word; what it runs is the proof. So an installation counts as verified
when the device is seen running the new image, and as rolled back when it is seen with the old one
again.
"""

from dataclasses import dataclass, replace

from ota_http_server.domain.attempt import Attempt, State
from ota_http_server.domain.clocks import seconds_since
from ota_http_server.domain.device import Device, VersionFrom
from ota_http_server.domain.sighting import Sighting
from ota_http_server.domain.version import identity

RESTART_SECONDS = 60
"""A device that reported an installation may ask again before it restarts, with its old words. A
dialect whose clients restart later says so (`Sighting.restart_seconds`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImage:
    """An image of ours that a device named by a digest, or an attempt's."""

    sha256: str
    digests: frozenset[str]
    version: str | None = None
    """The release's, or the header's where it is in no release."""
    header_version: str | None = None
    chip: str | None = None
    min_chip_revision: int | None = None
    secure_version: int | None = None

    @property
    def versions(self) -> frozenset[tuple[object, str]]:
        return frozenset(identity(v) for v in (self.version, self.header_version) if v)


def told(device: Device, sighting: Sighting, image: KnownImage | None, at: int) -> Device:
    """The device with what it said; the same object's equal if it said nothing new.

    `image` is the one that its digests name, if they name one of ours.
    """
    after = replace(
        device,
        chip=sighting.chip or (image.chip if image and image.chip else device.chip),
        revision=device.revision if sighting.revision is None else sighting.revision,
        board=sighting.board or device.board,
        free_bytes=device.free_bytes if sighting.free_bytes is None else sighting.free_bytes,
    )
    if sighting.says_what_runs:
        after = _running(after, sighting, image, at)
    return after


def _running(device: Device, sighting: Sighting, image: KnownImage | None, at: int) -> Device:
    if image is not None:
        version, source = image.version or sighting.version, VersionFrom.IMAGE
        counter = max(device.secure_version or 0, image.secure_version or 0) or None
        revision = max(device.revision_min or 0, image.min_chip_revision or 0) or None
        device = replace(device, secure_version=counter, revision_min=revision)
        sha256: str | None = image.sha256
    elif sighting.version is not None:
        version, source = sighting.version, VersionFrom.DEVICE
        # An unknown digest beside a known version says nothing: an ESP8266 rewrites a byte.
        same = device.version is not None and identity(device.version) == identity(version)
        sha256 = device.image_sha256 if same else None
        if same and device.version_from is VersionFrom.IMAGE:
            return device
        if same:
            version = device.version or version  # one spelling is as good as another
    else:
        return device
    if (device.version, device.image_sha256) == (version, sha256):
        return replace(device, version_from=source)
    return replace(
        device, version=version, version_from=source, image_sha256=sha256, running_since=at
    )


def proven(device: Device, image: KnownImage) -> Device:
    """The device, seen running this image for sure."""
    return replace(
        device,
        image_sha256=image.sha256,
        secure_version=max(device.secure_version or 0, image.secure_version or 0) or None,
        revision_min=max(device.revision_min or 0, image.min_chip_revision or 0) or None,
    )


def seen(
    attempt: Attempt,
    sighting: Sighting,
    new: KnownImage,
    old: KnownImage | None,
    at: int,
    steady_since: int = 0,
) -> State | None:
    """What the attempt becomes now that the device was seen so; None: nothing follows.

    `new` is the attempt's image, `old` the one that ran when it was offered, if that is known.
    The clock made no step since `steady_since`.
    """
    if not sighting.says_what_runs:
        return None
    if _runs(attempt, sighting, new, old):
        return State.VERIFIED if attempt.may_become(State.VERIFIED) else None
    if attempt.state not in (State.INSTALLED, State.SILENT) or attempt.installed_at is None:
        return None
    # A rolled-back attempt is final: a clock that was set on must not make one of a restart.
    waited = seconds_since(attempt.installed_at, at, steady_since)
    if waited < max(RESTART_SECONDS, sighting.restart_seconds):
        return None
    return State.ROLLED_BACK if _runs_old(attempt, sighting, new, old) else None


def _runs(attempt: Attempt, sighting: Sighting, new: KnownImage, old: KnownImage | None) -> bool:
    if sighting.digests & new.digests:
        return True
    if sighting.version is None or (old is not None and sighting.digests & old.digests):
        return False
    version = identity(sighting.version)
    # A version that the image before it carries, too, proves nothing.
    before = {identity(attempt.from_version)} if attempt.from_version is not None else set()
    return version in new.versions and version not in before | (old.versions if old else set())


def _runs_old(
    attempt: Attempt, sighting: Sighting, new: KnownImage, old: KnownImage | None
) -> bool:
    if old is not None and sighting.digests & old.digests:
        return True
    if sighting.version is None or attempt.from_version is None:
        return False
    version = identity(sighting.version)
    if version in new.versions:
        return False
    return version == identity(attempt.from_version) or (
        old is not None and version in old.versions
    )
