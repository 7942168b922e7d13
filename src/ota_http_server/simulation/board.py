"""What all simulated devices have in common: a board that runs an image, and one protocol.

    device = EspIdf("http://127.0.0.1:8071/api/device/v1/check", board, access)
    outcome = device.step()

`step()` is one check-in and all that follows from it: download, flashing, report, reboot. It
returns an `Outcome`, or raises `Failed` with the words that the real client would log; either way
the device may be stepped again. Every device owns its connection and closes it at the end of each
step, as the real ones do. There are no threads in here and nothing is shared between devices, so
whoever simulates a fleet decides how many of them step at the same time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import md5, sha256

from ota_http_server.domain.errors import Refusal
from ota_http_server.domain.image import BytesSource, ImageFacts, read_image
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.line import ANYBODY, PLAIN_WORDS, Access, Line, Words

FLASH_BYTES = 4 * 2**20
SLOT_BYTES = 1_310_720  # of Arduino's default partition table


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a board misbehaves; the default one does not."""

    rolls_back: bool = False
    """A new image boots once and fails; the old one runs again."""
    loops: bool = False
    """It says that all went well and boots the old image, again and again."""
    says_version: str | None = None
    """It claims this version whatever it runs."""
    cuts_after_bytes: int | None = None
    """Its link breaks behind so many bytes of an image."""
    cuts: int = 1
    """So many times in its life."""
    falls_silent: bool = False
    """After a download nothing is heard of it any more."""
    bricked_by: str | None = None
    """It never comes back from this version."""


GOOD = Behaviour()


@dataclass(frozen=True, slots=True)
class Firmware:
    """An image that a board runs: what is known of it, without its bytes."""

    facts: ImageFacts
    version: str | None
    size: int
    md5: str
    sha256: str

    @classmethod
    def of(
        cls, image: bytes, version: str | None = None, stored: bytes | None = None
    ) -> "Firmware":
        """What these bytes are; `Refusal` if no board could start them.

        `version` counts where the image does not say its own. `stored` is what then lies in the
        flash, if that is not quite what came.
        """
        facts = read_image(BytesSource(image))
        stored = image if stored is None else stored
        return cls(
            facts,
            facts.version or version,
            len(stored),
            md5(stored, usedforsecurity=False).hexdigest(),
            sha256(stored).hexdigest(),
        )

    @property
    def running_sha256(self) -> str:
        """The digest by which the running image is known: the appended one, if it has one."""
        return self.facts.appended_sha256 or self.sha256


class Did(StrEnum):
    NOTHING = "nothing"
    """There was nothing to do."""
    UPDATED = "updated"
    """It runs the new image."""
    ROLLED_BACK = "rolled back"
    """It installed the new image and runs the old one."""
    CANCELED = "canceled"
    """It was told to stop, and said that it did."""
    SILENT = "silent"
    """It downloaded an image once, and says nothing any more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step came to."""

    did: Did
    version: str | None
    """What the board truly runs now."""
    body_bytes: int = 0
    """Received in this step, of all answers."""
    detail: str = ""
    """Why there was nothing to do, if the server said so."""
    wait_seconds: int | None = None
    """When the server wants to hear from it again, if it said so."""


class Board:
    """The hardware, and what it runs."""

    def __init__(
        self,
        running: Firmware | None = None,
        *,
        mac: str = "24:0A:C4:00:00:01",
        chip: str = "esp32",
        revision: int = 301,
        free_bytes: int = SLOT_BYTES,
        behaviour: Behaviour = GOOD,
    ) -> None:
        self.running = running
        self.mac = mac
        """Upper case with colons, as Arduino's libraries write it."""
        self.chip = chip
        self.revision = revision
        """Of the chip, in hundredths: 301 is v3.1."""
        self.free_bytes = free_bytes
        """The largest image that fits."""
        self.behaviour = behaviour
        self.is_silent = False
        self.failed_version: str | None = None
        """Of the image that it rolled back from."""
        self._flashed: Firmware | None = None
        self._cuts_left = behaviour.cuts

    @property
    def said_version(self) -> str | None:
        if self.behaviour.says_version is not None:
            return self.behaviour.says_version
        return None if self.running is None else self.running.version

    @property
    def true_version(self) -> str | None:
        return None if self.running is None else self.running.version

    @contextmanager
    def link(self, line: Line) -> Iterator[None]:
        """While an image is fetched: the link may be a bad one."""
        line.cut_after_bytes = self.behaviour.cuts_after_bytes if self._cuts_left > 0 else None
        may_break = line.cut_after_bytes is not None
        try:
            yield
        finally:
            if may_break and line.cut_after_bytes is None:
                self._cuts_left -= 1
            line.cut_after_bytes = None

    def flash(
        self,
        image: bytes,
        complaint: str,
        version: str | None = None,
        stored: bytes | None = None,
    ) -> None:
        """Writes an image into the free slot; it is started at the next reboot."""
        try:
            firmware = Firmware.of(image, version, stored)
        except Refusal as refusal:
            raise Failed(f"{complaint} ({refusal.detail})") from None
        if firmware.facts.chip not in (None, self.chip):
            raise Failed(f"{complaint} (an image for {firmware.facts.chip}, not {self.chip})")
        self._flashed = firmware

    def reboot(self) -> Did:
        flashed, self._flashed = self._flashed, None
        if flashed is None:
            return Did.NOTHING
        is_bricked = flashed.version is not None and flashed.version == self.behaviour.bricked_by
        if self.behaviour.falls_silent or is_bricked:
            self.is_silent = True
            return Did.SILENT
        if self.behaviour.rolls_back:
            self.failed_version = flashed.version
            return Did.ROLLED_BACK
        if self.behaviour.loops:
            return Did.ROLLED_BACK
        self.running = flashed
        return Did.UPDATED


class Device(ABC):
    """A board with a client on it."""

    def __init__(
        self,
        board: Board,
        access: Access = ANYBODY,
        words: Words = PLAIN_WORDS,
        patience_seconds: float = 60.0,
        *,
        redials: bool = False,
    ) -> None:
        self.board = board
        self.access = access
        self.line = Line(access, words, patience_seconds, redials=redials)

    def step(self) -> Outcome:
        """One check-in, and what follows from it."""
        if self.board.is_silent:
            return Outcome(Did.SILENT, self.board.true_version)
        before = self.line.body_bytes
        with self.line:
            outcome = self._check_in()
        return replace(outcome, body_bytes=self.line.body_bytes - before)

    def close(self) -> None:
        self.line.close()

    @abstractmethod
    def _check_in(self) -> Outcome:
        """The step itself."""

    def _outcome(self, did: Did, detail: str = "", wait_seconds: int | None = None) -> Outcome:
        return Outcome(did, self.board.true_version, 0, detail, wait_seconds)
