"""The documented needs of every client, and looking whether a server meets them.

    findings = examine("esp-idf", "https://ota.example.com/firmware/lamp/lamp-1.4.0.bin", access)

It asks any server as the client would, and downloads no more than `TRY_BYTES_MAX`. Every need of
the client has one finding; `Unreachable` is raised if nobody answers at all.
"""

from collections.abc import Callable
from typing import Protocol

from ota_http_server.simulation.line import Access
from ota_http_server.simulation.needs.arduino import ArduinoNeeds, Esp8266Needs, TasmotaNeeds
from ota_http_server.simulation.needs.esp_idf import EspIdfNeeds
from ota_http_server.simulation.needs.esphome import EspHomeNeeds
from ota_http_server.simulation.needs.finding import Finding, Need, Notes, Stop, Verdict
from ota_http_server.simulation.needs.hawkbit import RaucNeeds, SwUpdateNeeds, ZephyrNeeds
from ota_http_server.simulation.needs.json_files import (
    Esp32FotaNeeds,
    MicroPythonNeeds,
    OtaPullNeeds,
)
from ota_http_server.simulation.needs.probe import TRY_BYTES_MAX, Probe

__all__ = ["CLIENTS", "SENDS_NO_HEADER", "TRY_BYTES_MAX", "Finding", "Need", "Verdict", "examine"]


class Examiner(Protocol):
    """One client."""

    needs: tuple[Need, ...]

    def examine(self, probe: Probe, /) -> None:
        """Notes what it finds; raises `Stop` where it cannot go on."""


CLIENTS: dict[str, Callable[[str, Access], Examiner]] = {
    "esp-idf": EspIdfNeeds,
    "arduino": ArduinoNeeds,
    "esp8266": Esp8266Needs,
    "esphome": EspHomeNeeds,
    "swupdate": SwUpdateNeeds,
    "rauc": RaucNeeds,
    "zephyr": ZephyrNeeds,
    "esp32fota": Esp32FotaNeeds,
    "ota-pull": OtaPullNeeds,
    "micropython": MicroPythonNeeds,
    "tasmota": TasmotaNeeds,
}

SENDS_NO_HEADER = frozenset({"ota-pull", "tasmota"})
"""Clients that can show a credential in the URL only."""


def examine(client: str, url: str, access: Access) -> list[Finding]:
    """Every need of this client, in order; `Failed` if the URL is none."""
    examiner = CLIENTS[client](url, access)
    notes = Notes(examiner.needs)
    probe = Probe(access, notes)
    try:
        with probe.line:
            examiner.examine(probe)
    except Stop:
        pass
    return notes.findings()
