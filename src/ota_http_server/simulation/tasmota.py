"""Tasmota's `Upgrade`: the URL is rewritten from attempt to attempt.

An ESP8266 tries up to nine times and appends `.gz` to the name from the fifth failure on; where
the image is too large it asks for `-minimal` in place of whatever stands behind the last hyphen of
the file name. An ESP32 asks for `-safeboot` likewise, where its layout needs that. Only the part
behind the last `/` is touched. Requests are those of ESP8266httpUpdate and HTTPUpdate.
"""

from dataclasses import replace

from ota_http_server.simulation.address import Address
from ota_http_server.simulation.arduino import ArduinoEsp32, ArduinoEsp8266, HttpUpdate
from ota_http_server.simulation.board import Board, Device, Did, Outcome
from ota_http_server.simulation.failed import Failed, Unreachable
from ota_http_server.simulation.line import ANYBODY, Access

URL_CHARACTERS_MAX = 199  # full_ota_url[200]
ATTEMPTS = 10
TOO_LARGE = "Not Enough space"


class Tasmota(Device):
    """`url` is its OtaUrl; one step is one `Upgrade 1`."""

    def __init__(self, url: str, board: Board, access: Access = ANYBODY) -> None:
        silent = replace(access, token=None, headers=())  # nothing but the URL can carry one
        super().__init__(board, silent)
        kind = ArduinoEsp8266 if board.chip == "esp8266" else ArduinoEsp32
        self._client: HttpUpdate = kind(url, board, silent)
        self.line = self._client.line
        self.url = url
        self.tried: list[str] = []
        """The URLs of the last `Upgrade`."""

    def _check_in(self) -> Outcome:
        self.tried = []
        is_esp8266 = self.board.chip == "esp8266"
        url, failure, left = self.url, Failed(""), ATTEMPTS
        while left := left - 1:
            named = url
            if is_esp8266 and left < ATTEMPTS // 2:
                left, named = (1, url) if ".gz" in url.lower() else (left, f"{url}.gz")
            try:
                return self._upgrade(named)
            except Unreachable:
                raise
            except Failed as failed:
                failure = failed
            if is_esp8266 and str(failure) == TOO_LARGE:
                url = renamed(self.url, "minimal")
        raise Failed(f"Failed {failure}")

    def _upgrade(self, url: str) -> Outcome:
        if len(url) > URL_CHARACTERS_MAX:
            raise Failed(f"OtaUrl: {len(url)} characters do not fit")
        self.tried.append(url)
        image = self._client.update(Address.of(url))
        if image is None:
            return self._outcome(Did.NOTHING)
        self._client.flash(image)
        return self._outcome(self.board.reboot())


def renamed(url: str, variant: str) -> str:
    """The URL with the last hyphen of its file name, and what follows, replaced by a variant."""
    folder, slash, name = url.rpartition("/")
    stem, dot, ending = name.partition(".")
    kept = stem.rpartition("-")[0] or stem
    return f"{folder}{slash}{kept}-{variant}{dot}{ending}"
