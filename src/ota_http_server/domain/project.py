"""How a project wants its devices and releases to be treated; each default is the safe one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ota_http_server.domain.device import Device
from ota_http_server.domain.release import DEFAULT_CHANNEL


class FolderMode(StrEnum):
    """What a file dropped into the project's folder becomes."""

    PUBLISH = "publish"
    DRAFT = "draft"


class UnknownVersion(StrEnum):
    """What a device gets that does not say what it runs."""

    HOLD = "hold"
    OFFER = "offer"


class Registering(StrEnum):
    """How a device that nobody registered comes into the registry."""

    CHECK_IN = "check-in"
    """Its first check-in with a credential of the project puts it there."""
    INVITED = "invited"
    """Only a minted token, a claim code, an accepted key or an operator does."""


class Spread(StrEnum):
    """Whom a published release without a rollout reaches."""

    AT_ONCE = "at-once"
    """All devices of its channel."""
    BY_ROLLOUT = "by-rollout"
    """Nobody, until a rollout takes it to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Settings of one project."""

    name: str
    folder: FolderMode = FolderMode.PUBLISH
    chip: str | None = None
    """All its boards have this chip, unless one says otherwise."""
    revision: int | None = None
    """All its chips have at least this revision, in hundredths."""
    unknown_version: UnknownVersion = UnknownVersion.HOLD
    registering: Registering = Registering.CHECK_IN
    accepts_keys: bool = False
    """Devices may ask to be let in with a key pair of their own, and wait to be accepted."""
    tag_channels: Mapping[str, str] = field(default_factory=dict)
    """Devices with this tag follow this channel."""
    spread: Spread = Spread.AT_ONCE
    downloads_max: int | None = None
    """Devices that may download at the same time."""
    download_bytes_per_second: int | None = None
    """So fast all downloads together may be; of each instance of the server."""
    notes: str = ""
    created_at: int = 0
    edition: int = 0
    """0: nobody ever changed it."""

    def channel_of(self, device: Device) -> str:
        """The channel that the device follows: its own, or that of its first tag that has one."""
        if device.channel is not None:
            return device.channel
        by_tag = (self.tag_channels[tag] for tag in device.tags if tag in self.tag_channels)
        return next(by_tag, DEFAULT_CHANNEL)
