"""Whether an image can run on a device's hardware. What is not known does not fit."""

from collections.abc import Sequence

from ota_http_server.domain.device import Device
from ota_http_server.domain.formats.compressed import PACKED_FORMATS
from ota_http_server.domain.formats.esp8266 import CHIP as ESP8266
from ota_http_server.domain.formats.swupdate import FORMAT as SWUPDATE
from ota_http_server.domain.image_facts import Kind
from ota_http_server.domain.offer import Hold, Reason
from ota_http_server.domain.project import Project
from ota_http_server.domain.release import Release, ReleaseImage


def fitting(
    device: Device,
    project: Project,
    release: Release,
    releases: Sequence[Release],
    parts: Sequence[Kind],
) -> ReleaseImage | Hold:
    """The image for this hardware; the last one that came, where several fit.

    A compressed one only where the plain one does not fit: not every boot loader unpacks.
    """
    first: Hold | None = None
    last_first = release.images[::-1]
    for image in sorted(last_first, key=_is_packed):
        if image.part not in parts:
            continue
        misfit = _kind_misfit(release, image, releases)
        misfit = misfit or misfit_of(device, project, release, image)
        if misfit is None:
            return image
        first = first or misfit
    return first or Hold(Reason.NO_IMAGE, f"{release.version} has no image to flash", release)


def _kind_misfit(release: Release, image: ReleaseImage, releases: Sequence[Release]) -> Hold | None:
    """Bytes that nobody understands, beside images that are understood, may be anything; and what
    is compressed is for the one chip that unpacks it."""
    if _is_packed(image) and image.chip != ESP8266:
        detail = f"{image.name}: compressed, and only an esp8266 unpacks by itself"
        return Hold(Reason.OTHER_KIND, detail, release)
    if image.format != "opaque" or image.part != "opaque" or image.chip or image.hardware:
        return None
    known = next(
        (i.format for r in releases for i in r.images if i.part in ("application", "bundle")), None
    )
    if known is None:
        return None
    detail = f"{image.name}: of no known format, and other images here are {known}"
    return Hold(Reason.OTHER_KIND, detail, release)


def _is_packed(image: ReleaseImage) -> bool:
    return image.format.endswith(PACKED_FORMATS)


def misfit_of(
    device: Device, project: Project, release: Release, image: ReleaseImage
) -> Hold | None:
    """Why the device's hardware cannot take this image; what is not known does not fit."""

    def hold(reason: Reason, detail: str) -> Hold:
        return Hold(reason, f"{image.name}: {detail}", release)

    chip = device.chip or project.chip
    if image.chip is not None and chip is None:
        return hold(Reason.UNKNOWN_CHIP, f"it is for {image.chip}; the device's chip is not known")
    if image.chip is not None and chip != image.chip:
        return hold(Reason.WRONG_CHIP, f"it is for {image.chip}, the device is {chip}")
    misfit = _revision_misfit(device, project, image) or _board_misfit(device, image)
    if misfit is not None:
        return hold(*misfit)
    if device.free_bytes is not None and image.size > device.free_bytes:
        return hold(Reason.TOO_BIG, f"{image.size:,} bytes, {device.free_bytes:,} fit")
    if image.secure_version is not None and image.secure_version < (device.secure_version or 0):
        detail = f"its counter {image.secure_version} is below the device's {device.secure_version}"
        return hold(Reason.LOWER_COUNTER, detail)
    return None


def _board_misfit(device: Device, image: ReleaseImage) -> tuple[Reason, str] | None:
    if not image.hardware:
        return None
    boards = ", ".join(image.hardware)
    if device.board is None:
        return Reason.UNKNOWN_BOARD, f"it is for {boards}"
    names = {device.board}
    if image.format == SWUPDATE:  # its bundles may name the revision alone, of whatever board
        names.add(device.board.rpartition(" ")[2])
    if names.isdisjoint(image.hardware):
        return Reason.WRONG_BOARD, f"it is for {boards}, the device is {device.board}"
    return None


def _revision_misfit(
    device: Device, project: Project, image: ReleaseImage
) -> tuple[Reason, str] | None:
    """An upper end counts where the revision is known: nearly every image has one, far away."""
    least, most = image.min_chip_revision or 0, image.max_chip_revision
    known = device.known_revision if device.known_revision is not None else project.revision
    if known is None:
        if least == 0:
            return None
        return Reason.UNKNOWN_REVISION, f"it needs chip revision {_shown(least)} or newer"
    if known < least:
        detail = f"it needs chip revision {_shown(least)}, the device has {_shown(known)}"
        return Reason.WRONG_REVISION, detail
    if most is not None and device.revision is not None and device.revision > most:
        detail = f"it is for chip revisions up to {_shown(most)}, it has {_shown(device.revision)}"
        return Reason.WRONG_REVISION, detail
    return None


def _shown(revision: int) -> str:
    return f"v{revision // 100}.{revision % 100}"
