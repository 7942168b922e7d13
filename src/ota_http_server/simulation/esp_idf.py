"""A board with an ESP-IDF application: `esp_https_ota`, and around it JSON to ask and to report.

The application compares versions by equality, as Espressif's own examples do, and refuses the one
that it was rolled back from.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ota_http_server.domain.attempt import State
from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer, is_number
from ota_http_server.simulation.board import Board, Device, Did, Outcome
from ota_http_server.simulation.failed import Cut, Failed
from ota_http_server.simulation.https_ota import PATIENCE_SECONDS, PIECE_BYTES, WORDS, HttpsOta
from ota_http_server.simulation.line import ANYBODY, Access

CHECK_BYTES_MAX = 1024  # the application's buffer for the answer to a check
DETAIL_CHARACTERS_MAX = 200
INVALID = "ESP_ERR_OTA_VALIDATE_FAILED: image is corrupted"

_DESCRIPTOR_AT, _DESCRIPTOR_MAGIC, _VERSION_AT = 32, b"\x32\x54\xcd\xab", 48


@dataclass(frozen=True, slots=True)
class Asked:
    """What a check was answered with: an image to take, or why there is none."""

    address: Address | None
    attempt: object = None
    reason: str = ""
    wait_seconds: int | None = None


class EspIdf(Device):
    """`url` is a JSON check if it ends in `/check`, else an image that is fetched at every step.

    Of an image whose header says the version that runs already only the beginning is read.
    """

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        partial: bool = False,
        resumes: bool = False,
        piece_bytes: int = PIECE_BYTES,
        release: tuple[int, int] = (5, 5),
    ) -> None:
        super().__init__(board, access, WORDS, PATIENCE_SECONDS)
        self.address = Address.of(url)
        self.ota = HttpsOta(
            self.line,
            access,
            partial=partial,
            resumes=resumes,
            piece_bytes=piece_bytes,
            release=release,
        )

    @property
    def checks(self) -> bool:
        return self.address.path.endswith("/check")

    def check_request(self) -> bytes:
        """What it says of itself, and asks."""
        running = self.board.running
        document = {
            "version": self.board.said_version,
            "image_sha256": running.running_sha256 if running else None,
            "chip": self.board.chip,
            "revision": self.board.revision,
            "free_bytes": self.board.free_bytes,
        }
        return self._post(self.address, document)

    def read_check(self, answer: Answer) -> Asked:
        if answer.status != 200:
            raise Failed(f"check: HTTP {answer.status}")
        if len(answer.body) > CHECK_BYTES_MAX:
            raise Failed(f"check: {len(answer.body)} bytes do not fit the buffer")
        said = answer.json_object("check: the answer is no JSON object")
        wait = said.get("poll_seconds")
        wait_seconds = wait if is_number(wait) else None
        if said.get("update") is not True:
            return Asked(None, None, str(said.get("reason", "")), wait_seconds)
        if not isinstance(url := said.get("url"), str):
            raise Failed("check: no url in the answer")
        return Asked(Address.of(url), said.get("attempt"), "", wait_seconds)

    def _post(self, address: Address, document: Mapping[str, object]) -> bytes:
        said = {name: value for name, value in document.items() if value is not None}
        body = json.dumps(said, separators=(",", ":")).encode()
        fields = (("Content-Type", "application/json"), ("Content-Length", str(len(body))))
        return self.ota.request("POST", address, *fields) + body

    def _check_in(self) -> Outcome:
        if not self.checks:
            return self._update(self.address, None)
        asked = self.read_check(self.line.ask(self.address, self.check_request()))
        if asked.address is None:
            return self._outcome(Did.NOTHING, asked.reason, asked.wait_seconds)
        return self._update(asked.address, asked.attempt)

    def _update(self, address: Address, attempt: object) -> Outcome:
        try:
            with self.board.link(self.line):
                image = self.ota.download(address, self._unwanted)
            if image is None:
                return self._outcome(Did.NOTHING, "it runs this version, or rolled back from it")
            self.board.flash(image, INVALID)
        except Cut:
            raise  # it tries again later: no end that is worth a report
        except Failed as failed:
            with suppress(Failed):  # why it failed counts more
                self._report(attempt, State.FAILED, str(failed))
            raise
        if not self.board.behaviour.falls_silent:
            self._report(attempt, State.INSTALLED)
        return self._outcome(self.board.reboot())

    def _report(self, attempt: object, state: State, detail: str = "") -> None:
        if not self.checks:
            return
        there = self.address.at(self.address.path.removesuffix("check") + "report")
        said = detail[:DETAIL_CHARACTERS_MAX] or None
        document = {"attempt": attempt, "state": str(state), "detail": said}
        answer = self.line.ask(there, self._post(there, document))
        if not 200 <= answer.status < 300:
            raise Failed(f"report: HTTP {answer.status}")

    def _unwanted(self, beginning: bytes) -> bool:
        version = described_version(beginning)
        known = (self.board.said_version, self.board.failed_version)
        return version is not None and version in known


def described_version(image: bytes) -> str | None:
    """The version in the application descriptor at the beginning of an image."""
    if image[_DESCRIPTOR_AT : _DESCRIPTOR_AT + 4] != _DESCRIPTOR_MAGIC:
        return None
    return image[_VERSION_AT : _VERSION_AT + 32].partition(b"\0")[0].decode("ascii", "replace")
