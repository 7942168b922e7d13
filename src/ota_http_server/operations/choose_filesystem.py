"""Choosing the filesystem for a board: that of the release which it runs, else the newest.

A filesystem belongs to its program, so it is never newer than that. What the board has of it
nobody sees; it may say the version.
"""

from dataclasses import replace

from ota_http_server.domain.device import Device
from ota_http_server.domain.fitting import fitting
from ota_http_server.domain.newness import Running
from ota_http_server.domain.offer import Hold, Reason
from ota_http_server.domain.release import ReleaseImage
from ota_http_server.operations.catalog import Catalog
from ota_http_server.operations.newest_image import Newest


class ChooseFilesystem:
    """The operation; one for each process."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __call__(self, device: Device, version: str | None) -> Newest | Hold:
        """`version` is that of the filesystem that the board has, if it says so."""
        if device.blocked:
            return Hold(Reason.BLOCKED, "an operator blocked this device")
        shelf = self._catalog.of(device.project)
        # How much room there is beside the program says nothing about the filesystem's partition.
        device = replace(device, free_bytes=None)
        channel = shelf.project.channel_of(device)
        running = Running(device, shelf.releases).newest
        first: Hold | None = None
        followed = [r for r in shelf.releases if r.channel == channel]
        for release in followed if running is None else [running]:
            image = fitting(device, shelf.project, release, shelf.releases, ("filesystem",))
            if isinstance(image, ReleaseImage):
                if version is not None and release.is_version(version):
                    detail = f"it has the filesystem of {release.version}"
                    return Hold(Reason.UP_TO_DATE, detail, release)
                return Newest(release, image)
            first = first or image
        detail = f"channel {channel} has no release with a filesystem"
        return first or Hold(Reason.NO_RELEASE, detail)
