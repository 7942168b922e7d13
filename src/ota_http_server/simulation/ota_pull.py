"""ESP32-OTA-Pull: a list of configurations; the first that fits and is newer is flashed.

Read from ESP32OTAPull.h. Board, device (MAC) and configuration fit if the entry names the same or
none. Versions are compared as strings, so "3.9" is newer than "3.10". It sends no header of the
application's: a token can only be part of the URL.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.answer import Answer
from ota_http_server.simulation.board import Board, Device, Did, Outcome
from ota_http_server.simulation.failed import Failed
from ota_http_server.simulation.httpclient import PATIENCE_SECONDS, WORDS, get
from ota_http_server.simulation.line import ANYBODY, Access
from ota_http_server.simulation.redirects import NO_REDIRECTS

DOCUMENT_BYTES_MAX = 6000  # DynamicJsonDocument doc(6000)
JSON_PROBLEM = "JSON_PROBLEM (3)"


class OtaPull(Device):
    """`url` is the JSON file."""

    def __init__(
        self,
        url: str,
        board: Board,
        access: Access = ANYBODY,
        *,
        board_name: str = "ESP32_DEV",
        config: str = "",
    ) -> None:
        super().__init__(board, replace(access, token=None, headers=()), WORDS, PATIENCE_SECONDS)
        self.address = Address.of(url)
        self.board_name = board_name
        self.config = config

    def read_configurations(self, answer: Answer) -> list[Mapping[str, Any]]:
        if answer.status != 200:
            raise Failed(f"CheckForOTAUpdate returned {answer.status}")
        if len(answer.body) > DOCUMENT_BYTES_MAX:
            raise Failed(JSON_PROBLEM)
        configurations = answer.json_object(JSON_PROBLEM).get("Configurations")
        if not isinstance(configurations, list):
            raise Failed("NO_UPDATE_PROFILE_FOUND (-2)")
        if not all(isinstance(one, dict) for one in configurations):
            raise Failed(JSON_PROBLEM)
        return configurations

    def fitting(self, configurations: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        own = {"Board": self.board_name, "Device": self.board.mac, "Config": self.config}
        return [
            one
            for one in configurations
            if all(one.get(name) in (None, "", value) for name, value in own.items())
        ]

    def fetch(self, address: Address) -> bytes:
        with self.board.link(self.line):
            answer = get(self.line, address, self.access, NO_REDIRECTS)
        if answer.status != 200:
            raise Failed(f"CheckForOTAUpdate returned {answer.status}")
        # getSize() is -1 without a length: not one byte is read then.
        if answer.framing_used != "length" or answer.body[:1] != b"\xe9":
            raise Failed("WRITE_ERROR (2)")
        return answer.body

    def _check_in(self) -> Outcome:
        answer = get(self.line, self.address, self.access, NO_REDIRECTS)
        fitting = self.fitting(self.read_configurations(answer))
        if not fitting:
            raise Failed("NO_UPDATE_PROFILE_FOUND (-2)")
        own = self.board.said_version or ""
        newer = next((one for one in fitting if _version(one) == "" or _version(one) > own), None)
        if newer is None:
            return self._outcome(Did.NOTHING)
        self.line.close()
        image = self.fetch(Address.of(str(newer.get("URL", ""))))
        self.board.flash(image, "OTA_UPDATE_FAIL (4)", _version(newer) or None)
        return self._outcome(self.board.reboot())


def _version(configuration: Mapping[str, Any]) -> str:
    value = configuration.get("Version")
    return value if isinstance(value, str) else ""
